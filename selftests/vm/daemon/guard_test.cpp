// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// protect = true: what llexecd has loaded is out of root's reach.
#include "catch.hpp"
#include "llexecd.hpp"

#include <bpf/bpf.h>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace llexec::vmtest;

namespace {

const fs::path pins = "/sys/fs/bpf/llexec";

class Guard {
  public:
    Guard() : world(ext4()) { place.put("p", world.policy()); }

    void set(bool protect) const {
        write_file(place.config,
                   std::string("protect = ") + (protect ? "true" : "false") + "\nmetrics = \"\"\n");
    }

    /// The kernel's ID of a pinned object, as bpftool tells it.
    static std::uint32_t id_of(const std::string& kind, const std::string& name) {
        const Ended ended = run({"bpftool", "-j", kind, "show", "pinned", (pins / name).string()});
        const Json json = Json::parse(ended.out, nullptr, false);
        return json.is_object() ? json.value("id", 0U) : 0;
    }

    struct Ids {
        std::uint32_t map;
        std::uint32_t program;
        std::uint32_t link;
    };

    static bool opens(int fd) {
        ::close(fd);
        return fd >= 0;
    }

    /// What root can do with it, in a few words.
    [[nodiscard]] static std::string reach(const Llexecd& daemon, const Ids& ids) {
        std::string words;
        const auto can = [&](const char* word, bool yes) {
            words += yes ? std::string(word) + " " : "";
        };
        can("status", run({cli(), "--json", "status"}).code() == 0);
        can("map-id", opens(bpf_map_get_fd_by_id(ids.map)));
        can("program-id", opens(bpf_prog_get_fd_by_id(ids.program)));
        can("link-id", opens(bpf_link_get_fd_by_id(ids.link)));
        can("write",
            run({"bpftool", "map", "update", "pinned", (pins / "llexec_current").string(), "key",
                 "0", "0", "0", "0", "value", "0", "0", "0", "0", "0", "0", "0", "0"})
                    .code() == 0);
        can("trace", traces(daemon.pid()));
        return words;
    }

    static bool traces(pid_t pid) {
        if (::ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) != 0)
            return false;
        ::kill(pid, 0);
        ::ptrace(PTRACE_INTERRUPT, pid, nullptr, nullptr);
        ::waitpid(pid, nullptr, __WALL);
        ::ptrace(PTRACE_DETACH, pid, nullptr, nullptr);
        return true;
    }

    /// Who has llexecd in hand from its execution on.
    enum class Other { nobody, tracer, sharer };

    /// Whether llexecd can enforce anew.
    [[nodiscard]] bool starts(Other other) const {
        Llexecd daemon(place, {}, [other] {
            if (other == Other::tracer)
                ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
            if (other == Other::sharer &&
                ::syscall(SYS_clone, CLONE_FS | SIGCHLD, nullptr, nullptr, nullptr, nullptr) == 0) {
                ::prctl(PR_SET_PDEATHSIG, SIGKILL);
                for (;;)
                    ::pause();
            }
        });
        if (other == Other::tracer) {
            int status = 0;
            REQUIRE(::waitpid(daemon.pid(), &status, 0) == daemon.pid());
            REQUIRE(WIFSTOPPED(status));
            REQUIRE(::ptrace(PTRACE_DETACH, daemon.pid(), nullptr, nullptr) == 0);
        }
        const bool ready = daemon.is_ready();
        CHECK(daemon.said("cannot start").empty() == ready);
        return ready;
    }

    /// The bytes of llexec_info, as bpftool has them.
    static Arguments info() {
        const Ended ended = run({"bpftool", "-j", "map", "lookup", "pinned",
                                 (pins / "llexec_info").string(), "key", "0", "0", "0", "0"});
        const Json entry = Json::parse(ended.out, nullptr, false);
        REQUIRE(entry.is_object());
        return entry["value"].get<Arguments>();
    }

    static std::size_t guarded_objects() {
        const Ended ended =
            run({"bpftool", "-j", "map", "dump", "pinned", (pins / "llexec_guarded").string()});
        return Json::parse(ended.out, nullptr, false).size();
    }

    static bool unlinks(const fs::path& path) { return ::unlink(path.c_str()) == 0; }

    [[nodiscard]] bool confined() const { return world.confined(run(world.look(world.program))); }

    Place place;
    World world;
};

} // namespace

