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

TEST_CASE("what was said of a topic the time before is not written again") {
    using Messages = std::vector<std::string>;
    const Journal journal(LogTo::json);
    // How many records that makes.
    const auto look = [&](const std::string& topic, const Messages& messages) {
        CapturedStderr captured;
        const Journal::Topic about(journal, topic);
        for (const std::string& message : messages)
            journal.say(Diagnostic{.file = "f", .position = {}, .message = message, .advice = {}});
        journal.say(Priority::notice, "generation");
        return captured.take_json().size() - 1;
    };
    CHECK(look("x", {"a", "b"}) == 2);
    CHECK(look("x", {"a", "b"}) == 0);
    CHECK(look("x", {"a", "c"}) == 1);
    // Was gone, and is there again.
    CHECK(look("x", {"a", "b", "c"}) == 1);
    // Another topic neither knows of it nor changes it.
    CHECK(look("y", {"a"}) == 1);
    CHECK(look("y", {}) == 0);
    CHECK(look("x", {"a", "b", "c"}) == 0);
    {
        const Journal::Everything everything(journal);
        CHECK(look("x", {"a"}) == 1);
    }
    CHECK(look("x", {"a", "b"}) == 1);
    {
        const Journal::Topic outer(journal, "z");
        CHECK(look("y", {"a"}) == 1);
        CapturedStderr captured;
        journal.say(Diagnostic{.file = "f", .position = {}, .message = "a", .advice = {}});
        CHECK(captured.take_json().size() == 1);
    }
    CHECK(look("z", {"a"}) == 0);
}

TEST_CASE("an error and its log are not written again for a topic, and always for none") {
    const Error error{.kind = ErrorKind::system,
                      .code = EACCES,
                      .what = "cannot do it",
                      .hint = {},
                      .log = "what the verifier said",
                      .diagnostics = {}};
    const Journal journal(LogTo::json);
    const auto fail = [&](std::string_view consequence) {
        CapturedStderr captured;
        const Journal::Topic about(journal, "x");
        journal.say(error, consequence);
        return captured.take_json().size();
    };
    CHECK(fail("nothing is changed") == 2);
    CHECK(fail("nothing is changed") == 0);
    CHECK(fail("the policies are loaded") == 2);
    CHECK(records_of([&](const Journal& other) {
              other.say(error, "x");
              other.say(error, "x");
          }).size() == 4);
}
