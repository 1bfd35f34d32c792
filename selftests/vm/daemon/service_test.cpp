// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// llexecd: ready when it enforces, in step with its directory, and not needed for what is enforced.
#include "catch.hpp"
#include "kernel_objects.hpp"
#include "llexecd.hpp"

#include <chrono>
#include <csignal>
#include <fstream>
#include <iterator>
#include <thread>
#include <unistd.h>

using namespace llexec::vmtest;

namespace {

class Service {
  public:
    Service() : world(ext4()) {}

    [[nodiscard]] bool confined() const { return world.confined(run(world.look(world.program))); }
    [[nodiscard]] bool unconfined() const {
        return world.unconfined(run(world.look(world.program)));
    }
    [[nodiscard]] static std::uint64_t generation() {
        return status()["generation"].get<std::uint64_t>();
    }

    Place place;
    World world;
};

std::string field_of(pid_t pid, const std::string& name) {
    std::ifstream stream("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(stream, line);)
        if (line.starts_with(name + ":"))
            return line.substr(line.find_last_of("\t ") + 1);
    return {};
}

/// Executions of a program, all the time.
class Storm {
  public:
    explicit Storm(const World& world)
        : stop_(world.root / "stop"), process_({launcher(), "via-repeat:1000000:" + stop_.string(),
                                                "--", world.program, world.read_closed}) {}

    /// How they ended: "allowed 0, denied 123, other 0, refused 0, killed 0".
    std::string end() {
        write_file(stop_, "");
        return process_.wait()["exec"];
    }

  private:
    fs::path stop_;
    Process process_;
};

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

bool all_confined(const std::string& ends) {
    return ends.starts_with("allowed 0, denied ") && !ends.starts_with("allowed 0, denied 0,") &&
           ends.ends_with(", other 0, refused 0, killed 0");
}

} // namespace

TEST_CASE_METHOD(Service, "when llexecd says that it is ready, programs are confined") {
    place.put("p", world.policy());
    CHECK(unconfined());
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    CHECK(confined());
    // The self-test's execution, at least.
    CHECK(status_of("llexecd-self-test")["applied"] == 1);
    CHECK(daemon.stop().code() == 0);
    CHECK(confined());
    CHECK(daemon.said("enforcement goes on").size() == 1);
}

TEST_CASE_METHOD(Service, "the enforcement point is a setting") {
    place.put("p", world.policy());
    write_file(place.config, "enforce_at = \"bprm_creds_for_exec\"\nmetrics = \"\"\n");
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    CHECK(status()["enforce_at"] == staged);
    write_file(place.config, "enforce_at = \"bprm_committing_creds\"\n");
    CHECK(eventually([] { return status()["enforce_at"] == committing; }));
    CHECK_FALSE(fs::exists(place.metrics));
}

TEST_CASE_METHOD(Service, "settings that are not valid are reported, and change nothing") {
    place.put("p", world.policy());
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    write_file(place.config, "enforce_at = \"bprm_creds_for_exec\"\nprotekt = 1\n");
    REQUIRE(daemon.reload());
    CHECK(daemon.said("llexecd.toml:2:1: error: unknown key 'protekt'").size() >= 1);
    CHECK(status()["enforce_at"] == committing);
    CHECK(confined());
}

TEST_CASE_METHOD(Service, "a policy that is written, changed or removed is followed") {
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    CHECK(unconfined());
    place.put("p", world.policy());
    CHECK(eventually([&] { return confined(); }));
    place.put("p", match_exe(world.program) + only(world.root));
    CHECK(eventually([&] { return unconfined(); }));
    place.put("p", world.policy());
    CHECK(eventually([&] { return confined(); }));
    place.remove("p");
    CHECK(eventually([&] { return unconfined(); }));
    // A file that changes nothing makes no generation.
    const auto before = generation();
    write_file(place.policies / ".swap", "");
    write_file(place.policies / "notes.txt", "");
    std::this_thread::sleep_for(std::chrono::seconds(2));
    CHECK(generation() == before);
}

TEST_CASE_METHOD(Service, "what a policy includes is followed") {
    const fs::path common = place.root / "common.toml";
    const std::string closed = "[[ruleset]]\nhandled_access_fs = [\"read_file\"]\n"
                               "[[path_beneath]]\nallowed_access = [\"read_file\"]\n"
                               "parent = [\"/proc\", \"" +
                               world.open.string() + "\"]\n";
    write_file(common, "abi = 9\n" + closed);
    place.put("p", "include = [\"../common.toml\"]\n" + match_exe(world.program));
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    CHECK(confined());
    write_file(common, "abi = 9\n" + closed +
                           "[[path_beneath]]\nallowed_access = [\"read_file\"]\nparent = [\"" +
                           world.closed.string() + "\"]\n");
    CHECK(eventually([&] { return unconfined(); }));
}

TEST_CASE_METHOD(Service, "a reload by signal is over when llexecd says so") {
    place.put("p", world.policy());
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    const auto before = generation();
    REQUIRE(daemon.reload());
    CHECK(generation() == before + 1);
    CHECK(status_of("llexecd-self-test")["applied"] == 1);
}

TEST_CASE_METHOD(Service,
                 "an invalid set changes nothing, and the next start uses the last good one") {
    place.put("p", world.policy());
    {
        Llexecd daemon(place);
        REQUIRE(daemon.is_ready());
        const auto before = generation();
        place.put("p", match_exe(world.program) + "nonsense = 1\n" + only(world.open));
        CHECK(eventually([&] { return !daemon.said("nothing is changed").empty(); }));
        const auto found = daemon.said("p.toml:4:1: error: unknown key 'nonsense'");
        REQUIRE(found.size() == 1);
        CHECK(found[0]["LLEXEC_FILE"] == (place.policies / "p.toml").string());
        CHECK(found[0]["LLEXEC_LINE"] == "4");
        CHECK(generation() == before);
        CHECK(confined());
        CHECK(daemon.stop().code() == 0);
    }
    unload(); // as a reboot would
    CHECK(unconfined());
    {
        Llexecd daemon(place);
        REQUIRE(daemon.is_ready());
        CHECK(daemon.said("the last good policies are used").size() == 1);
        CHECK(confined());
        // Once it is mended, it is what counts.
        place.put("p", match_exe(world.program) + only(world.root));
        CHECK(eventually([&] { return unconfined(); }));
    }
}

TEST_CASE_METHOD(Service, "last good policies that were damaged are not used") {
    place.put("p", world.policy());
    {
        Llexecd daemon(place);
        REQUIRE(daemon.is_ready());
    }
    const fs::path kept = place.state / "last-good.json";
    REQUIRE(fs::exists(kept));
    std::fstream(kept, std::ios::in | std::ios::out | std::ios::ate) << "x";
    place.put("p", "nonsense");
    Llexecd daemon(place);
    CHECK_FALSE(daemon.is_ready());
    CHECK(daemon.stop().code() == 4);
    CHECK(daemon.said("is damaged").size() == 1);
    // What was enforced stays so.
    CHECK(confined());
}

TEST_CASE_METHOD(Service, "without any good policies llexecd ends, and changes nothing") {
    place.put("p", "nonsense");
    Llexecd daemon(place);
    CHECK_FALSE(daemon.is_ready());
    CHECK(daemon.stop().code() == 4);
    CHECK(status()["loaded"] == false);
}

TEST_CASE_METHOD(Service, "a restart and a crash leave no execution unconfined") {
    place.put("p", world.policy());
    auto daemon = std::make_unique<Llexecd>(place);
    REQUIRE(daemon->is_ready());
    const BpfObjects before = bpf_objects();
    Storm storm(world);
    for (int i = 0; i < 3; ++i) {
        if (i == 1)
            daemon->kill();
        else
            CHECK(daemon->stop().code() == 0);
        daemon = std::make_unique<Llexecd>(place);
        REQUIRE(daemon->is_ready());
    }
    const std::string ends = storm.end();
    CAPTURE(ends);
    CHECK(all_confined(ends));
    CHECK(run({world.program, "layers"})["layers"] == "1");
    // The same programs, links and maps: nothing is doubled.
    CHECK(eventually([&] { return bpf_objects() == before; }));
}

TEST_CASE_METHOD(Service, "llexecd of another version takes over, with no execution unconfined") {
    place.put("p", world.policy());
    {
        REQUIRE(Llexecd(place).is_ready());
    }
    Storm storm(world);
    REQUIRE(pretend_other_version(false));
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    const std::string ends = storm.end();
    CAPTURE(ends);
    CHECK(all_confined(ends));
    CHECK(run({world.program, "layers"})["layers"] == "1");
}

TEST_CASE_METHOD(Service, "llexecd keeps few capabilities, and confines itself") {
    place.put("p", world.policy());
    const Trace trace;
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    // SYS_ADMIN, DAC_READ_SEARCH
    for (const char* const set : {"CapPrm", "CapEff", "CapBnd"})
        CHECK(field_of(daemon.pid(), set) == "0000000000200004");
    CHECK(field_of(daemon.pid(), "NoNewPrivs") == "1");
    // Its own ruleset handles more than the self-test's.
    CHECK(trace.values("create_ruleset", "handled_fs").size() >= 3);
    // It goes on to work.
    place.put("q", world.policy());
    CHECK(eventually([&] { return status()["policies"].size() == 3; }));
    REQUIRE(daemon.reload());
}

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

TEST_CASE_METHOD(Service, "an idle llexecd does not wake up") {
    place.put("p", world.policy());
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    // Until the counters are written.
    std::this_thread::sleep_for(std::chrono::seconds(3));
    const auto switches = [&] {
        return field_of(daemon.pid(), "voluntary_ctxt_switches") + " " +
               field_of(daemon.pid(), "nonvoluntary_ctxt_switches");
    };
    const std::string before = switches();
    std::this_thread::sleep_for(std::chrono::seconds(5));
    CHECK(switches() == before);
}

TEST_CASE_METHOD(Service, "a file switches llexecd off, and its removal on again") {
    place.put("p", world.policy());
    const fs::path off = "/etc/llexec/off";
    fs::create_directories(off.parent_path());
    write_file(off, "");
    {
        Llexecd daemon(place);
        REQUIRE(daemon.is_ready());
        CHECK(daemon.said("NO POLICY IS ENFORCED").size() == 1);
        CHECK(unconfined());
        CHECK(status()["loaded"] == false);
        fs::remove(off);
        CHECK(eventually([&] { return confined(); }));
        write_file(off, "");
        CHECK(eventually([&] { return unconfined(); }));
        CHECK(eventually([&] { return status()["loaded"] == false; }));
    }
    fs::remove(off);
}

TEST_CASE_METHOD(Service, "switched on again with invalid policies, the last good ones are used") {
    place.put("p", world.policy());
    const fs::path off = "/etc/llexec/off";
    fs::create_directories(off.parent_path());
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    write_file(off, "");
    CHECK(eventually([&] { return unconfined(); }));
    place.put("p", "nonsense");
    fs::remove(off);
    CHECK(eventually([&] { return confined(); }));
    // Programs are confined before llexecd gets to say why.
    CHECK(eventually([&] { return !daemon.said("the last good policies are used").empty(); }));
}

TEST_CASE_METHOD(Service, "a set that lacks a file is loaded when the file is there") {
    const fs::path wanted = world.root / "wanted";
    place.put("p", world.policy());
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    place.put("p", match_exe(world.program) + enforce("missing_paths = \"error\"") +
                       only(world.root) +
                       "[[path_beneath]]\nallowed_access = [\"abi.all\"]\nparent = [\"" +
                       wanted.string() + "\"]\n");
    CHECK(eventually([&] { return !daemon.said("nothing is changed").empty(); }));
    CHECK(confined());
    fs::create_directories(wanted);
    CHECK(eventually([&] { return unconfined(); }));
}

TEST_CASE_METHOD(Service, "a policy that this kernel cannot enforce does not keep the others out") {
    place.put("p", world.policy());
    {
        REQUIRE(Llexecd(place).is_ready());
    }
    unload();
    // A right that no kernel has yet.
    place.put("p", match_exe(world.program) + enforce("compat = \"strict\"") +
                       "[[ruleset]]\nhandled_access_fs = [0x4000000000000000]\n");
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    CHECK(daemon.said("the last good policies are used").size() == 1);
    CHECK(confined());
}