TEST_CASE_METHOD(Guard, "what is guarded is out of root's reach until the setting is taken back") {
    set(false);
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    const Ids ids{.map = id_of("map", "llexec_rules"),
                  .program = id_of("prog", "prog_llexec_enforce"),
                  .link = id_of("link", "link_llexec_enforce")};
    REQUIRE(ids.map != 0);
    REQUIRE(ids.program != 0);
    REQUIRE(ids.link != 0);
    set(true);
    REQUIRE(daemon.reload());
    CHECK(reach(daemon, ids) == "status ");
    for (const char* const name :
         {"link_llexec_enforce", "link_llexec_guard_pin", "llexec_rules"}) {
        CAPTURE(name);
        CHECK_FALSE(unlinks(pins / name));
        CHECK(::rename((pins / name).c_str(), "/sys/fs/bpf/away") != 0);
    }
    CHECK(::rename(pins.c_str(), "/sys/fs/bpf/away") != 0);
    CHECK(::umount2("/sys/fs/bpf", MNT_DETACH) != 0);
    CHECK(confined());
    // llexecd itself goes on to work.
    place.put("q", world.policy());
    CHECK(eventually([&] { return status()["policies"].size() == 3; }));
    CHECK(daemon.said("is not guarded").empty());
    // What is not guarded is as before.
    CHECK(run({"bpftool", "map", "create", "/sys/fs/bpf/other", "type", "array", "key", "4",
               "value", "4", "entries", "1", "name", "other"})
              .code() == 0);
    CHECK(unlinks("/sys/fs/bpf/other"));

    set(false);
    REQUIRE(daemon.reload());
    CHECK(reach(daemon, ids) == "status map-id program-id link-id write trace ");
    CHECK(daemon.stop().code() == 0);
    unload();
}

TEST_CASE_METHOD(Guard, "the guard outlives llexecd, and lets the next one in") {
    set(true);
    {
        Llexecd daemon(place);
        REQUIRE(daemon.is_ready());
        daemon.kill();
    }
    for (const char* const command : {"unload", "events"}) {
        const Ended ended = run({cli(), "--json", command});
        CAPTURE(ended.out);
        CHECK(ended.code() == 1);
        CHECK(ended.out.find("protect = false") != std::string::npos);
    }
    CHECK(try_load({{"q", world.policy()}}, committing).code() == 1);
    CHECK_FALSE(unlinks(pins / "link_llexec_enforce"));
    CHECK(confined());
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    CHECK(status()["generation"] == 2);
    CHECK_FALSE(unlinks(pins / "link_llexec_enforce"));
    set(false);
    REQUIRE(daemon.reload());
    CHECK(daemon.stop().code() == 0);
    unload();
}

TEST_CASE_METHOD(Guard, "llexecd that is in other hands from its execution on is not trusted") {
    for (const bool guarded : {false, true}) {
        CAPTURE(guarded);
        set(guarded);
        REQUIRE(starts(Other::nobody));
        CHECK(starts(Other::tracer) == !guarded);
        CHECK(starts(Other::sharer) == !guarded);
        CHECK(confined());
        CHECK(starts(Other::nobody));
    }
    set(false);
    REQUIRE(starts(Other::nobody));
    unload();
}

TEST_CASE_METHOD(Guard, "what another version of the programs replaced is not guarded any more") {
    // The guard trusts what stands where llexecd is installed.
    const fs::path trusted = LLEXEC_INSTALLED_DAEMON;
    REQUIRE(run({"sh", "-c", "cp \"$(command -v bpftool)\" " + trusted.string()}).code() == 0);
    set(true);
    REQUIRE(starts(Other::nobody));
    const Arguments own = info();
    const std::size_t objects = guarded_objects();
    CHECK(objects > 20);
    for (int i = 0; i < 2; ++i) {
        // The last bytes are the digest of the programs.
        Arguments other = own;
        other.back() = own.back() == "0x00" ? "0x01" : "0x00";
        Arguments update{trusted, "map", "update", "pinned", (pins / "llexec_info").string(),
                         "key",   "0",   "0",      "0",      "0",
                         "value"};
        update.insert(update.end(), other.begin(), other.end());
        REQUIRE(run(update).code() == 0);
        REQUIRE(info() == other);
        REQUIRE(starts(Other::nobody));
        CHECK(info() == own);
        CHECK(guarded_objects() == objects);
        CHECK_FALSE(unlinks(pins / "link_llexec_enforce"));
    }
    set(false);
    REQUIRE(starts(Other::nobody));
    fs::remove(trusted);
    unload();
}

TEST_CASE_METHOD(Guard, "what llexecd forks is out of root's reach until it executes a program") {
    // The guard trusts what stands where llexecd is installed.
    const fs::path trusted = LLEXEC_INSTALLED_DAEMON;
    fs::copy_file("/bin/sh", trusted);
    const fs::path pipe = world.root / "pipe";
    const fs::path pids = world.root / "pids";
    REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
    set(true);
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    const Process shell({trusted, "-c",
                         "(read line < " + pipe.string() +
                             ") & own=$!; sleep 1000 & echo $own $! > " + pids.string() +
                             "; read line < " + pipe.string()});
    pid_t own = 0;
    pid_t other = 0;
    REQUIRE(eventually([&] { return !!(std::ifstream(pids) >> own >> other); }));
    CHECK_FALSE(traces(shell.pid()));
    CHECK_FALSE(traces(own));
    CHECK(eventually([&] { return traces(other); }));
    set(false);
    REQUIRE(daemon.reload());
    CHECK(traces(shell.pid()));
    CHECK(traces(own));
    for (const pid_t pid : {own, other})
        ::kill(pid, SIGKILL);
    CHECK(daemon.stop().code() == 0);
    fs::remove(trusted);
    unload();
}
