// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/settings.hpp"

#include "catch.hpp"

#include <fmt/format.h>

using namespace llexec;

namespace {

/// "line:column message; advice", in order.
std::vector<std::string> errors_of(std::string_view text) {
    const ParsedSettings parsed = parse_settings(text, "/etc/llexec/llexecd.toml");
    std::vector<std::string> result;
    for (const Diagnostic& d : parsed.diagnostics) {
        CHECK(d.severity == Severity::error);
        CHECK(d.file == "/etc/llexec/llexecd.toml");
        result.push_back(
            fmt::format("{}:{} {}; {}", d.position.line, d.position.column, d.message, d.advice));
    }
    CHECK(parsed.settings.has_value() == parsed.diagnostics.empty());
    return result;
}

Settings settings_of(std::string_view text) {
    const ParsedSettings parsed = parse_settings(text, "llexecd.toml");
    REQUIRE(parsed.diagnostics.empty());
    REQUIRE(parsed.settings.has_value());
    return *parsed.settings;
}

using Errors = std::vector<std::string>;

} // namespace

TEST_CASE("settings that are not written have their defaults") {
    for (const char* text : {"", "# nothing\n"}) {
        const Settings settings = settings_of(text);
        CHECK(settings.enforce_at == EnforceAt::bprm_committing_creds);
        CHECK(settings.report == Report::all);
        CHECK(settings.metrics == "/run/llexec/metrics.prom");
        CHECK_FALSE(settings.protect);
    }
}

TEST_CASE("each setting has its values") {
    CHECK(settings_of("enforce_at = \"bprm_creds_for_exec\"").enforce_at ==
          EnforceAt::bprm_creds_for_exec);
    CHECK(settings_of("enforce_at = \"bprm_committing_creds\"").enforce_at ==
          EnforceAt::bprm_committing_creds);
    CHECK(settings_of("report = \"failures\"").report == Report::failures);
    CHECK(settings_of("report = \"all\"").report == Report::all);
    CHECK(settings_of("metrics = \"/srv/metrics\"").metrics == "/srv/metrics");
    CHECK(settings_of("metrics = \"\"").metrics.empty());
    CHECK(settings_of("protect = true").protect);
    CHECK_FALSE(settings_of("protect = false").protect);
    const Settings all = settings_of("metrics = \"/m\"\nprotect = true\nreport = "
                                     "\"failures\"\nenforce_at = \"bprm_creds_for_exec\"\n");
    CHECK(all.enforce_at == EnforceAt::bprm_creds_for_exec);
    CHECK(all.report == Report::failures);
    CHECK(all.metrics == "/m");
    CHECK(all.protect);
}

TEST_CASE("a setting of another type or value is refused at its place") {
    const std::string hooks = "one of 'bprm_committing_creds' or 'bprm_creds_for_exec'";
    CHECK(errors_of("enforce_at = 3") ==
          Errors{"1:14 'enforce_at' is an integer, not a string; " + hooks});
    CHECK(errors_of("\n  enforce_at = \"exec\"") ==
          Errors{"2:16 'enforce_at' cannot be 'exec'; " + hooks});
    CHECK(errors_of("report = true") ==
          Errors{"1:10 'report' is a boolean, not a string; one of 'all' or 'failures'"});
    CHECK(errors_of("report = \"ALL\"") ==
          Errors{"1:10 'report' cannot be 'ALL'; one of 'all' or 'failures'"});
    CHECK(errors_of("report = \"a\\nb\"") ==
          Errors{"1:10 'report' cannot be 'a\\x0ab'; one of 'all' or 'failures'"});
    CHECK(errors_of("metrics = [\"/m\"]") ==
          Errors{"1:11 expected a string, found an array; such as \"/run/llexec/metrics.prom\""});
    CHECK(errors_of("protect = \"yes\"") ==
          Errors{"1:11 'protect' is a string, not a boolean; write true or false"});
    for (const char* kind : {"1.5", "2026-01-01", "{}", "[]", "0"})
        for (const char* key : {"enforce_at", "report", "metrics", "protect"}) {
            CAPTURE(key, kind);
            CHECK(errors_of(fmt::format("{} = {}", key, kind)).size() == 1);
        }
}

TEST_CASE("metrics are written to an absolute path") {
    CHECK(errors_of("metrics = \"metrics.prom\"") ==
          Errors{"1:11 'metrics.prom' is not an absolute path; \"\" writes no metrics"});
    CHECK(errors_of("metrics = \"/a\\u0000b\"") ==
          Errors{"1:11 '/a\\x00b' is not an absolute path; \"\" writes no metrics"});
}

TEST_CASE("an unknown setting is refused with a suggestion") {
    CHECK(errors_of("reprot = \"all\"") ==
          Errors{"1:1 unknown key 'reprot'; did you mean 'report'?"});
    CHECK(errors_of("enforceAt = \"bprm_creds_for_exec\"") ==
          Errors{"1:1 unknown key 'enforceAt'; did you mean 'enforce_at'?"});
    CHECK(errors_of("colour = 1") == Errors{"1:1 unknown key 'colour'; known here: 'enforce_at', "
                                            "'report', 'metrics' or 'protect'"});
    CHECK(errors_of("[daemon]\nreport = \"all\"").size() == 1);
    CHECK(errors_of("\"a\\nb\" = 1").front().starts_with("1:1 unknown key 'a\\x0ab'"));
}

TEST_CASE("all that is wrong with settings is told at once, in the order of the file") {
    CHECK(errors_of("metrics = \"m\"\nreport = \"failures\"\nx = 1\nenforce_at = 1\n") ==
          Errors{"1:11 'm' is not an absolute path; \"\" writes no metrics",
                 "3:1 unknown key 'x'; known here: 'enforce_at', 'report', 'metrics' or 'protect'",
                 "4:14 'enforce_at' is an integer, not a string; one of 'bprm_committing_creds' or "
                 "'bprm_creds_for_exec'"});
}

TEST_CASE("settings that are no TOML have one error, with its place") {
    for (const char* text : {"report = \n", "report = \"all\"\nreport = \"all\"\n", "report\n"}) {
        CAPTURE(text);
        const ParsedSettings parsed = parse_settings(text, "s.toml");
        CHECK_FALSE(parsed.settings.has_value());
        REQUIRE(parsed.diagnostics.size() == 1);
        CHECK(parsed.diagnostics[0].severity == Severity::error);
        CHECK(parsed.diagnostics[0].position.line != 0);
    }
}
