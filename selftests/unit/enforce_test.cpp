// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "catch.hpp"
#include "fakes.hpp"

#include <fmt/format.h>

using namespace llexec;
using namespace llexec::testing;

namespace {

using Findings = std::vector<std::string>;

std::string with_enforce(std::string_view lines) {
    return fmt::format("[enforce]\n{}\n[[ruleset]]\nhandled_access_fs = [\"execute\"]\n", lines);
}

Enforce enforce_of(std::string_view lines) {
    return parse_valid(with_enforce(lines)).enforce;
}

} // namespace

TEST_CASE("the defaults of enforce deny") {
    for (const std::string& text : {with_enforce(""), with_enforce("").substr(10)}) {
        const Enforce enforce = parse_valid(text).enforce;
        CHECK(enforce.mode == Mode::enforce);
        CHECK(enforce.no_new_privs);
        CHECK(enforce.on_error == OnError::deny);
        CHECK(enforce.compat == Compat::best_effort);
        CHECK(enforce.missing_paths == MissingPaths::warn);
        CHECK(enforce.log == log_new_exec);
        CHECK(enforce.log_position.line == 0);
    }
}

TEST_CASE("each option of enforce takes each of its values") {
    CHECK(enforce_of("mode = \"observe\"").mode == Mode::observe);
    CHECK(enforce_of("mode = \"enforce\"").mode == Mode::enforce);
    CHECK_FALSE(enforce_of("no_new_privs = false").no_new_privs);
    CHECK(enforce_of("no_new_privs = true").no_new_privs);
    CHECK(enforce_of("on_error = \"allow\"").on_error == OnError::allow);
    CHECK(enforce_of("on_error = \"deny\"").on_error == OnError::deny);
    CHECK(enforce_of("compat = \"strict\"").compat == Compat::strict);
    CHECK(enforce_of("compat = \"best-effort\"").compat == Compat::best_effort);
    CHECK(enforce_of("missing_paths = \"error\"").missing_paths == MissingPaths::error);
    CHECK(enforce_of("missing_paths = \"warn\"").missing_paths == MissingPaths::warn);
    CHECK(enforce_of("log = \"none\"").log == log_none);
    CHECK(enforce_of("log = \"subdomains-off\"").log == log_subdomains_off);
    CHECK(enforce_of("log = \"new-exec\"").log == log_new_exec);
    CHECK(enforce_of("log = \"new-exec\"").log_position == Position{.line = 2, .column = 7});
}

TEST_CASE("a wrong value of enforce is refused, never taken for the default") {
    const auto [line, finding] = GENERATE(table<std::string_view, std::string_view>({
        {"mode = \"Enforce\"", "2:8 error: 'mode' cannot be 'Enforce'"},
        {"mode = 1", "2:8 error: 'mode' is an integer, not a string"},
        {"no_new_privs = \"true\"", "2:16 error: 'no_new_privs' is a string, not a boolean"},
        {"on_error = \"ignore\"", "2:12 error: 'on_error' cannot be 'ignore'"},
        {"compat = \"Strict\"", "2:10 error: 'compat' cannot be 'Strict'"},
        {"compat = true", "2:10 error: 'compat' is a boolean, not a string"},
        {"missing_paths = \"\"", "2:17 error: 'missing_paths' cannot be ''"},
        {"log = [\"none\"]", "2:8 error: unknown log flag 'none'"},
        {"log = [1]", "2:8 error: expected a string, found an integer"},
        {"log = 1", "2:7 error: 'log' is an integer, not a string"},
        {"modes = \"enforce\"", "2:1 error: unknown key 'modes'"},
    }));
    CHECK(findings(with_enforce(line)) == Findings{std::string(finding)});
}

TEST_CASE("log takes the kernel's flags as well") {
    CHECK(enforce_of("log = []").log == 0);
    CHECK(enforce_of("log = [\"log_same_exec_off\", \"log_subdomains_off\"]").log == 5);
    CHECK(enforce_of("log = [\"log_new_exec_on\"]").log == log_new_exec);
}

TEST_CASE("the value that was meant is suggested") {
    const ParsedPolicy parsed = parse(with_enforce("compat = \"stric\"\non_error = \"ignore\""));
    REQUIRE(parsed.diagnostics.size() == 2);
    CHECK(parsed.diagnostics[0].advice == "did you mean 'strict'?");
    CHECK(parsed.diagnostics[1].advice == "one of 'deny' or 'allow'");
}

TEST_CASE("enforce is one table") {
    CHECK(findings("[[enforce]]\nmode = \"observe\"\n[[ruleset]]\nscoped = [\"signal\"]\n") ==
          Findings{"1:3 error: 'enforce' is an array, not a table"});
}
