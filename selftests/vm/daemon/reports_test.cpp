// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What llexecd tells: executions, those that nobody could be told, and processes from before.
#include "catch.hpp"
#include "service.hpp"

#include <csignal>
#include <fstream>

using namespace llexec::vmtest;

namespace {

/// As many as were told to be lost, in each record.
std::vector<std::string> lost(const Llexecd& daemon) {
    std::vector<std::string> numbers;
    for (const Json& record : daemon.said("executions could not be reported"))
        numbers.push_back(record["LLEXEC_LOST"]);
    return numbers;
}

std::string events_lost() {
    return std::to_string(status()["events_lost"].get<std::uint64_t>());
}

} // namespace

TEST_CASE_METHOD(Service, "processes from before are told at the start and at a reload") {
    const fs::path stop = world.root / "stop";
    Process old({world.program, "wait:" + stop.string()});
    const std::string pid = std::to_string(old.pid());
    place.put("p", world.policy());
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    const auto told = [&] {
        std::size_t count = 0;
        for (const Json& record : daemon.said("not confined, because it has run since before p"))
            if (record["LLEXEC_PID"] == pid)
                ++count;
        return count;
    };
    CHECK(told() == 1);
    REQUIRE(daemon.reload());
    CHECK(told() == 2);
    write_file(stop, "");
    old.wait();
    REQUIRE(daemon.reload());
    CHECK(told() == 2);
}

TEST_CASE_METHOD(Service, "what runs confined keeps the policy of its start, and is not listed") {
    const fs::path stop = world.open / "stop";
    place.put("p", world.policy());
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    Process old({world.program, "wait:" + stop.string(), world.read_open, world.read_closed});
    CHECK(eventually([] { return status_of("p")["applied"] == 1; }));
    place.put("p", match_exe(world.program) + only(world.root));
    REQUIRE(daemon.reload());
    CHECK(unconfined());
    CHECK(status()["unconfined"].empty());
    place.remove("p");
    REQUIRE(daemon.reload());
    write_file(stop, "");
    CHECK(world.confined(old.wait()));
}

TEST_CASE_METHOD(Service, "a process from before that was restarted is not counted any more") {
    const fs::path stop = world.root / "stop";
    Process old({world.program, "wait:" + stop.string()});
    place.put("p", world.policy());
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    const auto counts = [&](const std::string& number) {
        return eventually([&] {
            return text_of(place.metrics).find("llexec_unconfined_processes " + number + "\n") !=
                   std::string::npos;
        });
    };
    const auto says_so = [&] {
        return daemon.status_line().find("1 processes from before") != std::string::npos;
    };
    CHECK(counts("1"));
    CHECK(says_so());
    write_file(stop, "");
    old.wait();
    CHECK(confined());
    CHECK(counts("0"));
    CHECK(eventually([&] { return !says_so(); }));
}

TEST_CASE_METHOD(Service, "each execution is reported with all that is known of it") {
    place.put("p", world.policy());
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    Process process(world.look(world.program), as_user(1234, 1235));
    const pid_t pid = process.pid();
    process.wait();
    std::vector<Json> found;
    REQUIRE(eventually([&] {
        found = daemon.said("p: applied: ");
        return !found.empty();
    }));
    REQUIRE(found.size() == 1);
    CHECK(found[0]["LLEXEC_POLICY"] == "p");
    CHECK(found[0]["LLEXEC_EXE"] == world.program.string());
    CHECK(found[0]["LLEXEC_PID"] == std::to_string(pid));
    CHECK(found[0]["LLEXEC_UID"] == "1234");
    CHECK(found[0]["LLEXEC_CGROUP"] == "/vmtest");
    CHECK(found[0]["LLEXEC_GENERATION"] == std::to_string(generation()));
    CHECK(found[0]["ERRNO"] == "0");
    std::ostringstream id;
    id << std::hex << status_of("p")["ruleset_id"].get<std::uint64_t>();
    CHECK(found[0]["LLEXEC_RULESET_ID"] == id.str());
    // A failure has its error, and is worth a warning.
    REQUIRE(empty_slot(status_of("p")["slot"].get<std::uint32_t>()));
    CHECK(run(world.look(world.program)).signal() == SIGKILL);
    REQUIRE(eventually([&] { return !daemon.said("p: killed: ").empty(); }));
    const Json killed = daemon.said("p: killed: ")[0];
    CHECK(killed["ERRNO"] == std::to_string(ENOENT));
    CHECK(killed["PRIORITY"] == 4);
}

TEST_CASE_METHOD(Service, "executions are reported when what somebody took apart is loaded anew") {
    place.put("p", world.policy());
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    REQUIRE(fs::remove("/sys/fs/bpf/llexec/link_llexec_enforce"));
    REQUIRE(daemon.reload());
    CHECK(confined());
    CHECK(eventually([&] { return !daemon.said("p: applied: ").empty(); }));
    CHECK(daemon.stop().code() == 0);
}

