// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Executions in the journal, observed as what a Journal writes to standard error.
#include "reporter.hpp"

#include "captured.hpp"
#include "catch.hpp"

#include <cerrno>

using namespace llexec;
using namespace llexec::daemon;
using namespace std::chrono_literals;
using llexec::testing::CapturedStderr;

namespace {

using Records = std::vector<nlohmann::json>;

class Reported {
  public:
    Records operator()(const std::function<void(Reporter&)>& action) {
        CapturedStderr captured;
        action(reporter);
        return captured.take_json();
    }

    /// How many records that many events make.
    std::size_t count(const Event& event, std::uint64_t events, Reporter::Clock::time_point now) {
        return (*this)([&](Reporter& to) {
                   for (std::uint64_t i = 0; i < events; ++i)
                       to.say(event, now);
               })
            .size();
    }

  private:
    Journal journal_{LogTo::json};

  public:
    Reporter reporter{journal_, [](std::uint64_t id) {
                          return id == 0 ? "" : "/system.slice/" + std::to_string(id);
                      }};
};

Event event_of(const std::string& policy, Outcome outcome = Outcome::applied) {
    Event event;
    event.generation = 3;
    event.pid = 42;
    event.uid = 33;
    event.outcome = outcome;
    event.cgroup = 99;
    event.ruleset_id = 0x1709e0304;
    event.policy = policy;
    event.filename = "/usr/sbin/nginx";
    event.exe = "/usr/sbin/nginx";
    return event;
}

constexpr Reporter::Clock::time_point start{1h};
constexpr std::uint64_t burst = Reporter::burst;
constexpr auto window = Reporter::window;

} // namespace

TEST_CASE("an execution is reported with all that is known of it") {
    Reported reported;
    const Records records =
        reported([](Reporter& reporter) { reporter.say(event_of("web"), start); });
    REQUIRE(records.size() == 1);
    CHECK(records[0] == nlohmann::json{
                            {"MESSAGE", "web: applied: /usr/sbin/nginx (pid 42, uid 33)"},
                            {"PRIORITY", 6},
                            {"LLEXEC_POLICY", "web"},
                            {"LLEXEC_OUTCOME", "applied"},
                            {"LLEXEC_FILENAME", "/usr/sbin/nginx"},
                            {"LLEXEC_EXE", "/usr/sbin/nginx"},
                            {"LLEXEC_PID", "42"},
                            {"LLEXEC_UID", "33"},
                            {"LLEXEC_CGROUP", "/system.slice/99"},
                            {"LLEXEC_GENERATION", "3"},
                            {"LLEXEC_RULESET_ID", "1709e0304"},
                            {"ERRNO", "0"},
                            {"OBJECT_PID", "42"},
                        });
}

TEST_CASE("a report says what runs, and why it could not be confined") {
    Reported reported;
    Event event = event_of("web", Outcome::killed);
    event.filename = "./script";
    event.exe = "/usr/bin/python3.11";
    event.error = E2BIG;
    Event nameless = event_of("web", Outcome::refused);
    nameless.exe.clear(); // too long
    const Records records = reported([&](Reporter& reporter) {
        reporter.say(event, start);
        reporter.say(nameless, start);
    });
    REQUIRE(records.size() == 2);
    CHECK(records[0]["MESSAGE"] == "web: killed: ./script, runs /usr/bin/python3.11: Argument list "
                                   "too long (pid 42, uid 33)");
    CHECK(records[0]["PRIORITY"] == 4);
    CHECK(records[0]["ERRNO"] == std::to_string(E2BIG));
    CHECK(records[1]["MESSAGE"] == "web: refused: /usr/sbin/nginx (pid 42, uid 33)");
}

TEST_CASE("of each policy and outcome a burst is reported, and the rest is counted") {
    Reported reported;
    CHECK(reported.count(event_of("web"), burst, start) == burst);
    CHECK(reported.reporter.withheld() == 0);
    CHECK(reported.count(event_of("web"), 3, start + window - 1ns) == 0);
    CHECK(reported.reporter.withheld() == 3);
    // Others have their own.
    CHECK(reported.count(event_of("mail"), 1, start) == 1);
    CHECK(reported.count(event_of("web", Outcome::killed), 1, start) == 1);
    CHECK(reported.reporter.withheld() == 3);
}

