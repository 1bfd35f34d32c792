// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What a caller stored for its next execution (LANDLOCK_RESTRICT_SELF_EXECTIME) together with what
// BPF programs enforce on that execution.
#include "catch.hpp"
#include "exec_steps.hpp"
#include "llexec/landlock_uapi.hpp"
#include "task.hpp"
#include "trace.hpp"

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <string>
#include <sys/statvfs.h>
#include <unistd.h>

namespace {

using namespace interface;
using Results = std::vector<int>;

const std::uint32_t set_nnp = llexec::uapi::restrict_self_no_new_privs;
const std::uint32_t exectime = llexec::uapi::restrict_self_exectime;

/// The rulesets that the domains were made from, in the order in which these were enforced.
std::vector<std::uint64_t> enforced_rulesets(const ExecSteps& steps) {
    std::vector<std::uint64_t> rulesets;
    for (const interface_enforced& enforced : steps.enforced())
        rulesets.push_back(enforced.ruleset);
    return rulesets;
}

TEST_CASE("exectime: it comes last, after what is inherited and what BPF enforces") {
    const Directory directory;
    ExecSteps steps;
    std::vector<std::uint64_t> in_order;
    const auto make = [&in_order] {
        const Trace trace;
        UniqueFd ruleset = make_ruleset({"/"});
        in_order.push_back(trace.last_ruleset());
        return ruleset;
    };
    const UniqueFd inherited = make();
    steps.put(0, make());
    const UniqueFd stored = make();
    for (const interface_hook hook : all_hooks) {
        CAPTURE(static_cast<int>(hook));
        const Trace trace;
        steps.set(hook, {restrict_with(0)});
        // Stored first, and enforced last.
        const Outcome outcome = steps.run([&](const Report&) {
            restrict_self(stored.get(), exectime | set_nnp);
            restrict_self(inherited.get());
            execute_with(directory.probe(), {"nnp"});
        });
        CHECK(outcome.results == Results{1});
        CHECK(steps.results(hook) == Results{0});
        const std::vector<interface_enforced> enforced = steps.enforced();
        REQUIRE(enforced.size() == 3);
        CHECK(enforced[0].parent == 0);
        CHECK(enforced[1].parent == enforced[0].domain);
        CHECK(enforced[2].parent == enforced[1].domain);
        CHECK(enforced_rulesets(steps) == in_order);
        CHECK(std::string(&enforced[2].exe[0]) == directory.probe());
        CHECK(trace.count("landlock_create_domain", steps.pid()) == 3);
        CHECK(trace.count("landlock_enforce_domain", steps.pid()) == 3);
        steps.set(hook, {});
    }
}

TEST_CASE("exectime: it comes after the layers of all hooks of one execution") {
    const Directory directory;
    ExecSteps steps;
    const Trace trace;
    std::vector<std::uint64_t> in_order;
    // Two layers of each hook, with a ruleset of its own.
    for (const interface_hook hook : all_hooks) {
        const auto slot = static_cast<std::uint32_t>(hook);
        steps.put(slot, make_ruleset({"/"}));
        in_order.insert(in_order.end(), 2, trace.last_ruleset());
        steps.set(hook, {restrict_with(slot), restrict_with(slot)});
    }
    const UniqueFd stored = make_ruleset({"/"});
    in_order.push_back(trace.last_ruleset());
    const Outcome outcome = steps.run([&](const Report&) {
        restrict_self(stored.get(), exectime | set_nnp);
        execute_with(directory.probe(), {"nnp"});
    });
    CHECK(outcome.results == Results{1});
    const std::vector<interface_enforced> enforced = steps.enforced();
    REQUIRE(enforced.size() == 7);
    for (std::size_t i = 0; i < enforced.size(); ++i) {
        CAPTURE(i);
        CHECK(enforced[i].parent == (i == 0 ? 0 : enforced[i - 1].domain));
    }
    CHECK(enforced_rulesets(steps) == in_order);
    CHECK(trace.count("landlock_create_domain", steps.pid()) == 7);
}

TEST_CASE("exectime: both restrict") {
    const Directory directory;
    ExecSteps steps;
    const UniqueFd stored = make_ruleset({directory / "a", directory / "both"});
    steps.put(0, make_ruleset({directory / "b", directory / "both"}));
    const auto reads = [&] {
        return steps
            .run([&](const Report&) {
                restrict_self(stored.get(), exectime | set_nnp);
                execute_with(directory.probe(),
                             {"read", directory / "a/text", "read", directory / "b/text", "read",
                              directory / "both/text"});
            })
            .results;
    };
    CHECK(reads() == Results{0, -EACCES, 0});
    for (const interface_hook hook : all_hooks) {
        CAPTURE(static_cast<int>(hook));
        steps.set(hook, {restrict_with(0)});
        CHECK(reads() == Results{-EACCES, -EACCES, 0});
        steps.set(hook, {});
    }
}

TEST_CASE("exectime: the 17th layer is an error where one can be returned") {
    const Directory directory;
    ExecSteps steps;
    const UniqueFd stored = make_ruleset({"/"});
    steps.put(0, make_ruleset({"/"}));
    const auto run = [&](int inherited) {
        return steps.run([&, inherited](const Report& report) {
            report(restrict_self(stored.get(), exectime | set_nnp));
            report(stack_layers(inherited));
            report(execute(directory.probe().c_str()));
            report(count_layers());
        });
    };
    // The probe is executed, prints nothing, and ends well.
    const auto is_executed = [](const Outcome& outcome) {
        return outcome.results == Results{0, 0} && outcome.status == 0;
    };
    CHECK(is_executed(run(max_layers - 1)));
    CHECK(run(max_layers).results == Results{0, 0, -E2BIG, max_layers});
    for (const interface_hook hook : staging_hooks) {
        CAPTURE(static_cast<int>(hook));
        steps.set(hook, {restrict_with(0)});
        CHECK(is_executed(run(max_layers - 2)));
        const Outcome outcome = run(max_layers - 1);
        // Staged before the stored one is merged: the execution fails. After it, which for the
        // second hook depends on the order of the LSMs: the call does, and the execution goes on
        // with what the caller stored.
        if (hook == AT_CREDS_FOR_EXEC || steps.results(hook) == Results{0}) {
            CHECK(steps.results(hook) == Results{0});
            CHECK(outcome.results == Results{0, 0, -E2BIG, max_layers - 1});
        } else {
            CHECK(steps.results(hook) == Results{-E2BIG});
            CHECK(is_executed(outcome));
        }
        steps.set(hook, {});
    }
    steps.set(AT_COMMITTING_CREDS, {restrict_with(0)});
    CHECK(is_executed(run(max_layers - 1)));
    CHECK(steps.results(AT_COMMITTING_CREDS) == Results{-E2BIG});
    const std::vector<interface_enforced> enforced = steps.enforced();
    CHECK(enforced.size() == max_layers);
}

TEST_CASE("exectime: an execution that BPF refuses keeps what is stored") {
    const Directory directory;
    ExecSteps steps;
    const Trace trace;
    const UniqueFd stored = make_ruleset({"/"});
    steps.put(0, make_ruleset({"/"}));
    for (const interface_hook hook : staging_hooks) {
        CAPTURE(static_cast<int>(hook));
        steps.set(hook, {restrict_with(0), deny_once()});
        const Outcome outcome = steps.run([&](const Report& report) {
            report(restrict_self(stored.get(), exectime | set_nnp));
            report(execute(directory.probe().c_str()));
            report(no_new_privs());
            execute_with(directory.probe(), {"nnp", "layers"});
        });
        // The next one gets no_new_privs and two layers, BPF's and what is stored.
        CHECK(outcome.results == Results{0, -EPERM, 0, 1, 2});
        steps.set(hook, {});
    }
    CHECK(soon([&] {
        return trace.count("landlock_create_domain") == trace.count("landlock_free_domain");
    }));
}

TEST_CASE("exectime: what is stored does not count for has_ruleset") {
    const Directory directory;
    ExecSteps steps;
    const UniqueFd ruleset = make_ruleset({"/"});
    steps.put(0, ruleset);
    for (const interface_hook hook : all_hooks) {
        CAPTURE(static_cast<int>(hook));
        steps.set(hook, {has_ruleset(0), restrict_with(0), has_ruleset(0)});
        const Outcome outcome = steps.run([&](const Report&) {
            restrict_self(ruleset.get(), exectime | set_nnp);
            execute_with(directory.probe(), {"layers"});
        });
        CHECK(steps.results(hook) == Results{0, 0, 1});
        CHECK(outcome.results == Results{2});
        steps.set(hook, {});
    }
}

/// How many files there are, deleted ones that something still holds included.
int files_there(const std::string& file_system) {
    struct statvfs counts{};
    return ::statvfs(file_system.c_str(), &counts) == 0
               ? static_cast<int>(counts.f_files - counts.f_ffree)
               : -1;
}

TEST_CASE("exectime: what is stored is released with its last user") {
    const Directory directory;
    ExecSteps steps;
    // A rule holds on to its file. Nobody else uses this file system.
    const std::string file_system = std::getenv("VMTEST_TMPFS");
    const std::string file = file_system + "/held";
    const int before = files_there(file_system);
    REQUIRE(before > 0);
    // In the child: the ruleset is gone, the file is deleted, and only what is stored has it.
    const auto store = [&](int times) {
        std::ofstream(file) << "text\n";
        const int ruleset = create_ruleset(1U << 2);
        add_path_rule(ruleset, 1U << 2, file.c_str());
        add_path_rule(ruleset, 1U << 2, "/");
        for (int i = 0; i < times; ++i)
            restrict_self(ruleset, exectime | set_nnp);
        ::close(ruleset);
        ::unlink(file.c_str());
    };
    const auto is_released = [&] {
        return soon([&] { return files_there(file_system) == before; });
    };
    for (const int times : {1, 2}) {
        CAPTURE(times);
        const Outcome unused = steps.run([&](const Report& report) {
            store(times);
            report(files_there(file_system));
        });
        CHECK(unused.results == Results{before + 1});
        CHECK(is_released());
        const Outcome used = steps.run([&](const Report& report) {
            store(times);
            report(files_there(file_system));
            execute_with(directory.probe(), {"layers"});
        });
        CHECK(used.results == Results{before + 1, 1});
        CHECK(is_released());
    }
    const Outcome never = steps.run([&](const Report& report) {
        store(0);
        report(soon([&] { return files_there(file_system) == before; }) ? 0 : 1);
    });
    CHECK(never.results == Results{0});
}

} // namespace
