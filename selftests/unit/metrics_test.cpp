// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "metrics.hpp"

#include "catch.hpp"

#include <fmt/format.h>

#include <set>
#include <sstream>

using namespace llexec;
using llexec::daemon::Counters;
using llexec::daemon::render_metrics;

namespace {

Status loaded() {
    Status status;
    status.generation = 7;
    status.loaded_at = 1'790'000'000;
    PolicyStatus web;
    web.name = "web";
    web.matched = 11;
    web.applied = 5;
    web.nested = 4;
    web.failed = 2;
    PolicyStatus odd;
    odd.name = "a\"b\\c\nd";
    status.policies = {web, odd};
    status.executions_matched = 21;
    status.executions_refused = 22;
    status.executions_killed = 23;
    status.executions_allowed = 24;
    status.events_lost = 25;
    return status;
}

bool has_line(const std::string& text, const std::string& line) {
    return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

/// As a collector reads it: each sample belongs to the family above it, each family is there once,
/// and "# EOF" is the end.
void check_format(const std::string& text) {
    CAPTURE(text);
    std::istringstream lines(text);
    std::set<std::string> families;
    std::string family;
    std::string type;
    bool ended = false;
    for (std::string line; std::getline(lines, line);) {
        CAPTURE(line);
        REQUIRE_FALSE(ended);
        std::istringstream words(line);
        std::string first;
        std::string second;
        words >> first >> second;
        if (line == "# EOF") {
            ended = true;
        } else if (second == "TYPE") {
            words >> family >> type;
            CHECK((type == "counter" || type == "gauge"));
            CHECK(families.insert(family).second);
        } else if (second == "HELP") {
            std::string of;
            words >> of;
            CHECK(of == family);
        } else {
            const std::string name = line.substr(0, line.find_first_of("{ "));
            CHECK(name == family + (type == "counter" ? "_total" : ""));
            const std::string value = line.substr(line.rfind(' ') + 1);
            CHECK(value.find_first_not_of("0123456789") == std::string::npos);
        }
    }
    CHECK(ended);
    CHECK(text.ends_with("# EOF\n"));
}

} // namespace

TEST_CASE("metrics are OpenMetrics, whether anything is loaded or not") {
    check_format(render_metrics(std::nullopt, {}));
    check_format(render_metrics(loaded(), {}));
    check_format(render_metrics(Status{}, {}));
}

TEST_CASE("each family says its type and what it is") {
    const std::string text = render_metrics(std::nullopt, {});
    CHECK(text.starts_with("# TYPE llexec_enforcing gauge\n"
                           "# HELP llexec_enforcing Whether policies are enforced.\n"
                           "llexec_enforcing 0\n"));
    CHECK(text.find("# TYPE llexec_reloads counter\n"
                    "# HELP llexec_reloads Generations that llexecd made since it was started.\n"
                    "llexec_reloads_total 0\n") != std::string::npos);
}

TEST_CASE("metrics of nothing loaded are llexecd's own") {
    const std::string text = render_metrics(std::nullopt, {.reloads = 1,
                                                           .reloads_failed = 2,
                                                           .events = 3,
                                                           .reports_withheld = 4,
                                                           .policies_valid = false,
                                                           .self_test_passed = false,
                                                           .unconfined = 5});
    for (const char* line : {"llexec_enforcing 0", "llexec_policies_valid 0",
                             "llexec_self_test_passed 0", "llexec_unconfined_processes 5",
                             "llexec_reloads_total 1", "llexec_reloads_failed_total 2",
                             "llexec_events_total 3", "llexec_reports_withheld_total 4"})
        CHECK(has_line(text, line));
    CHECK(text.find("llexec_generation") == std::string::npos);
    CHECK(text.find("llexec_policy_") == std::string::npos);
    for (const char* line : {"llexec_policies_valid 1", "llexec_self_test_passed 1"})
        CHECK(has_line(render_metrics(std::nullopt, {}), line));
}

TEST_CASE("metrics of a generation have its policies and executions") {
    const std::string text = render_metrics(loaded(), {});
    for (const char* line :
         {"llexec_enforcing 1", "llexec_generation 7",
          "llexec_generation_loaded_timestamp_seconds 1790000000", "llexec_policies 2",
          "llexec_policy_matched_total{policy=\"web\"} 11",
          "llexec_policy_applied_total{policy=\"web\"} 5",
          "llexec_policy_nested_total{policy=\"web\"} 4",
          "llexec_policy_failed_total{policy=\"web\"} 2", "llexec_executions_matched_total 21",
          "llexec_executions_refused_total 22", "llexec_executions_killed_total 23",
          "llexec_executions_allowed_total 24", "llexec_events_lost_total 25"})
        CHECK(has_line(text, line));
    // Attached, but nothing is enforced.
    CHECK(has_line(render_metrics(Status{}, {}), "llexec_enforcing 0"));
    // Loaded, but somebody took it apart.
    Status apart = loaded();
    apart.whole = false;
    CHECK(has_line(render_metrics(apart, {}), "llexec_enforcing 0"));
}

TEST_CASE("what has a meaning in a label is escaped") {
    CHECK(has_line(render_metrics(loaded(), {}),
                   R"(llexec_policy_matched_total{policy="a\"b\\c\nd"} 0)"));
}