TEST_CASE_METHOD(Service, "executions that were lost while no llexecd ran are told at its start") {
    const fs::path kept = "/run/llexec/events-lost";
    place.put("p", world.policy());
    // What one more llexecd says of them.
    const auto told = [&](const std::function<void(const Llexecd&)>& look = {}) {
        Llexecd daemon(place);
        REQUIRE(daemon.is_ready());
        if (look)
            look(daemon);
        CHECK(daemon.stop().code() == 0);
        return lost(daemon);
    };
    const auto storm = [&](const std::string& count) {
        CHECK(run({launcher(), "via-repeat:" + count, "--", world.program,
                   world.read_closed})["exec"] ==
              "allowed 0, denied " + count + ", other 0, refused 0, killed 0");
    };
    using Told = std::vector<std::string>;
    CHECK(told().empty());
    storm("20");
    CHECK(told().empty());
    storm("2000");
    const auto counted = events_lost();
    CHECK(counted != "0");
    CHECK(told() == Told{counted});
    CHECK(events_lost() == counted);
    CHECK(told().empty());
    // Fewer, and once more than the ring buffer holds: only those are new.
    storm("20");
    CHECK(told().empty());
    // What is not known to have been told is told.
    for (const char* const text : {"nonsense\n", "", "0 0 0\n"}) {
        write_file(kept, text);
        CHECK(told() == Told{counted});
        CHECK(told().empty());
    }
    fs::remove(kept);
    CHECK(told() == Told{counted});
    // Nowhere to keep it.
    fs::remove(kept);
    fs::create_directories(kept.string() + ".new");
    const auto complains = [](const Llexecd& daemon) {
        CHECK(daemon.said("the next llexecd will tell lost executions again").size() == 1);
    };
    for (int i = 0; i < 2; ++i)
        CHECK(told(complains) == Told{counted});
    fs::remove(kept.string() + ".new");
    CHECK(told() == Told{counted});
    // Other counters.
    unload();
    CHECK(told().empty());
    storm("2000");
    const auto again = events_lost();
    CHECK(again != "0");
    CHECK(told() == Told{again});
}

TEST_CASE_METHOD(Service, "executions that were lost while llexecd was stopped are told") {
    place.put("p", world.policy());
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    daemon.signal(SIGSTOP);
    run({launcher(), "via-repeat:2000", "--", world.program, world.read_closed});
    const auto counted = events_lost();
    CHECK(counted != "0");
    daemon.signal(SIGCONT);
    CHECK(eventually([&] { return !lost(daemon).empty(); }));
    CHECK(lost(daemon) == std::vector{counted});
    CHECK(events_lost() == counted);
}

TEST_CASE_METHOD(Service, "a storm of several policies does not displace what failed") {
    for (const char* const name : {"p", "q", "r"})
        place.put(name, world.policy());
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    // One event of each policy, and of none too many.
    daemon.signal(SIGSTOP);
    CHECK(run({launcher(), "via-repeat:480", "--", world.program, world.read_closed})["exec"] ==
          "allowed 0, denied 480, other 0, refused 0, killed 0");
    REQUIRE(empty_slot(status_of("p")["slot"].get<std::uint32_t>()));
    CHECK(run(world.look(world.program)).signal() == SIGKILL);
    daemon.signal(SIGCONT);
    CHECK(eventually([&] { return !daemon.said("p: killed: ").empty(); }));
    CHECK(daemon.said(": applied: " + world.program.string()).size() == 1000);
    CHECK(status()["events_lost"] == 0);
}

TEST_CASE_METHOD(Service, "a storm of executions is counted, not written out") {
    place.put("p", world.policy());
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    // All of them come at once, however slow the machine is; the ring buffer holds some 1,600.
    daemon.signal(SIGSTOP);
    CHECK(run({launcher(), "via-repeat:1200", "--", world.program, world.read_closed})["exec"] ==
          "allowed 0, denied 1200, other 0, refused 0, killed 0");
    daemon.signal(SIGCONT);
    CHECK(eventually([&] { return !daemon.said(" more executions").empty(); }));
    const auto written = daemon.said("p: applied: " + world.program.string()).size();
    CHECK(written >= 500);
    CHECK(written < 1200);
    CHECK(status()["events_lost"] == 0);
    // All of them are in the counters.
    CHECK(eventually([&] {
        std::ifstream stream(place.metrics);
        const std::string text{std::istreambuf_iterator<char>(stream), {}};
        return text.find("llexec_policy_applied_total{policy=\"p\"} 1200\n") != std::string::npos &&
               text.ends_with("# EOF\n");
    }));
}
