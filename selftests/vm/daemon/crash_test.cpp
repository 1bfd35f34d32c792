// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// llexecd that is killed leaves the old or the new generation, at whatever step that happens.
//
// The steps are the system calls that change what is loaded or kept: strace(1) kills llexecd on its
// way into the Nth of them. CRASH_STEP=1 tries each one, and KILLS=1000 kills that often at random
// times; without them a few are tried.
#include "catch.hpp"
#include "kernel_objects.hpp"
#include "llexecd.hpp"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <thread>

using namespace llexec::vmtest;

namespace {

constexpr const char* steps = "bpf,mkdir,rmdir,rename,unlink,fsync,landlock_create_ruleset,"
                              "landlock_restrict_self,capset";

int number_from(const char* variable, int otherwise) {
    const char* const value = std::getenv(variable);
    return value != nullptr ? std::atoi(value) : otherwise;
}

/// What is loaded when llexecd starts.
enum class Before { nothing, same_version, other_version };

void end_all_daemons() {
    for (const auto& entry : fs::directory_iterator("/proc")) {
        std::ifstream comm(entry.path() / "comm");
        std::string name;
        if (std::getline(comm, name) && name == "llexecd")
            ::kill(std::atoi(entry.path().filename().c_str()), SIGKILL);
    }
}

class Crash {
  public:
    Crash() : world(ext4()) { place.put("p", world.policy()); }
    ~Crash() { end_all_daemons(); }
    Crash(const Crash&) = delete;
    Crash& operator=(const Crash&) = delete;

    [[nodiscard]] bool confined() const {
        const Ended ended = run({world.program, "layers", world.read_open, world.read_closed});
        return ended["layers"] == "1" && ended[world.read_open] == "allowed" &&
               ended[world.read_closed] == "denied";
    }
    [[nodiscard]] bool unconfined() const {
        return world.unconfined(run(world.look(world.program)));
    }

    /// Starts llexecd and kills it in its Nth step. False if it has fewer.
    [[nodiscard]] bool kill_in_step(int step) const {
        const std::string inject =
            std::string("inject=") + steps + ":signal=KILL:when=" + std::to_string(step);
        Llexecd daemon(place, {"/usr/bin/strace", "-f", "-qq", "-o", "/dev/null", "-e",
                               std::string("trace=") + steps, "-e", inject});
        const bool ready = daemon.is_ready();
        end_all_daemons();
        return !ready;
    }

    /// The generation that is enforced, or 0; checks that it is a whole one.
    std::uint64_t check_whole() const {
        const Json now = status();
        CAPTURE(now);
        const std::uint64_t generation =
            now["loaded"] == true ? now["generation"].get<std::uint64_t>() : 0;
        if (generation == 0)
            CHECK(unconfined());
        else
            CHECK(confined());
        if (generation != 0)
            CHECK(now["policies"].size() == 2);
        return generation;
    }

    /// Whoever comes next is not disturbed by what is left, and cleans it up.
    void check_next_start() const {
        Llexecd daemon(place);
        REQUIRE(daemon.is_ready());
        CHECK(confined());
        CHECK(std::distance(fs::directory_iterator("/sys/fs/bpf"), fs::directory_iterator()) == 1);
        CHECK(std::distance(fs::directory_iterator("/sys/fs/bpf/llexec"),
                            fs::directory_iterator()) == pins);
        CHECK(fs::exists(place.state / "last-good.json"));
        CHECK_FALSE(fs::exists(place.state / "last-good.json.new"));
        CHECK(daemon.stop().code() == 0);
    }

    /// Loaded as when llexecd had done nothing but start once.
    void load_once() {
        Llexecd daemon(place);
        REQUIRE(daemon.is_ready());
        pins =
            std::distance(fs::directory_iterator("/sys/fs/bpf/llexec"), fs::directory_iterator());
        CHECK(daemon.stop().code() == 0);
    }

    void kill_in_each_step(const char* name, Before before) {
        load_once();
        const int stride = number_from("CRASH_STEP", 60);
        int tried = 0;
        for (int step = 1;; step += stride) {
            CAPTURE(step);
            if (before == Before::nothing)
                unload();
            if (before == Before::other_version)
                REQUIRE(pretend_other_version(false));
            const std::uint64_t old = before == Before::nothing ? 0 : check_whole();
            const bool killed = kill_in_step(step);
            const std::uint64_t now = check_whole();
            CHECK((now == old || now == old + 1));
            if (!killed)
                break;
            ++tried;
            if (before == Before::nothing)
                check_next_start();
        }
        check_next_start();
        std::printf("%s: killed in %d steps, every %d\n", name, tried, stride);
        std::fflush(stdout);
        CHECK(tried > 0);
    }

    Place place;
    World world;
    std::ptrdiff_t pins = 0;
};

} // namespace

TEST_CASE_METHOD(Crash,
                 "llexecd that is killed in any step of a first load leaves all or nothing") {
    kill_in_each_step("load", Before::nothing);
}

TEST_CASE_METHOD(Crash, "llexecd that is killed in any step of a reload leaves one generation") {
    kill_in_each_step("reload", Before::same_version);
}

TEST_CASE_METHOD(Crash, "llexecd that is killed in any step of a take-over leaves one generation") {
    kill_in_each_step("take-over", Before::other_version);
}

TEST_CASE_METHOD(Crash, "llexecd that is killed at any time leaves one whole generation") {
    load_once();
    const auto start = std::chrono::steady_clock::now();
    load_once();
    const std::chrono::duration<double, std::milli> whole =
        std::chrono::steady_clock::now() - start;
    std::minstd_rand random(20260101);
    std::uniform_real_distribution<double> when(0.0, 1.2);
    const int kills = number_from("KILLS", 6);
    std::uint64_t generation = check_whole();
    for (int i = 0; i < kills; ++i) {
        CAPTURE(i);
        if (i % 3 == 0)
            REQUIRE(pretend_other_version(false));
        {
            const Llexecd daemon(place);
            std::this_thread::sleep_for(
                std::chrono::milliseconds(static_cast<long>(whole.count() * when(random))));
            if (i % 2 == 0)
                daemon.signal(SIGHUP);
            daemon.kill();
        }
        const std::uint64_t now = check_whole();
        CHECK((now == generation || now == generation + 1));
        generation = now;
    }
    check_next_start();
    std::printf("killed %d times\n", kills);
    std::fflush(stdout);
}
