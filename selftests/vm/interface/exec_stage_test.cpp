// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What happens when: staged restrictions only count if the execution is committed, and
// no_new_privs is set by the commit.
#include "catch.hpp"
#include "exec_steps.hpp"
#include "llexec/landlock_uapi.hpp"
#include "task.hpp"
#include "trace.hpp"

#include <cerrno>
#include <sys/stat.h>
#include <unistd.h>

namespace {

using namespace interface;
using Results = std::vector<int>;

const std::uint32_t set_nnp = llexec::uapi::restrict_self_no_new_privs;
constexpr int nobody = 65534;

/// A child that runs `attempt`, then reports its result, no_new_privs and layers.
Outcome attempt(ExecSteps& steps, const std::function<int()>& attempt) {
    return steps.run([&](const Report& report) {
        report(attempt());
        report(no_new_privs());
        report(count_layers());
    });
}

/// A copy of the probe that belongs to another user and runs as that user.
std::string set_user_id_probe(const Directory& directory) {
    REQUIRE(::chown(directory.probe().c_str(), nobody, nobody) == 0);
    REQUIRE(::chmod(directory.probe().c_str(), 04755) == 0);
    return directory.probe();
}

TEST_CASE("staging: an execution that fails leaves no trace") {
    const Trace trace;
    const Directory directory;
    ExecSteps steps;
    steps.put(0, make_ruleset());
    for (const interface_hook hook : staging_hooks)
        steps.set(hook, {restrict_with(0, set_nnp), restrict_with(0, set_nnp)});
    steps.set(AT_COMMITTING_CREDS, {restrict_with(0, set_nnp)});

    const std::string garbage = directory.write("garbage", "\x01\x02\x03\x04 nothing\n");
    CHECK(attempt(steps, [&] { return execute(garbage.c_str()); }).results ==
          Results{-ENOEXEC, 0, 0});
    CHECK(steps.results(AT_CREDS_FOR_EXEC) == Results{0, 0});

    const std::string script = directory.write("script", "#!/nonexistent/interpreter\n");
    CHECK(attempt(steps, [&] { return execute(script.c_str()); }).results ==
          Results{-ENOENT, 0, 0});
    CHECK(steps.results(AT_CREDS_FOR_EXEC) == Results{0, 0});
    CHECK(steps.calls(AT_COMMITTING_CREDS) == 0);
}

TEST_CASE("staging: AT_EXECVE_CHECK leaves no trace") {
    const Directory directory;
    ExecSteps steps;
    steps.put(0, make_ruleset());
    steps.set(AT_CREDS_FOR_EXEC, {restrict_with(0, set_nnp)});
    CHECK(attempt(steps, [&] { return check_execute(directory.probe().c_str()); }).results ==
          Results{0, 0, 0});
    CHECK(steps.results(AT_CREDS_FOR_EXEC) == Results{0});
    CHECK(steps.calls(AT_CREDS_FOR_EXEC) == 1);
    CHECK(steps.calls(AT_COMMITTING_CREDS) == 0);
}

TEST_CASE("staging: an execution that a hook refuses leaves no trace") {
    const Directory directory;
    ExecSteps steps;
    steps.put(0, make_ruleset());
    for (const interface_hook hook : staging_hooks) {
        steps.set(hook, {restrict_with(0, set_nnp), deny()});
        CHECK(attempt(steps, [&] { return execute(directory.probe().c_str()); }).results ==
              Results{-EPERM, 0, 0});
        CHECK(steps.results(hook) == Results{0, 0});
        CHECK(steps.calls(AT_COMMITTING_CREDS) == 0);
        steps.set(hook, {});
    }
}

TEST_CASE("staging: a failed execution has no effect on the next one") {
    const Directory directory;
    ExecSteps steps;
    steps.put(0, make_ruleset());
    steps.set(AT_CREDS_FOR_EXEC, {restrict_with(0)});
    const std::string garbage = directory.write("garbage", "\x01\x02\x03\x04 nothing\n");
    const Outcome child = steps.run([&](const Report& report) {
        report(execute(garbage.c_str()));
        report(execute(garbage.c_str()));
        execute_with(directory.probe(), {"layers"});
    });
    CHECK(child.results == Results{-ENOEXEC, -ENOEXEC, 1});
}

TEST_CASE("staging: domains of failed executions are freed, and never enforced") {
    const Directory directory;
    ExecSteps steps;
    const Trace trace;
    steps.put(0, make_ruleset());
    const std::uint64_t ruleset = trace.last_ruleset();
    steps.set(AT_CREDS_FOR_EXEC, {restrict_with(0), restrict_with(0), restrict_with(0)});
    const std::string garbage = directory.write("garbage", "\x01\x02\x03\x04 nothing\n");
    const Outcome child =
        steps.run([&](const Report& report) { report(execute(garbage.c_str())); });
    CHECK(child.results == Results{-ENOEXEC});
    CHECK(trace.count("landlock_create_domain", steps.pid()) == 3);
    CHECK(trace.count("landlock_enforce_domain", steps.pid()) == 0);
    CHECK(soon([&] { return trace.count("landlock_free_domain") == 3; }));
    // The executions gave back the references that they took.
    CHECK_FALSE(trace.freed(ruleset));
    steps.empty(0);
    CHECK(soon([&] { return trace.freed(ruleset); }));
}

TEST_CASE("staging: a ruleset is not held by what it was enforced on") {
    const Directory directory;
    ExecSteps steps;
    const Trace trace;
    steps.put(0, make_ruleset());
    const std::uint64_t ruleset = trace.last_ruleset();
    for (const interface_hook hook : all_hooks)
        steps.set(hook, {restrict_with(0), has_ruleset(0), restrict_with(0, 1U << 30)});
    CHECK(steps.run(directory.probe(), {"nnp"}).results == Results{0});
    CHECK_FALSE(trace.freed(ruleset));
    steps.empty(0);
    CHECK(soon([&] { return trace.freed(ruleset); }));
}

TEST_CASE("events: each layer is created once and enforced once") {
    const Directory directory;
    ExecSteps steps;
    steps.put(0, make_ruleset());
    for (const interface_hook hook : staging_hooks) {
        const Trace trace;
        steps.set(hook, {restrict_with(0, set_nnp), restrict_with(0)});
        CHECK(steps.run(directory.probe(), {"nnp"}).results == Results{1});
        CHECK(trace.count("landlock_create_domain", steps.pid()) == 2);
        CHECK(trace.count("landlock_enforce_domain", steps.pid()) == 2);
        const std::string event = trace.last("landlock_enforce_domain");
        INFO(event);
        CHECK(event.find("complete=1 process_wide=1 no_new_privs=1") != std::string::npos);
        steps.set(hook, {});
    }
    const Trace trace;
    steps.set(AT_COMMITTING_CREDS, {restrict_with(0), restrict_with(0)});
    CHECK(steps.run(directory.probe(), {"nnp"}).results == Results{0});
    CHECK(trace.count("landlock_create_domain", steps.pid()) == 2);
    CHECK(trace.count("landlock_enforce_domain", steps.pid()) == 2);
    const std::string event = trace.last("landlock_enforce_domain");
    INFO(event);
    CHECK(event.find("complete=1 process_wide=1 no_new_privs=0") != std::string::npos);
}

TEST_CASE("events: the details of a domain name the program that is confined") {
    const Directory directory;
    ExecSteps steps;
    steps.put(0, make_ruleset());
    for (const interface_hook hook : all_hooks) {
        CAPTURE(static_cast<int>(hook));
        steps.set(hook, {restrict_with(0), restrict_with(0)});
        CHECK(steps.run(directory.probe(), {"nnp"}).results == Results{0});
        const std::vector<interface_enforced> enforced = steps.enforced();
        REQUIRE(enforced.size() == 2);
        for (const interface_enforced& domain : enforced) {
            CHECK(std::string(&domain.comm[0]) == "probe");
            CHECK(std::string(&domain.exe[0]) == directory.probe());
        }
        CHECK(enforced[1].parent == enforced[0].domain);
        steps.set(hook, {});
    }
}

TEST_CASE("no_new_privs: set by the commit, for root too, and inherited") {
    const Directory directory;
    ExecSteps steps;
    steps.put(0, make_ruleset());
    for (const interface_hook hook : all_hooks) {
        steps.set(hook, {restrict_with(0, set_nnp)});
        CHECK(steps.run(directory.probe(), {"nnp", "layers"}).results == Results{1, 1});
        steps.set(hook, {restrict_with(0)});
        CHECK(steps.run(directory.probe(), {"nnp", "layers"}).results == Results{0, 1});
        steps.set(hook, {});
    }
}

TEST_CASE("no_new_privs: this execution keeps its set-user-ID transition, the next gets none") {
    const Directory directory;
    ExecSteps steps;
    const std::string probe = set_user_id_probe(directory);
    const Directory second;
    REQUIRE(::chmod(second.probe().c_str(), 04755) == 0); // root's
    steps.put(0, make_ruleset({second.probe()}));
    const std::vector<std::string> arguments{"euid", "nnp", "exec", second.probe(), "euid"};
    for (const interface_hook hook : all_hooks) {
        steps.set(hook, {restrict_with(0, set_nnp)});
        CHECK(steps.run(probe, arguments).results == Results{nobody, 1, nobody});
        steps.set(hook, {restrict_with(0)});
        CHECK(steps.run(probe, arguments).results == Results{nobody, 0, 0});
        steps.set(hook, {});
    }
}

TEST_CASE("privileges: the caller of execve(2) needs none") {
    const Directory directory;
    ExecSteps steps;
    steps.put(0, make_ruleset({directory / "a"}));
    for (const interface_hook hook : all_hooks) {
        steps.set(hook, {restrict_with(0)});
        const Outcome child = steps.run([&](const Report& report) {
            report(::setresgid(nobody, nobody, nobody));
            report(::setresuid(nobody, nobody, nobody));
            execute_with(directory.probe(),
                         {"nnp", "read", directory / "a/text", "read", directory / "b/text"});
        });
        CHECK(child.results == Results{0, 0, 0, 0, -EACCES});
        CHECK(steps.results(hook) == Results{0});
        steps.set(hook, {});
    }
}

TEST_CASE("scripts: one execution, whichever hook restricts it") {
    const Directory directory;
    ExecSteps steps;
    steps.put(0, make_ruleset({directory / "a"}));
    const std::string script = directory.write("script", "#!" + directory.probe() + " layers\n");
    for (const interface_hook hook : all_hooks) {
        steps.set(hook, {restrict_with(0)});
        // The interpreter's last argument is the script's path, which is no action.
        CHECK(steps.run(script, {}).results == Results{1, -EINVAL});
        CHECK(steps.calls(hook) == 1);
        steps.set(hook, {});
    }
}

} // namespace
