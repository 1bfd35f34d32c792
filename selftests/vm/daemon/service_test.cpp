// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// llexecd: ready when it enforces, in step with its directory, and not needed for what is enforced.
#include "catch.hpp"
#include "kernel_objects.hpp"
#include "service.hpp"

#include <chrono>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <sys/resource.h>
#include <thread>

using namespace llexec::vmtest;

namespace {

std::string field_of(pid_t pid, const std::string& name) {
    std::ifstream stream("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(stream, line);)
        if (line.starts_with(name + ":"))
            return line.substr(line.find_last_of("\t ") + 1);
    return {};
}

/// How many descriptors any process can be allowed to have.
class NrOpen {
  public:
    explicit NrOpen(const std::string& number) {
        std::ifstream(path) >> before_;
        std::ofstream(path) << number;
    }
    NrOpen(const NrOpen&) = delete;
    NrOpen& operator=(const NrOpen&) = delete;
    ~NrOpen() { std::ofstream(path) << before_; }

  private:
    static constexpr const char* path = "/proc/sys/fs/nr_open";
    std::string before_;
};

/// The second number that a process has no descriptor of.
rlim_t second_free_descriptor(pid_t pid) {
    const fs::path descriptors = "/proc/" + std::to_string(pid) + "/fd";
    int free = 0;
    for (rlim_t number = 0;; ++number)
        if (!fs::is_symlink(descriptors / std::to_string(number)) && ++free == 2)
            return number;
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

/// What a process was granted by its last ruleset that it enforced on itself: rights by path.
std::map<std::string, std::string> own_rules(const Trace& trace, pid_t pid) {
    std::string ruleset;
    for (const std::string& line : trace.lines("create_domain"))
        if (line.find("-" + std::to_string(pid) + " ") != std::string::npos)
            ruleset = Trace::value(line, "ruleset");
    const std::string id = ruleset.substr(0, ruleset.find('.') + 1);
    std::map<std::string, std::string> rules;
    for (const std::string& line : trace.lines("add_rule_path_beneath"))
        if (!id.empty() && Trace::value(line, "ruleset").starts_with(id))
            rules[Trace::value(line, "path")] += Trace::value(line, "access_rights") + "|";
    return rules;
}

/// While it lives, nobody gets an instance of inotify.
class NoInotify {
  public:
    NoInotify() : before_(text_of(limit)) { set("0"); }
    NoInotify(const NoInotify&) = delete;
    NoInotify& operator=(const NoInotify&) = delete;
    ~NoInotify() { set(before_); }

  private:
    static constexpr const char* limit = "/proc/sys/fs/inotify/max_user_instances";
    static void set(const std::string& text) { std::ofstream(limit) << text; }

    std::string before_;
};

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
}

TEST_CASE_METHOD(Service, "no counters are written if the setting says so") {
    place.put("p", world.policy());
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    CHECK(eventually([&] { return fs::exists(place.metrics); }));
    write_file(place.config, "metrics = \"\"\n");
    REQUIRE(daemon.reload());
    fs::remove(place.metrics);
    const fs::path usual = "/run/llexec/metrics.prom";
    fs::remove(usual);
    CHECK(confined());
    std::this_thread::sleep_for(std::chrono::seconds(3) * slowness());
    CHECK_FALSE(fs::exists(place.metrics));
    CHECK_FALSE(fs::exists(usual));
}

TEST_CASE_METHOD(Service, "settings that are not valid are reported, and change nothing") {
    place.put("p", world.policy());
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    write_file(place.config, "enforce_at = \"bprm_creds_for_exec\"\nprotekt = 1\n");
    REQUIRE(daemon.reload());
    CHECK_FALSE(daemon.said("llexecd.toml:2:1: error: unknown key 'protekt'").empty());
    CHECK(status()["enforce_at"] == committing);
    CHECK(confined());
}

TEST_CASE_METHOD(Service, "an error of settings that comes back is told again, and only then") {
    place.put("p", world.policy());
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    const auto told = [&](std::size_t times) {
        return eventually([&] { return daemon.said("unknown key 'protekt'").size() >= times; });
    };
    write_file(place.config, "protekt = 1\n");
    CHECK(told(1));
    write_file(place.config, "protekt = 1\n# the same\n");
    std::this_thread::sleep_for(std::chrono::seconds(2));
    CHECK(daemon.said("unknown key 'protekt'").size() == 1);
    write_file(place.config, "report = \"failures\"\n");
    std::this_thread::sleep_for(std::chrono::seconds(2));
    write_file(place.config, "protekt = 1\n");
    CHECK(told(2));
}

TEST_CASE_METHOD(Service, "metrics that cannot be written are told once") {
    place.put("p", world.policy());
    const fs::path directory = place.metrics.parent_path() / "gone";
    write_file(place.config, "metrics = \"" + (directory / "m").string() + "\"\n");
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    for (int i = 0; i < 5; ++i) {
        CHECK(confined());
        std::this_thread::sleep_for(std::chrono::milliseconds(1500));
    }
    CHECK(daemon.said("cannot write metrics").size() == 1);
}

TEST_CASE_METHOD(Service, "directories and links that lead to the same as before are followed on") {
    place.put("p", world.policy());
    const fs::path other = place.root / "other";
    write_file(other, "report = \"all\"\n");
    write_file(place.config, "report = \"all\"\n");
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    // In one go: the same policies, in another directory.
    const fs::path copy = place.root / "copy";
    fs::copy(place.policies, copy);
    fs::rename(place.policies, place.root / "old");
    fs::rename(copy, place.policies);
    // And settings of another name.
    fs::create_symlink(other, place.root / "link");
    fs::rename(place.root / "link", place.config);
    std::this_thread::sleep_for(std::chrono::seconds(2));
    const auto before = generation();
    place.put("p", match_exe(world.program) + only(world.root));
    CHECK(eventually([&] { return unconfined(); }));
    CHECK(generation() > before);
    write_file(other, "protekt = 1\n");
    CHECK(eventually([&] { return !daemon.said("unknown key 'protekt'").empty(); }));
}

TEST_CASE_METHOD(Service, "without a way to watch files policies are enforced, and SIGHUP counts") {
    place.put("p", world.policy());
    std::optional<NoInotify> none(std::in_place);
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    none.reset();
    CHECK(confined());
    CHECK(daemon.said("raise the sysctl fs.inotify.max_user_instances").size() == 1);
    CHECK(daemon.status_line() == "1 policies enforced; no change is followed without SIGHUP");
    place.put("p", match_exe(world.program) + only(world.root));
    std::this_thread::sleep_for(std::chrono::seconds(1));
    CHECK(confined());
    REQUIRE(daemon.reload());
    CHECK(unconfined());
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
}

TEST_CASE_METHOD(Service, "a file that is no policy makes no generation") {
    place.put("p", world.policy());
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    const auto before = generation();
    write_file(place.policies / ".swap", "");
    write_file(place.policies / "notes.txt", "");
    // Nothing has changed before: it looks after a tenth of a second.
    std::this_thread::sleep_for(std::chrono::seconds(2) * slowness());
    CHECK(generation() == before);
    // As it would with a policy.
    place.put("q", world.policy());
    CHECK(eventually([&] { return generation() > before; }));
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

TEST_CASE_METHOD(Service, "what llexecd tells its service manager is one line, whatever it names") {
    place.policies = place.root / "p\nMAINPID=1";
    fs::create_directory(place.policies);
    fs::permissions(place.policies, fs::perms{0755});
    place.put("p", world.policy());
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    CHECK(confined());
    place.put("p", "nonsense = 1\n");
    const auto tells = [&] {
        return daemon.status_line().find("/p\\x0aMAINPID=1 have errors") != std::string::npos;
    };
    CHECK(eventually(tells));
    CHECK(daemon.status_line().find('\n') == std::string::npos);
    CHECK(daemon.reload());
    CHECK(tells());
    CHECK(daemon.status_line().find('\n') == std::string::npos);
    CHECK(daemon.stop().code() == 0);
    unload();
    fs::remove(place.state / "last-good.json");
    Llexecd next(place);
    CHECK_FALSE(next.is_ready());
    CHECK(next.status_line().starts_with("cannot start: "));
    CHECK(next.status_line().find("/p\\x0aMAINPID=1") != std::string::npos);
    CHECK(next.status_line().find('\n') == std::string::npos);
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
    const std::vector<Json> said = daemon.said("cannot start");
    REQUIRE(said.size() == 1);
    CHECK(said[0]["PRIORITY"] == 2);
    std::ifstream metrics(place.metrics);
    const std::string text(std::istreambuf_iterator<char>(metrics), {});
    CHECK(text.find("llexec_enforcing 0") != std::string::npos);
}

TEST_CASE_METHOD(Service, "policies that are too many for the machine leave the last good ones") {
    place.put("p", world.policy());
    {
        Llexecd daemon(place);
        REQUIRE(daemon.is_ready());
        CHECK(daemon.stop().code() == 0);
    }
    unload(); // as a boot does
    // Each needs a descriptor.
    for (int i = 0; i < 300; ++i)
        place.put("q" + std::to_string(i),
                  match_exe(world.root / "none") +
                      "[[ruleset]]\nhandled_access_fs = [\"make_sock\"]\n");
    // Or llexecd would raise the limit.
    const NrOpen few("256");
    Llexecd daemon(place, {}, [] {
        const rlimit limit{.rlim_cur = 256, .rlim_max = 256};
        ::setrlimit(RLIMIT_NOFILE, &limit);
    });
    const bool ready = daemon.is_ready();
    const Json all = daemon.said();
    CAPTURE(all);
    REQUIRE(ready);
    CHECK(world.confined(run(world.look(world.program))));
    const std::vector<Json> said = daemon.said("the last good policies are used");
    REQUIRE(said.size() == 1);
    CHECK(said[0]["PRIORITY"] == 2);
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
    // It goes on to work.
    place.put("q", world.policy());
    CHECK(eventually([&] { return status()["policies"].size() == 3; }));
    REQUIRE(daemon.reload());
}

TEST_CASE_METHOD(Service, "llexecd grants itself its own directories, and no others") {
    place.put("p", world.policy());
    fs::create_directories("/run/systemd/journal");
    const Trace trace;
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    const auto rules = own_rules(trace, daemon.pid());
    const fs::path programs = fs::canonical(place.self_test).parent_path();
    std::set<std::string> written;
    for (const auto& [path, access] : rules)
        if (access.find("write_file") != std::string::npos)
            written.insert(path);
    CHECK(written == std::set<std::string>{place.state, "/run/llexec", "/sys/fs/bpf",
                                           place.metrics.parent_path()});
    const std::set<std::string> others{
        "/etc",         "/usr",  fs::canonical("/lib"),  fs::canonical("/lib64"),
        "/proc",        "/sys",  "/run/systemd/journal", place.root,
        place.policies, programs};
    for (const auto& [path, access] : rules) {
        CAPTURE(path, access);
        CHECK((written.contains(path) || others.contains(path) ||
               path.starts_with(place.root.string() + "/notify.")));
        // Nothing executes but the self-test.
        CHECK((access.find("execute") != std::string::npos) == (path == programs));
    }
    CHECK(rules.contains("/etc"));
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

TEST_CASE_METHOD(Service,
                 "what cannot be read for want of descriptors is read when there are some") {
    place.put("p", world.policy());
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    const fs::path link = world.root / "link";
    rlimit before{};
    REQUIRE(::prlimit(daemon.pid(), RLIMIT_NOFILE, nullptr, &before) == 0);
    // One more than it has, to tell its status.
    const rlimit few{.rlim_cur = second_free_descriptor(daemon.pid()), .rlim_max = before.rlim_max};
    REQUIRE(::prlimit(daemon.pid(), RLIMIT_NOFILE, &few, nullptr) == 0);
    place_program(world.root / "fresh");
    fs::rename(world.root / "fresh", world.program);
    fs::create_hard_link(world.program, link);
    // Whichever it notices first, the file or what it had still to look at.
    CHECK(eventually(
        [&] { return daemon.status_line().find("Too many open files") != std::string::npos; }));
    CHECK(world.unconfined(run(world.look(link))));
    CHECK(daemon.status_line().find("have errors") == std::string::npos);
    REQUIRE(::prlimit(daemon.pid(), RLIMIT_NOFILE, &before, nullptr) == 0);
    CHECK(eventually([&] { return world.confined(run(world.look(link))); }));
    CHECK(eventually([&] { return daemon.status_line() == "1 policies enforced"; }));
}

TEST_CASE_METHOD(Service, "files that links lead to are read at a reload as at the start") {
    const fs::path elsewhere = place.root.string() + ".elsewhere";
    fs::create_directories(elsewhere);
    fs::permissions(elsewhere, fs::perms{0755});
    const auto move = [&](const fs::path& file) {
        fs::rename(file, elsewhere / file.filename());
        fs::create_symlink(elsewhere / file.filename(), file);
    };
    place.put("p", "include = [\"../common.toml\"]\n" + match_exe(world.program));
    write_file(place.root / "common.toml", "abi = 9\n" + only(world.open));
    for (const fs::path& file :
         {place.config, place.policies / "p.toml", place.root / "common.toml"})
        move(file);
    const OffFile off_file;
    for (const bool starts_off : {false, true}) {
        CAPTURE(starts_off);
        unload();
        off_file.set(starts_off);
        Llexecd daemon(place);
        REQUIRE(daemon.is_ready());
        off_file.set(false);
        CHECK(eventually([&] { return confined(); }));
        REQUIRE(daemon.reload());
        for (const char* const part : {"nothing is changed", "settings are not changed"})
            CHECK(daemon.said(part).empty());
        CHECK(daemon.status_line() == "1 policies enforced");
    }
    fs::remove_all(elsewhere);
}