TEST_CASE("of all policies together no more than a total is reported, failures apart") {
    Reported reported;
    const std::uint64_t total = Reporter::total_burst;
    std::uint64_t said = 0;
    for (int policy = 0; policy < 10; ++policy)
        said += reported.count(event_of("p" + std::to_string(policy)), burst, start);
    CHECK(said == total);
    CHECK(reported.reporter.withheld() == 10 * burst - total);
    // Not even the first one of another policy.
    CHECK(reported.count(event_of("late"), 1, start + 1s) == 0);
    CHECK(reported.count(event_of("late", Outcome::observed), 1, start + 1s) == 0);
    // Those that fail have a total of their own.
    said = 0;
    for (const Outcome outcome : {Outcome::refused, Outcome::killed, Outcome::allowed})
        said += reported.count(event_of("p0", outcome), burst, start + 1s);
    CHECK(said == total);
    CHECK(reported.count(event_of("late", Outcome::killed), 1, start + 2s) == 0);
    // Each policy's rest is told, and there is room again.
    CHECK(reported.count(event_of("late"), 1, start + window) == 1);
    const Records rest = reported([](Reporter& reporter) {
        CHECK_FALSE(reporter.say_withheld(start + 2 * window).has_value());
    });
    CHECK(rest.size() == 8 + 2 + 2); // p2 to p9 and "late", one failure of p0 and of "late"
    CHECK(reported.count(event_of("late", Outcome::killed), 1, start + 2 * window) == 1);
}

TEST_CASE("failures that are too many do not displace other executions") {
    Reported reported;
    for (int policy = 0; policy < 4; ++policy)
        reported.count(event_of("p" + std::to_string(policy), Outcome::killed), burst, start);
    CHECK(reported.count(event_of("web"), burst, start) == burst);
}

TEST_CASE("what was withheld is said when its window is over") {
    Reported reported;
    CHECK(reported.count(event_of("web", Outcome::killed), burst + 3, start) == burst);
    std::optional<Reporter::Clock::time_point> next;
    const auto say_withheld = [&](Reporter::Clock::time_point now) {
        return reported([&](Reporter& reporter) { next = reporter.say_withheld(now); });
    };
    CHECK(say_withheld(start + window - 1ns).empty());
    CHECK(next == start + window);
    const Records records = say_withheld(start + window);
    CHECK_FALSE(next.has_value());
    REQUIRE(records.size() == 1);
    CHECK(records[0] == nlohmann::json{{"MESSAGE", "web: killed: 3 more executions"},
                                       {"PRIORITY", 4},
                                       {"LLEXEC_POLICY", "web"},
                                       {"LLEXEC_OUTCOME", "killed"},
                                       {"LLEXEC_WITHHELD", "3"}});
    // Once, and in the sum for good.
    CHECK(say_withheld(start + 2 * window).empty());
    CHECK(reported.reporter.withheld() == 3);
}

TEST_CASE("the next window has a burst of its own, after what the last one withheld") {
    Reported reported;
    CHECK(reported.count(event_of("web"), burst + 1, start) == burst);
    const Records records =
        reported([](Reporter& reporter) { reporter.say(event_of("web"), start + window); });
    REQUIRE(records.size() == 2);
    CHECK(records[0]["MESSAGE"] == "web: applied: 1 more executions");
    CHECK(records[1]["MESSAGE"] == "web: applied: /usr/sbin/nginx (pid 42, uid 33)");
    CHECK(reported.count(event_of("web"), burst, start + window) == burst - 1);
    CHECK(reported.reporter.withheld() == 2);
    // It began with the execution, not where the one before ended.
    CHECK(reported.count(event_of("web"), 1, start + 2 * window - 1ns) == 0);
    CHECK(reported.count(event_of("web"), 1, start + 2 * window) == 2);
}

TEST_CASE("of several windows the first to end is waited for, those without a rest not") {
    Reported reported;
    CHECK(reported.count(event_of("quiet", Outcome::refused), 1, start) == 1);
    CHECK(reported.count(event_of("late"), burst + 1, start + 2s) == burst);
    CHECK(reported.count(event_of("early"), burst + 1, start + 1s) == burst);
    std::optional<Reporter::Clock::time_point> next;
    const Records records =
        reported([&](Reporter& reporter) { next = reporter.say_withheld(start + 3s); });
    CHECK(records.empty());
    CHECK(next == start + 1s + window);
    CHECK(reported([&](Reporter& reporter) { next = reporter.say_withheld(*next); }).size() == 1);
    CHECK(next == start + 2s + window);
}

TEST_CASE("where failures only are reported, nothing else is, nor is it counted") {
    Reported reported;
    reported.reporter.set_report(Report::failures);
    for (const Outcome outcome : {Outcome::applied, Outcome::nested, Outcome::observed})
        CHECK(reported.count(event_of("web", outcome), burst + 1, start) == 0);
    CHECK(reported.reporter.withheld() == 0);
    for (const Outcome outcome : {Outcome::refused, Outcome::killed, Outcome::allowed})
        CHECK(reported.count(event_of("web", outcome), 1, start) == 1);
    reported.reporter.set_report(Report::all);
    for (const Outcome outcome : {Outcome::applied, Outcome::nested, Outcome::observed})
        CHECK(reported.count(event_of("web", outcome), 1, start) == 1);
}
