// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Processes that a policy is for and does not confine are told from those that it confines.
#include "catch.hpp"
#include "policies.hpp"

#include <csignal>
#include <memory>
#include <sstream>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

using namespace llexec::vmtest;

namespace {

/// Keeps nothing from running.
const std::string harmless = "[[ruleset]]\nhandled_access_fs = [\"make_sock\"]\n";

class Unconfined {
  public:
    Unconfined()
        : point(GENERATE(committing, staged)), world(ext4()), sleeper(world.root / "sleeper") {
        unload();
        fs::copy_file("/bin/sleep", sleeper);
    }

    /// Whether `status` lists the process, under that policy.
    [[nodiscard]] static bool is_listed(pid_t pid, const std::string& policy) {
        const Json unconfined = status()["unconfined"];
        for (const Json& process : unconfined)
            if (process["pid"] == pid && process["policy"] == policy)
                return true;
        return false;
    }

    /// Runs until it is killed.
    [[nodiscard]] Arguments sleeping() const { return {sleeper, "1000"}; }
    [[nodiscard]] std::string policy(const std::string& more = {}) const {
        return match("exe = [\"" + sleeper.string() + "\"]\n" + more) + harmless;
    }
    /// Whether it executes the program yet.
    [[nodiscard]] bool runs(const Process& process) const {
        std::error_code error;
        return fs::read_symlink("/proc/" + std::to_string(process.pid()) + "/exe", error) ==
               sleeper;
    }

    std::string point;
    World world;
    fs::path sleeper;
};

} // namespace

TEST_CASE_METHOD(Unconfined, "a process from before its policy is listed, one from after is not") {
    CAPTURE(point);
    const Process before(sleeping());
    REQUIRE(eventually([&] { return runs(before); }));
    load({{"p", policy()}, {"watched", enforce("mode = \"observe\"") + policy()}}, point);
    const Process after(sleeping());
    REQUIRE(eventually([&] { return runs(after); }));
    CHECK(is_listed(before.pid(), "p"));
    CHECK_FALSE(is_listed(after.pid(), "p"));
    // It confines nobody.
    CHECK_FALSE(is_listed(before.pid(), "watched"));
    // Nor does a later generation change that, or one that a program of another name is in.
    load({{"p", policy()}, {"q", policy()}}, point);
    CHECK(is_listed(before.pid(), "p"));
    CHECK(is_listed(before.pid(), "q"));
    CHECK_FALSE(is_listed(after.pid(), "p"));
    CHECK(is_listed(after.pid(), "q"));
}

TEST_CASE_METHOD(Unconfined, "what a process forks is as confined as it is") {
    CAPTURE(point);
    // The shell is selected; what it forks has the same program.
    const fs::path shell = world.root / "shell";
    fs::copy_file("/bin/bash", shell);
    const Arguments forking{shell, "-c", "( while :; do read -t 1 <> <(:); done ) & wait"};
    const auto children = [](const Process& parent) {
        std::istringstream stream(run({"/usr/bin/pgrep", "-P", std::to_string(parent.pid())}).out);
        std::vector<pid_t> pids;
        for (pid_t pid = 0; stream >> pid;)
            pids.push_back(pid);
        return pids;
    };
    const std::string text = match_exe(shell) + harmless;
    Process before(forking);
    REQUIRE(eventually([&] { return !children(before).empty(); }));
    load({{"p", text}}, point);
    Process after(forking);
    REQUIRE(eventually([&] { return !children(after).empty(); }));
    CHECK(is_listed(children(before).at(0), "p"));
    CHECK_FALSE(is_listed(children(after).at(0), "p"));
    for (const pid_t pid : {children(before).at(0), children(after).at(0)})
        ::kill(pid, SIGKILL);
}

TEST_CASE_METHOD(Unconfined, "what a thread executes is as confined as its process") {
    CAPTURE(point);
    load({{"p", match_exe(world.program) + harmless}}, point);
    const Process process({world.program, "via-thread", "--", sleeper, "1000"});
    REQUIRE(eventually([&] { return runs(process); }));
    load({{"p", match_exe(world.program) + policy()}, {"q", policy()}}, point);
    CHECK_FALSE(is_listed(process.pid(), "p"));
    CHECK(is_listed(process.pid(), "q"));
}

