// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What is logged of a program that was restricted when it was executed: audit records, and the
// decision that the trace events show.
#include "audit.hpp"
#include "catch.hpp"
#include "exec_steps.hpp"
#include "llexec/landlock_uapi.hpp"
#include "task.hpp"
#include "trace.hpp"

#include <cerrno>

namespace {

using namespace interface;
namespace uapi = llexec::uapi;
using Results = std::vector<int>;

const std::uint32_t same_exec_off = uapi::restrict_self_log_same_exec_off;
const std::uint32_t new_exec_on = uapi::restrict_self_log_new_exec_on;
const std::uint32_t subdomains_off = uapi::restrict_self_log_subdomains_off;

/// What was found out about one denial.
struct Denial {
    std::string event;  ///< of the trace
    std::string domain; ///< its ID
    bool traced_as_logged = false;
    int pid = 0; ///< of the program
};

Denial last_denial(const Trace& trace) {
    Denial denial{.event = trace.last("landlock_deny_access_fs"), .domain = {}};
    const std::size_t start = denial.event.find("domain=");
    REQUIRE(start != std::string::npos);
    denial.domain = denial.event.substr(start + 7, denial.event.find(' ', start) - start - 7);
    denial.traced_as_logged = denial.event.find(" logged=1 ") != std::string::npos;
    return denial;
}

/// Executes the probe, which is denied to read, and says what the trace has of it.
Denial denied(ExecSteps& steps, const Directory& directory, std::vector<std::string> before = {}) {
    const Trace trace;
    before.insert(before.end(), {"read", directory / "b/text"});
    const Outcome outcome = steps.run(directory.probe(), before);
    REQUIRE_FALSE(outcome.results.empty());
    REQUIRE(outcome.results.back() == -EACCES);
    Denial denial = last_denial(trace);
    denial.pid = steps.pid();
    return denial;
}

/// Waits for the records of that denial.
void check_logged(Audit& audit, const Denial& denial, const Directory& directory) {
    CAPTURE(denial.event);
    CHECK(denial.traced_as_logged);
    CHECK(soon([&] { return !audit.find(denial.domain, "blockers=fs.read_file").empty(); }));
    const std::string access = audit.find(denial.domain, "blockers=");
    CHECK(access.find("path=\"" + (directory / "b/text") + '"') != std::string::npos);
    // The record that names who is confined: the program, not who executed it.
    const std::string created = audit.find(denial.domain, "status=allocated");
    CAPTURE(access, created);
    CHECK(created.find(" pid=" + std::to_string(denial.pid) + ' ') != std::string::npos);
    CHECK(created.find(" exe=\"" + directory.probe() + '"') != std::string::npos);
    CHECK(created.find(" comm=\"probe\"") != std::string::npos);
}

TEST_CASE("log: denials are logged with LOG_NEW_EXEC_ON, and only with it") {
    const Directory directory;
    Audit audit;
    ExecSteps steps;
    steps.put(0, make_ruleset({directory / "a"}));
    for (const interface_hook hook : all_hooks) {
        CAPTURE(static_cast<int>(hook));
        for (const std::uint32_t flags : {0U, same_exec_off}) {
            CAPTURE(flags);
            steps.set(hook, {restrict_with(0, flags)});
            const Denial silent = denied(steps, directory);
            CHECK_FALSE(silent.traced_as_logged);
            // What comes later is there: so would it be.
            steps.set(hook, {restrict_with(0, flags | new_exec_on)});
            check_logged(audit, denied(steps, directory), directory);
            CHECK(audit.find(silent.domain, "blockers=").empty());
            CHECK(audit.find(silent.domain, "status=").empty());
        }
        steps.set(hook, {});
    }
}

TEST_CASE("log: what a confined program executes is logged like it") {
    const Directory directory;
    Audit audit;
    ExecSteps steps;
    steps.put(0, make_ruleset({directory / "a", directory.probe()}));
    for (const interface_hook hook : all_hooks) {
        CAPTURE(static_cast<int>(hook));
        for (const std::uint32_t flags : {0U, new_exec_on}) {
            CAPTURE(flags);
            const Trace trace;
            // The second execution finds the ruleset enforced, and nothing is done.
            steps.set(hook, {restrict_once(0, flags)});
            CHECK(steps
                      .run(directory.probe(),
                           {"exec", directory.probe(), "read", directory / "b/text", "layers"})
                      .results == Results{-EACCES, 1});
            Denial denial = last_denial(trace);
            denial.pid = steps.pid();
            CHECK(denial.traced_as_logged == (flags == new_exec_on));
            if (flags == new_exec_on)
                check_logged(audit, denial, directory);
        }
        steps.set(hook, {});
    }
}

TEST_CASE("log: LOG_SUBDOMAINS_OFF silences what the program does to itself") {
    const Directory directory;
    Audit audit;
    ExecSteps steps;
    for (const interface_hook hook : all_hooks) {
        CAPTURE(static_cast<int>(hook));
        check_logged(audit, denied(steps, directory, {"restrict"}), directory);
        steps.set(hook, {restrict_null(subdomains_off)});
        const Denial silent = denied(steps, directory, {"restrict"});
        CHECK_FALSE(silent.traced_as_logged);
        steps.set(hook, {});
        check_logged(audit, denied(steps, directory, {"restrict"}), directory);
        CHECK(audit.find(silent.domain, "blockers=").empty());
    }
}

// The caller's logs are off for whatever is enforced beneath it, by whomever.
TEST_CASE("log: a caller with LOG_SUBDOMAINS_OFF silences the program") {
    const Directory directory;
    Audit audit;
    ExecSteps steps;
    steps.put(0, make_ruleset({directory / "a"}));
    for (const interface_hook hook : all_hooks) {
        CAPTURE(static_cast<int>(hook));
        steps.set(hook, {restrict_with(0, new_exec_on)});
        const Trace trace;
        const Outcome outcome = steps.run([&](const Report& report) {
            report(restrict_self(-1, subdomains_off));
            execute_with(directory.probe(), {"read", directory / "b/text"});
        });
        CHECK(outcome.results == Results{0, -EACCES});
        CHECK_FALSE(last_denial(trace).traced_as_logged);
        steps.set(hook, {});
    }
}

} // namespace
