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

namespace {

using namespace interface;
using Results = std::vector<int>;

const std::uint32_t set_nnp = llexec::uapi::restrict_self_no_new_privs;
const std::uint32_t exectime = llexec::uapi::restrict_self_exectime;

TEST_CASE("exectime: it comes last, after what is inherited and what BPF enforces") {
    const Directory directory;
    ExecSteps steps;
    const UniqueFd inherited = make_ruleset({"/"});
    const UniqueFd stored = make_ruleset({"/"});
    steps.put(0, make_ruleset({"/"}));
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
        CHECK(std::string(&enforced[2].exe[0]) == directory.probe());
        CHECK(trace.count("landlock_create_domain", steps.pid()) == 3);
        CHECK(trace.count("landlock_enforce_domain", steps.pid()) == 3);
        steps.set(hook, {});
    }
}

TEST_CASE("exectime: it comes after the layers of all hooks of one execution") {
    const Directory directory;
    ExecSteps steps;
    const UniqueFd stored = make_ruleset({"/"});
    steps.put(0, make_ruleset({"/"}));
    for (const interface_hook hook : all_hooks)
        steps.set(hook, {restrict_with(0), restrict_with(0)});
    const Trace trace;
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
    // 15, and the stored one: the probe is executed and prints nothing.
    CHECK(run(max_layers - 1).results == Results{0, 0});
    CHECK(run(max_layers).results == Results{0, 0, -E2BIG, max_layers});
    for (const interface_hook hook : staging_hooks) {
        CAPTURE(static_cast<int>(hook));
        steps.set(hook, {restrict_with(0)});
        CHECK(run(max_layers - 2).results == Results{0, 0});
        const Outcome outcome = run(max_layers - 1);
        // Staged before the stored one is merged: the execution fails. After it: the call does, and
        // the execution goes on with what the caller stored.
        if (steps.results(hook) == Results{0})
            CHECK(outcome.results == Results{0, 0, -E2BIG, max_layers - 1});
        else {
            CHECK(steps.results(hook) == Results{-E2BIG});
            CHECK(outcome.results == Results{0, 0});
        }
        steps.set(hook, {});
    }
    steps.set(AT_COMMITTING_CREDS, {restrict_with(0)});
    CHECK(run(max_layers - 1).results == Results{0, 0});
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
        steps.set(hook, {restrict_with(0), deny()});
        const Outcome outcome = steps.run([&](const Report& report) {
            report(restrict_self(stored.get(), exectime | set_nnp));
            report(execute(directory.probe().c_str()));
            report(no_new_privs());
            report(count_layers());
        });
        CHECK(outcome.results == Results{0, -EPERM, 0, 0});
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

TEST_CASE("exectime: what is stored is released with its last user") {
    const Directory directory;
    const Trace trace;
    {
        ExecSteps steps;
        const UniqueFd stored = make_ruleset({"/"});
        // Stored and never used; stored twice; used.
        steps.run([&](const Report&) { restrict_self(stored.get(), exectime | set_nnp); });
        const Outcome outcome = steps.run([&](const Report&) {
            restrict_self(stored.get(), exectime | set_nnp);
            restrict_self(stored.get(), exectime | set_nnp);
            execute_with(directory.probe(), {"layers"});
        });
        CHECK(outcome.results == Results{1});
    }
    CHECK(trace.unfreed() == 0);
    CHECK(soon([&] {
        return trace.count("landlock_create_domain") == trace.count("landlock_free_domain");
    }));
}

} // namespace