TEST_CASE_METHOD(Unconfined, "all that a policy selects by is looked at") {
    CAPTURE(point);
    const Process root(sleeping());
    const Process other(sleeping(), as_user(1234, 1235, {4321}));
    REQUIRE(eventually([&] { return runs(root) && runs(other); }));
    load({{"beneath", match("exe_beneath = [\"" + world.root.string() + "\"]") + harmless},
          {"elsewhere", match("exe_beneath = [\"" + world.open.string() + "\"]") + harmless},
          {"user", match("user = [1234]") + harmless},
          {"group", match("group = [4321]") + harmless},
          {"both", policy("user = [0]\ngroup = [4321]")},
          {"cgroup", match("cgroup = [\"/vmtest\"]\nuser = [1234]") + harmless},
          {"other-cgroup", match("cgroup = [\"/other\"]\nuser = [1234]") + harmless}},
         point);
    const Json processes = status()["unconfined"];
    const auto listed = [&](const Process& process) {
        std::string names;
        for (const Json& one : processes)
            if (one["pid"] == process.pid())
                names += one["policy"].get<std::string>() + " ";
        return names;
    };
    CHECK(listed(root) == "beneath ");
    CHECK(listed(other) == "beneath cgroup group user ");
}

TEST_CASE_METHOD(Unconfined, "an execution that fails confines nobody") {
    CAPTURE(point);
    const fs::path go = world.root / "go";
    const fs::path stop = world.root / "stop";
    const fs::path tried = world.root / "tried";
    Process process({world.program, "wait:" + go.string(), "try-exec:" + world.broken.string(),
                     "create:" + tried.string(), "wait:" + stop.string(), "layers"});
    load({{"p", world.policy()}}, point);
    CHECK(is_listed(process.pid(), "p"));
    write_file(go, "");
    REQUIRE(eventually([&] { return fs::exists(tried); }));
    CHECK(status_of("p")["matched"] == (point == staged ? 1 : 0));
    CHECK(is_listed(process.pid(), "p"));
    write_file(stop, "");
    CHECK(process.wait()["layers"] == "0");
}

TEST_CASE_METHOD(Unconfined, "processes that end meanwhile are not listed") {
    CAPTURE(point);
    load({{"p", world.policy()}}, point);
    const fs::path stop = world.root / "stop";
    Process storm({launcher(), "via-repeat:1000000:" + stop.string(), "--", world.program,
                   world.read_closed});
    for (int i = 0; i < 10; ++i)
        CHECK(status()["unconfined"].empty());
    write_file(stop, "");
    const std::string ends = storm.wait()["exec"];
    CAPTURE(ends);
    CHECK(all_confined(ends));
}

TEST_CASE_METHOD(Unconfined,
                 "a process that does not get out of execve(2) is listed all the same") {
    CAPTURE(point);
    const pid_t traced = ::fork();
    REQUIRE(traced >= 0);
    if (traced == 0) {
        ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
        ::raise(SIGSTOP);
        ::execl(sleeper.c_str(), "sleeper", "1000", nullptr);
        ::_exit(1);
    }
    int wait_status = 0;
    REQUIRE(::waitpid(traced, &wait_status, 0) == traced);
    REQUIRE(::ptrace(PTRACE_SETOPTIONS, traced, nullptr, PTRACE_O_TRACEEXEC) == 0);
    REQUIRE(::ptrace(PTRACE_CONT, traced, nullptr, nullptr) == 0);
    // Stops before it leaves execve(2), with the program and its credentials.
    REQUIRE(::waitpid(traced, &wait_status, 0) == traced);
    REQUIRE(wait_status >> 8 == (SIGTRAP | (PTRACE_EVENT_EXEC << 8)));
    load({{"p", policy()}}, point);
    CHECK(is_listed(traced, "p"));
    ::kill(traced, SIGKILL);
    ::waitpid(traced, &wait_status, 0);
}

TEST_CASE_METHOD(Unconfined, "more unconfined processes than descriptors are all listed") {
    CAPTURE(point);
    std::vector<std::unique_ptr<Process>> before;
    for (int i = 0; i < 320; ++i)
        before.push_back(std::make_unique<Process>(sleeping()));
    for (const auto& process : before)
        REQUIRE(eventually([&] { return runs(*process); }));
    load({{"p", policy()}}, point);
    const Ended ended = run({cli(), "--json", "status"}, [] {
        const rlimit few{.rlim_cur = 300, .rlim_max = 300};
        ::setrlimit(RLIMIT_NOFILE, &few);
    });
    CAPTURE(ended.err);
    REQUIRE(ended.code() == 0);
    CHECK(Json::parse(ended.out)["unconfined"].size() == before.size());
}
