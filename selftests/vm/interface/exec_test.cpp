// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// bpf_landlock_restrict_binprm() and bpf_landlock_binprm_has_ruleset() at run time: each hook, how
// restrictions stack, flags and limits.
#include "catch.hpp"
#include "exec_steps.hpp"
#include "llexec/landlock_uapi.hpp"
#include "task.hpp"

#include <cerrno>

namespace {

using namespace interface;
namespace uapi = llexec::uapi;

using Results = std::vector<int>;

const std::uint32_t same_exec_off = uapi::restrict_self_log_same_exec_off;
const std::uint32_t new_exec_on = uapi::restrict_self_log_new_exec_on;
const std::uint32_t log_subdomains_off = uapi::restrict_self_log_subdomains_off;
const std::uint32_t no_new_privs = uapi::restrict_self_no_new_privs;

std::vector<std::string> read_all(const Directory& directory) {
    return {"read", directory / "a/text",   "read", directory / "b/text",
            "read", directory / "both/text"};
}

TEST_CASE("exec: without a step, nothing is restricted") {
    const Directory directory;
    ExecSteps steps;
    steps.put(0, make_ruleset({directory / "a"}));
    std::vector<std::string> arguments = read_all(directory);
    arguments.insert(arguments.end(), {"nnp", "layers"});
    CHECK(steps.run(directory.probe(), arguments).results == Results{0, 0, 0, 0, 0});
    for (const interface_hook hook : all_hooks)
        CHECK(steps.calls(hook) == 1);
}

TEST_CASE("exec: each of the three hooks restricts the new program") {
    const Directory directory;
    ExecSteps steps;
    steps.put(0, make_ruleset({directory / "a", directory / "both"}));
    std::vector<std::string> arguments = read_all(directory);
    arguments.insert(arguments.end(), {"nnp", "layers"});
    for (const interface_hook hook : all_hooks) {
        steps.set(hook, {restrict_with(0)});
        CHECK(steps.run(directory.probe(), arguments).results == Results{0, -EACCES, 0, 0, 1});
        CHECK(steps.results(hook) == Results{0});
        steps.set(hook, {});
    }
    CHECK(steps.run(directory.probe(), arguments).results == Results{0, 0, 0, 0, 0});
}

TEST_CASE("exec: an empty slot restricts nothing") {
    const Directory directory;
    ExecSteps steps;
    steps.set(AT_COMMITTING_CREDS, {restrict_with(1)});
    CHECK(steps.run(directory.probe(), {"layers"}).results == Results{0});
    CHECK(steps.results(AT_COMMITTING_CREDS) == Results{INTERFACE_EMPTY});
}

TEST_CASE("exec: calls in one hook stack") {
    const Directory directory;
    ExecSteps steps;
    steps.put(0, make_ruleset({directory / "a", directory / "both"}));
    steps.put(1, make_ruleset({directory / "b", directory / "both"}));
    std::vector<std::string> arguments = read_all(directory);
    arguments.emplace_back("layers");
    for (const interface_hook hook : all_hooks) {
        steps.set(hook, {restrict_with(0), restrict_with(1)});
        CHECK(steps.run(directory.probe(), arguments).results == Results{-EACCES, -EACCES, 0, 2});
        CHECK(steps.results(hook) == Results{0, 0});
        steps.set(hook, {});
    }
}

TEST_CASE("exec: the hooks of one execution stack") {
    const Directory directory;
    ExecSteps steps;
    steps.put(0, make_ruleset({directory / "a", directory / "both"}));
    steps.put(1, make_ruleset({directory / "b", directory / "both"}));
    std::vector<std::string> arguments = read_all(directory);
    arguments.emplace_back("layers");

    steps.set(AT_CREDS_FOR_EXEC, {restrict_with(0)});
    steps.set(AT_COMMITTING_CREDS, {restrict_with(1)});
    CHECK(steps.run(directory.probe(), arguments).results == Results{-EACCES, -EACCES, 0, 2});

    steps.set(AT_CREDS_FROM_FILE, {restrict_with(0)});
    CHECK(steps.run(directory.probe(), arguments).results == Results{-EACCES, -EACCES, 0, 3});
}

TEST_CASE("exec: what is enforced comes on top of the caller's domain") {
    const Directory directory;
    ExecSteps steps;
    const UniqueFd own = make_ruleset({directory / "a", directory / "both", directory.probe()});
    steps.put(0, make_ruleset({directory / "b", directory / "both"}));
    std::vector<std::string> arguments = read_all(directory);
    arguments.emplace_back("layers");
    for (const interface_hook hook : all_hooks) {
        steps.set(hook, {restrict_with(0)});
        const Outcome child = steps.run([&](const Report& report) {
            report(restrict_self(own.get()));
            execute_with(directory.probe(), arguments);
        });
        CHECK(child.results == Results{0, -EACCES, -EACCES, 0, 2});
        steps.set(hook, {});
    }
}

TEST_CASE("exec: a later execution inherits, and gets what it is given") {
    const Directory directory;
    ExecSteps steps;
    steps.put(0, make_ruleset({directory.probe()}));
    for (const interface_hook hook : all_hooks) {
        steps.set(hook, {restrict_with(0)});
        CHECK(steps.run(directory.probe(), {"exec", directory.probe(), "layers"}).results ==
              Results{2});
        steps.set(hook, {});
    }
}

TEST_CASE("exec: TSYNC and unknown flags are EINVAL and restrict nothing") {
    const Directory directory;
    ExecSteps steps;
    steps.put(0, make_ruleset());
    for (const interface_hook hook : all_hooks) {
        steps.set(hook, {restrict_with(0, uapi::restrict_self_tsync),
                         restrict_with(0, uapi::restrict_self_tsync | log_subdomains_off),
                         restrict_with(0, 1U << 6), restrict_with(0, 1U << 31)});
        CHECK(steps.run(directory.probe(), {"nnp", "layers"}).results == Results{0, 0});
        CHECK(steps.results(hook) == Results{-EINVAL, -EINVAL, -EINVAL, -EINVAL});
        steps.set(hook, {});
    }
}

TEST_CASE("exec: the log flags and NO_NEW_PRIVS are taken") {
    const Directory directory;
    ExecSteps steps;
    steps.put(0, make_ruleset());
    for (const interface_hook hook : all_hooks) {
        steps.set(hook, {restrict_with(0, uapi::restrict_self_log_same_exec_off),
                         restrict_with(0, uapi::restrict_self_log_new_exec_on),
                         restrict_with(0, log_subdomains_off),
                         restrict_with(0, uapi::restrict_self_no_new_privs)});
        CHECK(steps.run(directory.probe(), {"nnp", "layers"}).results == Results{1, 4});
        CHECK(steps.results(hook) == Results{0, 0, 0, 0});
        steps.set(hook, {});
    }
}

TEST_CASE("exec: no ruleset only goes with LOG_SUBDOMAINS_OFF alone") {
    const Directory directory;
    ExecSteps steps;
    for (const interface_hook hook : all_hooks) {
        steps.set(hook, {restrict_null(log_subdomains_off), restrict_null(0),
                         restrict_null(uapi::restrict_self_log_same_exec_off),
                         restrict_null(uapi::restrict_self_log_new_exec_on),
                         restrict_null(uapi::restrict_self_no_new_privs),
                         restrict_null(log_subdomains_off | uapi::restrict_self_no_new_privs)});
        CHECK(steps.run(directory.probe(), {"nnp", "layers"}).results == Results{0, 0});
        CHECK(steps.results(hook) == Results{0, -EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL});
        steps.set(hook, {});
    }
}

TEST_CASE("exec: the 17th layer is E2BIG, in one execution") {
    const Directory directory;
    ExecSteps steps;
    steps.put(0, make_ruleset());
    Results expected(max_layers, 0);
    expected.push_back(-E2BIG);
    for (const interface_hook hook : all_hooks) {
        steps.set(hook, std::vector<Step>(max_layers + 1, restrict_with(0)));
        CHECK(steps.run(directory.probe(), {"layers"}).results == Results{max_layers});
        CHECK(steps.results(hook) == expected);
        steps.set(hook, {});
    }
}

TEST_CASE("exec: the 17th layer is E2BIG, after those of the caller") {
    const Directory directory;
    ExecSteps steps;
    steps.put(0, make_ruleset());
    for (const interface_hook hook : all_hooks) {
        steps.set(hook, {restrict_with(0), restrict_with(0, uapi::restrict_self_no_new_privs)});
        const Outcome child = steps.run([&](const Report& report) {
            report(stack_layers(max_layers - 1));
            execute_with(directory.probe(), {"nnp", "layers"});
        });
        // A call that fails sets no no_new_privs either.
        CHECK(child.results == Results{0, 0, max_layers});
        CHECK(steps.results(hook) == Results{0, -E2BIG});
        steps.set(hook, {});
    }
}

TEST_CASE("exec: staged layers count for the 17th") {
    const Directory directory;
    ExecSteps steps;
    steps.put(0, make_ruleset());
    steps.set(AT_CREDS_FOR_EXEC, std::vector<Step>(8, restrict_with(0)));
    steps.set(AT_CREDS_FROM_FILE, std::vector<Step>(7, restrict_with(0)));
    steps.set(AT_COMMITTING_CREDS, {restrict_with(0), restrict_with(0)});
    CHECK(steps.run(directory.probe(), {"layers"}).results == Results{max_layers});
    CHECK(steps.results(AT_COMMITTING_CREDS) == Results{0, -E2BIG});
}

TEST_CASE("has_ruleset: false before, true after it was enforced in this execution") {
    const Directory directory;
    ExecSteps steps;
    steps.put(0, make_ruleset());
    steps.put(1, make_ruleset());
    for (const interface_hook hook : all_hooks) {
        steps.set(hook, {has_ruleset(0), restrict_with(0), has_ruleset(0), has_ruleset(1),
                         restrict_with(1), has_ruleset(0)});
        CHECK(steps.run(directory.probe(), {"layers"}).results == Results{2});
        CHECK(steps.results(hook) == Results{0, 0, 1, 0, 0, 1});
        steps.set(hook, {});
    }
    steps.set(AT_CREDS_FOR_EXEC, {restrict_with(0)});
    steps.set(AT_CREDS_FROM_FILE, {has_ruleset(0), has_ruleset(1)});
    steps.set(AT_COMMITTING_CREDS, {has_ruleset(0), has_ruleset(1)});
    CHECK(steps.run(directory.probe(), {"layers"}).results == Results{1});
    CHECK(steps.results(AT_CREDS_FROM_FILE) == Results{1, 0});
    CHECK(steps.results(AT_COMMITTING_CREDS) == Results{1, 0});
}

TEST_CASE("has_ruleset: true for what is inherited, until the ruleset gets a rule") {
    const Directory directory;
    ExecSteps steps;
    const UniqueFd ruleset = make_ruleset({directory.probe()});
    const UniqueFd twin = make_ruleset({directory.probe()});
    steps.put(0, ruleset);
    steps.put(1, twin);
    for (const interface_hook hook : all_hooks)
        steps.set(hook, {has_ruleset(0), has_ruleset(1)});

    const auto child = [&](bool add_rule) {
        return steps.run([&, add_rule](const Report& report) {
            report(restrict_self(ruleset.get()));
            if (add_rule)
                report(add_path_rule(ruleset.get(), 1U << 2, (directory / "b").c_str()));
            execute_with(directory.probe(), {"layers"});
        });
    };
    CHECK(child(false).results == Results{0, 1});
    for (const interface_hook hook : all_hooks)
        CHECK(steps.results(hook) == Results{1, 0});
    CHECK(child(true).results == Results{0, 0, 1});
    for (const interface_hook hook : all_hooks)
        CHECK(steps.results(hook) == Results{0, 0});
}

// What the layer itself was given: what is logged of it.
TEST_CASE("has_ruleset: false with other log flags than the layer's") {
    const Directory directory;
    ExecSteps steps;
    steps.put(0, make_ruleset());
    for (const interface_hook hook : all_hooks) {
        CAPTURE(static_cast<int>(hook));
        steps.set(hook, {restrict_with(0, same_exec_off), has_ruleset(0, same_exec_off),
                         has_ruleset(0), has_ruleset(0, new_exec_on),
                         has_ruleset(0, same_exec_off | new_exec_on), restrict_with(0, new_exec_on),
                         has_ruleset(0, same_exec_off), has_ruleset(0, new_exec_on)});
        CHECK(steps.run(directory.probe(), {"layers"}).results == Results{2});
        CHECK(steps.results(hook) == Results{0, 1, 0, 0, 0, 0, 1, 1});
        steps.set(hook, {});
    }
}

// What a layer brings with it that is not its own: it counts wherever it came from.
TEST_CASE("has_ruleset: false with what is not in effect for the execution") {
    const Directory directory;
    ExecSteps steps;
    steps.put(0, make_ruleset());
    steps.put(1, make_ruleset());
    for (const interface_hook hook : all_hooks) {
        CAPTURE(static_cast<int>(hook));
        steps.set(hook, {restrict_with(0), has_ruleset(0, no_new_privs),
                         has_ruleset(0, log_subdomains_off), restrict_with(1, no_new_privs),
                         has_ruleset(0, no_new_privs), restrict_null(log_subdomains_off),
                         has_ruleset(0, log_subdomains_off),
                         has_ruleset(0, log_subdomains_off | no_new_privs)});
        CHECK(steps.run(directory.probe(), {"layers", "nnp"}).results == Results{2, 1});
        CHECK(steps.results(hook) == Results{0, 0, 0, 0, 1, 0, 1, 1});
        steps.set(hook, {});
    }
}

TEST_CASE("has_ruleset: true with what the caller has") {
    const Directory directory;
    ExecSteps steps;
    const UniqueFd ruleset = make_ruleset({"/"});
    steps.put(0, ruleset);
    for (const interface_hook hook : all_hooks)
        steps.set(hook, {has_ruleset(0, no_new_privs), has_ruleset(0, log_subdomains_off)});
    const auto asked = [&](std::uint32_t flags) {
        steps.run([&](const Report& report) {
            report(restrict_self(ruleset.get(), flags));
            execute_with(directory.probe(), {"layers"});
        });
        std::vector<Results> results;
        for (const interface_hook hook : all_hooks)
            results.push_back(steps.results(hook));
        return results;
    };
    CHECK(asked(0) == std::vector<Results>(3, {0, 0}));
    CHECK(asked(no_new_privs) == std::vector<Results>(3, {1, 0}));
    CHECK(asked(log_subdomains_off) == std::vector<Results>(3, {0, 1}));
}

// Stored without a layer of its own, it is in effect for this execution.
TEST_CASE("has_ruleset: no_new_privs of what the caller stored counts") {
    const Directory directory;
    ExecSteps steps;
    steps.put(0, make_ruleset());
    const UniqueFd stored = make_ruleset({"/"});
    for (const interface_hook hook : all_hooks) {
        CAPTURE(static_cast<int>(hook));
        steps.set(hook, {restrict_with(0), has_ruleset(0, no_new_privs)});
        steps.run([&](const Report& report) {
            report(restrict_self(stored.get(), uapi::restrict_self_exectime | no_new_privs));
            execute_with(directory.probe(), {"nnp"});
        });
        CHECK(steps.results(hook) == Results{0, 1});
        steps.set(hook, {});
    }
}

TEST_CASE("has_ruleset: false for flags that a restriction refuses") {
    const Directory directory;
    ExecSteps steps;
    steps.put(0, make_ruleset());
    for (const interface_hook hook : all_hooks) {
        steps.set(hook, {restrict_with(0), has_ruleset(0, uapi::restrict_self_tsync),
                         has_ruleset(0, uapi::restrict_self_exectime), has_ruleset(0, 1U << 31)});
        CHECK(steps.run(directory.probe(), {"layers"}).results == Results{1});
        CHECK(steps.results(hook) == Results{0, 0, 0, 0});
        steps.set(hook, {});
    }
}

TEST_CASE("has_ruleset: asking changes nothing") {
    const Directory directory;
    ExecSteps steps;
    steps.put(0, make_ruleset());
    for (const interface_hook hook : all_hooks)
        steps.set(hook, {has_ruleset(0), has_ruleset(0, no_new_privs)});
    CHECK(steps.run(directory.probe(), {"nnp", "layers"}).results == Results{0, 0});
}

} // namespace
