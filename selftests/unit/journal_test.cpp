// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "journal.hpp"

#include "captured.hpp"
#include "catch.hpp"

#include <cerrno>

using namespace llexec;
using namespace llexec::daemon;
using llexec::testing::CapturedStderr;

namespace {

std::vector<nlohmann::json> records_of(const std::function<void(const Journal&)>& action) {
    const Journal journal(LogTo::json);
    CapturedStderr captured;
    action(journal);
    return captured.take_json();
}

} // namespace

TEST_CASE("where to log has three names") {
    CHECK(log_to_from_string("journal") == LogTo::journal);
    CHECK(log_to_from_string("text") == LogTo::text);
    CHECK(log_to_from_string("json") == LogTo::json);
    CHECK_FALSE(log_to_from_string("").has_value());
    CHECK_FALSE(log_to_from_string("JSON").has_value());
}

TEST_CASE("a record is a line of text, whatever is in it") {
    const Journal journal(LogTo::text);
    CapturedStderr captured;
    journal.say(Priority::error, "one\n<0>two", {{"LLEXEC_POLICY", "web"}});
    journal.say(Priority::info, "three");
    CHECK(captured.take() == "<3>llexecd: one\\x0a<0>two\n<6>llexecd: three\n");
}

TEST_CASE("a record is an object with its fields, whatever is in it") {
    const auto records = records_of([](const Journal& journal) {
        journal.say(Priority::notice, "a\n\"b\"\xff", {{"LLEXEC_POLICY", "w\nb"}});
    });
    REQUIRE(records.size() == 1);
    CHECK(records[0] == nlohmann::json{{"MESSAGE", "a\n\"b\"\uFFFD"},
                                       {"PRIORITY", 5},
                                       {"LLEXEC_POLICY", "w\nb"}});
}

TEST_CASE("a finding is a record with its place") {
    const Diagnostic finding{.severity = Severity::warning,
                             .file = "/etc/llexec/policies.d/web.toml",
                             .position = {.line = 3, .column = 8},
                             .message = "is odd",
                             .advice = "do this",
                             .lint = "no-refer"};
    const auto records = records_of([&](const Journal& journal) {
        Diagnostic whole = finding;
        whole.position = {};
        whole.severity = Severity::error;
        whole.advice.clear();
        whole.lint.clear();
        journal.say(std::vector{finding, whole});
    });
    REQUIRE(records.size() == 2);
    CHECK(records[0] ==
          nlohmann::json{{"MESSAGE", "/etc/llexec/policies.d/web.toml:3:8: warning: is odd; do "
                                     "this [no-refer]"},
                         {"PRIORITY", 4},
                         {"LLEXEC_FILE", "/etc/llexec/policies.d/web.toml"},
                         {"LLEXEC_LINE", "3"},
                         {"LLEXEC_COLUMN", "8"}});
    CHECK(records[1]["MESSAGE"] == "/etc/llexec/policies.d/web.toml: error: is odd");
    CHECK(records[1]["PRIORITY"] == 3);
}

TEST_CASE("an error is said with its consequence, its log and its findings") {
    Error error{.kind = ErrorKind::system,
                .code = EACCES,
                .what = "cannot do it",
                .hint = "try this",
                .log = "what the verifier said",
                .diagnostics = {}};
    error.diagnostics.push_back({.file = "f", .position = {}, .message = "m", .advice = {}});
    const auto records = records_of([&](const Journal& journal) {
        journal.say(error, "nothing is changed", Priority::critical);
    });
    REQUIRE(records.size() == 3);
    CHECK(records[0]["MESSAGE"] == "nothing is changed: cannot do it: Permission denied; try this");
    CHECK(records[0]["PRIORITY"] == 2);
    CHECK(records[0]["ERRNO"] == std::to_string(EACCES));
    CHECK(records[1]["MESSAGE"] == "what the verifier said");
    CHECK(records[2]["MESSAGE"] == "f: error: m");
}

TEST_CASE("at a reload, findings and errors of the one before are left out if that is asked for") {
    using Findings = Journal::Findings;
    const auto finding = [](const std::string& message) {
        return Diagnostic{.file = "f", .position = {}, .message = message, .advice = {}};
    };
    const Error error{.kind = ErrorKind::system,
                      .code = EACCES,
                      .what = "cannot do it",
                      .hint = {},
                      .log = "what the verifier said",
                      .diagnostics = {}};
    const Journal journal(LogTo::json);
    // How many records that makes.
    const auto reload = [&](Findings findings, bool whole,
                            const std::vector<std::string>& messages) {
        CapturedStderr captured;
        journal.begin_reload(findings);
        for (const std::string& message : messages)
            journal.say(finding(message));
        journal.say(Priority::notice, "generation");
        journal.end_reload(whole);
        return captured.take_json().size() - 1;
    };
    CHECK(reload(Findings::all, true, {"a", "b"}) == 2);
    CHECK(reload(Findings::fresh, true, {"a", "b"}) == 0);
    CHECK(reload(Findings::fresh, true, {"a", "c"}) == 1);
    // Was gone, and is there again.
    CHECK(reload(Findings::fresh, true, {"a", "b", "c"}) == 1);
    // Who looks at less forgets nothing.
    CHECK(reload(Findings::fresh, false, {}) == 0);
    CHECK(reload(Findings::fresh, false, {"d"}) == 1);
    CHECK(reload(Findings::fresh, true, {"a", "b", "c", "d"}) == 0);
    CHECK(reload(Findings::all, true, {"a"}) == 1);
    const auto fail = [&](std::string_view consequence) {
        CapturedStderr captured;
        journal.begin_reload(Findings::fresh);
        journal.say(error, consequence);
        journal.end_reload(true);
        return captured.take_json().size();
    };
    CHECK(fail("nothing is changed") == 2);
    CHECK(fail("nothing is changed") == 0);
    CHECK(fail("the policies are loaded") == 2);
    // Outside of a reload nothing is left out, nor kept in mind.
    CHECK(records_of([&](const Journal& other) {
              other.say(error, "x");
              other.say(error, "x");
          }).size() == 4);
}
