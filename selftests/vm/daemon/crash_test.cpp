// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// llexecd that is killed leaves the old or the new generation, at whatever step that happens, and
// the next llexecd is not kept out by what is left.
//
// The steps are the system calls that change what is loaded or kept: llexecd is stopped on its way
// into each of them (steps.hpp), and killed there or let go on. That is not done with strace(1): a
// program that is traced when it is executed is not trusted by the guard. For each of the system
// calls, CRASH_STEP=1 kills in its first use, its second and so on until it is not used again, and
// KILLS=1000 kills that often at random times; without them, in the first use of each, some more,
// and a few times. CRASH_CALL=unlink leaves the other system calls out; CRASH_CALL=bpf takes each
// use of bpf(2), also those that change nothing.
#include "catch.hpp"
#include "kernel_objects.hpp"
#include "llexecd.hpp"
#include "steps.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <random>
#include <string>
#include <thread>
#include <vector>

using namespace llexec::vmtest;

namespace {

const fs::path pin_root = "/sys/fs/bpf";
const fs::path pins = pin_root / "llexec";
const fs::path off = "/etc/llexec/off";

int number_from(const char* variable, int otherwise) {
    const char* const value = std::getenv(variable);
    return value != nullptr ? std::atoi(value) : otherwise;
}

std::ptrdiff_t entries(const fs::path& directory) {
    std::error_code none;
    return std::distance(fs::directory_iterator(directory, none), fs::directory_iterator());
}

/// The pins of programs that have not taken the place of others yet, in order.
std::vector<std::string> successor_pins() {
    std::vector<std::string> names;
    for (const auto& pin : fs::directory_iterator(pins))
        if (const std::string name = pin.path().filename(); name.find("_new") != std::string::npos)
            names.push_back(name);
    std::ranges::sort(names);
    return names;
}

bool unlinks(const fs::path& path) {
    return ::unlink(path.c_str()) == 0;
}

/// The use of a system call to be killed in: the first is 1.
struct Step {
    std::string call;
    int use = 0; ///< 0: none
};

/// The call that is looked for; empty: all.
std::string only_call() {
    const char* const call = std::getenv("CRASH_CALL");
    return call != nullptr ? call : "";
}

std::string stops(const Step& step) {
    return step.call.empty() ? only_call() : step.call;
}

enum class End { killed, ready, failed };

class Crash {
  public:
    Crash() : world(ext4()) {
        place.put("p", world.policy());
        protect(false);
    }
    ~Crash() {
        // The next test unloads, which a guard would refuse.
        std::error_code ignored;
        fs::remove(off, ignored);
        protect(false);
        Llexecd daemon(place);
        static_cast<void>(daemon.is_ready());
    }
    Crash(const Crash&) = delete;
    Crash& operator=(const Crash&) = delete;

    void protect(bool yes) const {
        write_file(place.config, std::string("protect = ") + (yes ? "true" : "false") +
                                     "\nmetrics = \"" + place.metrics.string() + "\"\n");
    }
    static void switch_off(bool yes) {
        fs::create_directories(off.parent_path());
        if (yes)
            write_file(off, "");
        else
            fs::remove(off);
    }

    [[nodiscard]] bool confined(int layers = 1) const {
        const Ended ended = run({world.program, "layers", world.read_open, world.read_closed});
        return ended["layers"] == std::to_string(layers) && ended[world.read_open] == "allowed" &&
               ended[world.read_closed] == "denied";
    }
    [[nodiscard]] bool unconfined() const {
        return world.unconfined(run(world.look(world.program)));
    }

    // -- Being killed -------------------------------------------------------

    /// Lets llexecd go on until it is ready, or kills it in `step`; and counts its calls.
    End follow(Steps& steps, Llexecd& daemon, const Step& step) {
        made.clear();
        for (int quiet = 0; quiet < 6000 * slowness();) {
            const auto call = steps.next();
            if (!call) {
                ++quiet;
                // Only now: what it does just after it has said that it is ready belongs to it.
                if (daemon.has_notified("READY=1"))
                    return End::ready;
                if (!daemon.is_running())
                    return End::failed;
                continue;
            }
            if (++made[*call] == step.use && *call == step.call) {
                daemon.kill();
                return End::killed;
            }
            steps.go_on();
        }
        return End::failed;
    }

    End start(const Step& step) {
        Steps steps(stops(step));
        Llexecd daemon(place, {}, steps.in_child());
        steps.watch(daemon.pid());
        return follow(steps, daemon, step);
    }

    /// A second policy comes while it runs.
    End reload(const Step& step) {
        Steps steps(stops(step));
        Llexecd daemon(place, {}, steps.in_child());
        steps.watch(daemon.pid());
        REQUIRE(follow(steps, daemon, {}) == End::ready);
        generation = check_whole(1);
        place.put("q", world.policy());
        daemon.signal(SIGHUP);
        return follow(steps, daemon, step);
    }

    struct Phase {
        const char* name;
        std::initializer_list<const char*> calls; ///< that it has to make
        std::function<void()> before;
        std::function<End(const Step&)> work;
        std::function<void()> after; ///< checks what is left, and makes it fit for the next time
    };

    void kill_in_each_step(const Phase& phase) {
        const auto attempt = [&](const Step& step) {
            CAPTURE(step.call, step.use);
            phase.before();
            const End end = phase.work(step);
            REQUIRE(end != End::failed);
            phase.after();
            return end;
        };
        REQUIRE(attempt({}) == End::ready);
        Calls uses = made;
        const int stride = number_from("CRASH_STEP", 150);
        Calls killed;
        for (auto& [call, last] : uses) {
            // One after the last, too: there has to be none.
            for (int use = 1; use <= last + 1; use += stride) {
                if (attempt({.call = call, .use = use}) != End::killed)
                    break;
                ++killed[call];
                last = std::max(last, use);
            }
        }
        std::string words;
        for (const auto& [call, times] : killed)
            words += (words.empty() ? "" : ", ") + std::to_string(times) + " of " +
                     std::to_string(uses[call]) + " " + call;
        std::printf("%s: killed in %s\n", phase.name, words.c_str());
        std::fflush(stdout);
        for (const char* const call : phase.calls) {
            CAPTURE(call);
            CHECK((killed[call] > 0 || !only_call().empty()));
        }
    }

    // -- What is left -------------------------------------------------------

    /// The generation that is enforced, or 0; checks that it is a whole one.
    std::uint64_t check_whole(int policies = 1) const {
        const Json now = status();
        CAPTURE(now);
        const std::uint64_t current =
            now["loaded"] == true ? now["generation"].get<std::uint64_t>() : 0;
        if (current == 0) {
            CHECK(unconfined());
        } else {
            CHECK(confined(policies));
            CHECK(now["policies"].size() == static_cast<std::size_t>(policies) + 1);
        }
        return current;
    }

    /// The old one, or the one that was being loaded.
    void check_old_or_new() const {
        const std::uint64_t now = check_whole();
        CHECK((now == generation || now == generation + 1));
    }

    /// Whoever comes next is not disturbed by what is left, and cleans it up.
    void check_next_start(bool guarded = false) const {
        Llexecd daemon(place);
        REQUIRE(daemon.is_ready());
        CHECK(daemon.said("guarded").empty());
        // What another layout's programs still add goes a little later.
        CHECK(eventually([&] { return confined(); }));
        CHECK(entries(pin_root) == 1);
        CHECK(entries(pins) == (guarded ? guarded_pins : unguarded_pins));
        CHECK(fs::exists(place.state / "last-good.json"));
        CHECK_FALSE(fs::exists(place.state / "last-good.json.new"));
        if (guarded)
            CHECK_FALSE(unlinks(pins / "link_llexec_enforce"));
        CHECK(daemon.stop().code() == 0);
    }

    /// So does somebody who switches it off.
    void check_next_switched_off() const {
        switch_off(true);
        Llexecd daemon(place);
        REQUIRE(daemon.is_ready());
        // What is removed with leftovers is not waited for.
        CHECK(eventually([&] { return unconfined(); }));
        CHECK(entries(pin_root) == 0);
        CHECK(daemon.stop().code() == 0);
        switch_off(false);
    }

    /// Loaded as when llexecd had done nothing but start once.
    void load_once(bool guarded = false) {
        protect(guarded);
        Llexecd daemon(place);
        REQUIRE(daemon.is_ready());
        (guarded ? guarded_pins : unguarded_pins) = entries(pins);
        CHECK(daemon.stop().code() == 0);
    }

    /// Both ways out of a half guard, in turn.
    void check_ways_out() {
        if (++ways_out % 2 == 0)
            check_next_switched_off();
        protect(false);
        check_next_start();
    }

    Place place;
    World world;
    Calls made;
    std::uint64_t generation = 0; ///< before the last attempt
    std::ptrdiff_t unguarded_pins = 0;
    std::ptrdiff_t guarded_pins = 0;
    int ways_out = 0;
};

} // namespace

TEST_CASE_METHOD(Crash,
                 "llexecd that is killed in any step of a first load leaves all or nothing") {
    load_once();
    kill_in_each_step({.name = "load",
                       .calls = {"BPF_MAP_UPDATE_ELEM", "BPF_OBJ_PIN", "mkdir", "rename", "fsync",
                                 "landlock_create_ruleset", "landlock_restrict_self", "capset"},
                       .before =
                           [&] {
                               unload();
                               generation = 0;
                           },
                       .work = [&](const Step& step) { return start(step); },
                       .after =
                           [&] {
                               check_old_or_new();
                               check_next_start();
                           }});
}

TEST_CASE_METHOD(Crash, "llexecd that is killed while it undoes a first load is in nobody's way") {
    load_once();
    // Each of the pins of links, which go first, and one more.
    for (int use = 1; use <= 6; ++use) {
        CAPTURE(use);
        unload();
        fs::remove(place.state / "last-good.json");
        // Found out when everything is attached.
        place.put("q",
                  match_exe("/nowhere") + enforce("missing_paths = \"error\"") + only(world.open));
        REQUIRE(start({.call = "unlinkat", .use = use}) == End::killed);
        // Not half of it: it had another name by then.
        CHECK(status()["loaded"] == false);
        CHECK(unconfined());
        place.remove("q");
        check_next_start();
    }
}

TEST_CASE_METHOD(Crash, "llexecd that is killed in any step of a reload leaves one generation") {
    load_once();
    kill_in_each_step({.name = "reload",
                       .calls = {"BPF_MAP_UPDATE_ELEM", "rename", "unlink", "fsync",
                                 "landlock_create_ruleset", "landlock_restrict_self", "capset"},
                       .before = [&] { generation = check_whole(); },
                       .work = [&](const Step& step) { return start(step); },
                       .after =
                           [&] {
                               check_old_or_new();
                           }});
    check_next_start();
}

TEST_CASE_METHOD(Crash, "llexecd that is killed in any step of a take-over leaves one generation") {
    load_once();
    kill_in_each_step({.name = "take-over",
                       .calls = {"BPF_MAP_UPDATE_ELEM", "BPF_OBJ_PIN", "rename", "unlink", "fsync",
                                 "landlock_create_ruleset", "landlock_restrict_self", "capset"},
                       .before =
                           [&] {
                               REQUIRE(pretend_other_version(false));
                               generation = check_whole();
                           },
                       .work = [&](const Step& step) { return start(step); },
                       .after =
                           [&] {
                               check_old_or_new();
                           }});
    check_next_start();
}

TEST_CASE_METHOD(Crash, "llexecd that is killed in any step of a second take-over leaves what the "
                        "first has attached") {
    load_once();
    // Where the first is killed: its generation is the current one, and its pins have the names
    // that they came with. Other programs would not know that generation's files.
    Step published{.call = "rename", .use = 0};
    std::vector<std::string> successor;
    const auto kill_first = [&] {
        REQUIRE(pretend_other_version(false));
        const std::uint64_t before = check_whole();
        REQUIRE(start(published) == End::killed);
        generation = check_whole();
        successor = successor_pins();
        return generation == before + 1 && !successor.empty();
    };
    do
        ++published.use;
    while (!kill_first());
    check_next_start();

    kill_in_each_step({.name = "second take-over",
                       .calls = {"BPF_MAP_UPDATE_ELEM", "BPF_OBJ_PIN", "rename", "unlink", "fsync",
                                 "landlock_create_ruleset", "landlock_restrict_self", "capset"},
                       .before = [&] { REQUIRE(kill_first()); },
                       .work = [&](const Step& step) { return start(step); },
                       .after =
                           [&] {
                               check_old_or_new();
                               const std::vector<std::string> left = successor_pins();
                               CAPTURE(left, successor);
                               if (status()["generation"] == generation)
                                   CHECK(std::ranges::includes(left, successor));
                               check_next_start();
                           }});
}

TEST_CASE_METHOD(Crash,
                 "programs of a killed llexecd that cannot be removed keep the next one from "
                 "loading, not from enforcing") {
    load_once();
    REQUIRE(pretend_other_version(false));
    generation = check_whole();
    REQUIRE(start({.call = "BPF_OBJ_PIN", .use = 3}) == End::killed);
    REQUIRE(check_whole() == generation);
    REQUIRE_FALSE(successor_pins().empty());
    {
        Steps steps("unlinkat");
        Llexecd daemon(place, {}, steps.in_child());
        steps.watch(daemon.pid());
        int failed = 0;
        for (int quiet = 0; quiet < 3000 * slowness() && daemon.is_running();) {
            if (!steps.next()) {
                ++quiet;
                continue;
            }
            steps.fail(EIO);
            ++failed;
        }
        CHECK(failed > 0);
        CHECK_FALSE(daemon.is_running());
        CHECK_FALSE(daemon.has_notified("READY=1"));
        CHECK_FALSE(daemon.said("cannot remove the pin").empty());
    }
    CHECK(check_whole() == generation);
    check_next_start();
}

TEST_CASE_METHOD(Crash,
                 "llexecd that is killed in any step of a change of layout leaves one of the two") {
    load_once();
    kill_in_each_step({.name = "layout",
                       .calls = {"BPF_MAP_UPDATE_ELEM", "BPF_OBJ_PIN", "mkdir", "rename",
                                 "renameat2", "rmdir", "unlinkat", "fsync",
                                 "landlock_create_ruleset", "landlock_restrict_self", "capset"},
                       .before = [&] { REQUIRE(pretend_other_version(true)); },
                       .work = [&](const Step& step) { return start(step); },
                       .after =
                           [&] {
                               // The other layout's status cannot be read. Where both are attached,
                               // both enforce.
                               const Ended ended = run({cli(), "--json", "status"});
                               CAPTURE(ended.out);
                               if (ended.code() == 0) {
                                   const Json now = Json::parse(ended.out);
                                   CHECK(now["generation"] == 1);
                                   CHECK(now["policies"].size() == 2);
                               }
                               CHECK((confined() || confined(2)));
                               check_next_start();
                           }});
}

TEST_CASE_METHOD(Crash,
                 "llexecd that is killed in any step of a live reload leaves one generation") {
    load_once();
    kill_in_each_step(
        {.name = "live reload",
         .calls = {"BPF_MAP_UPDATE_ELEM", "rename", "unlink", "fsync", "landlock_create_ruleset"},
         .before = [&] { place.remove("q"); },
         .work = [&](const Step& step) { return reload(step); },
         .after =
             [&] {
                 const bool old = status()["generation"] == generation;
                 const std::uint64_t now = check_whole(old ? 1 : 2);
                 // It sees for itself that there is another policy, too.
                 CHECK(now <= generation + 2);
             }});
    place.remove("q");
    check_next_start();
}

TEST_CASE_METHOD(Crash, "llexecd that is killed in any step of guarding lets the next one in") {
    load_once();
    kill_in_each_step({.name = "guard",
                       .calls = {"BPF_MAP_UPDATE_ELEM", "BPF_OBJ_PIN", "rename", "unlink", "fsync",
                                 "landlock_create_ruleset", "landlock_restrict_self", "capset"},
                       .before =
                           [&] {
                               protect(true);
                               generation = check_whole();
                           },
                       .work = [&](const Step& step) { return start(step); },
                       .after =
                           [&] {
                               check_old_or_new();
                               check_ways_out();
                           }});
}

TEST_CASE_METHOD(Crash,
                 "llexecd that is killed in any step of guarding again leaves a whole guard") {
    load_once();
    load_once(true);
    kill_in_each_step({.name = "guard again",
                       .calls = {"BPF_MAP_UPDATE_ELEM", "rename", "unlink", "fsync",
                                 "landlock_create_ruleset", "landlock_restrict_self", "capset"},
                       .before = [&] { generation = check_whole(); },
                       .work = [&](const Step& step) { return start(step); },
                       .after =
                           [&] {
                               check_old_or_new();
                               check_next_start(true);
                           }});
}

TEST_CASE_METHOD(Crash, "llexecd that is killed in any step of unguarding lets the next one in") {
    load_once();
    load_once(true);
    kill_in_each_step({.name = "unguard",
                       .calls = {"BPF_MAP_UPDATE_ELEM", "rename", "unlinkat", "fsync",
                                 "landlock_create_ruleset", "landlock_restrict_self", "capset"},
                       .before =
                           [&] {
                               protect(false);
                               generation = check_whole();
                           },
                       .work = [&](const Step& step) { return start(step); },
                       .after =
                           [&] {
                               check_old_or_new();
                               protect(true);
                               check_next_start(true);
                           }});
}

TEST_CASE_METHOD(Crash,
                 "llexecd that is killed in any step of switching off lets the next one in") {
    load_once();
    load_once(true);
    kill_in_each_step({.name = "switch off",
                       .calls = {"rename", "unlinkat", "rmdir", "landlock_restrict_self", "capset"},
                       .before = [&] { switch_off(true); },
                       .work = [&](const Step& step) { return start(step); },
                       .after =
                           [&] {
                               // Half of it is enough to select and not to enforce, not to harm.
                               CHECK((confined() || unconfined()));
                               check_next_switched_off();
                               check_next_start(true);
                           }});
}

TEST_CASE_METHOD(Crash, "llexecd that is killed at any time leaves one whole generation") {
    using Clock = std::chrono::steady_clock;
    using Time = std::chrono::duration<double, std::milli>;
    load_once();
    Time whole{};
    Time live{};
    {
        const auto begin = Clock::now();
        Llexecd daemon(place);
        REQUIRE(daemon.is_ready());
        const auto ready = Clock::now();
        REQUIRE(daemon.reload());
        whole = ready - begin;
        live = Clock::now() - ready;
        CHECK(daemon.stop().code() == 0);
    }
    std::minstd_rand random(20260101);
    const auto wait_up_to = [&](Time time) {
        std::this_thread::sleep_for(time *
                                    std::uniform_real_distribution<double>(0.0, 1.2)(random));
    };
    const int kills = number_from("KILLS", 8);
    generation = check_whole();
    int live_kills = 0;
    for (int i = 0; i < kills; ++i) {
        CAPTURE(i);
        const bool hangs_up = i % 2 == 0;
        const bool is_live = i % 4 == 0;
        if (i % 3 == 0)
            REQUIRE(pretend_other_version(false));
        {
            Llexecd daemon(place);
            if (is_live) {
                REQUIRE(daemon.is_ready());
                ++live_kills;
            } else {
                wait_up_to(whole);
            }
            if (hangs_up) {
                daemon.signal(SIGHUP);
                wait_up_to(live);
            }
            daemon.kill();
        }
        const std::uint64_t now = check_whole();
        CHECK(now >= generation + (is_live ? 1 : 0));
        CHECK(now <= generation + (hangs_up ? 2 : 1));
        generation = now;
        // A thousand take long on an emulated machine.
        if ((i + 1) % 100 == 0) {
            std::printf("killed %d times so far\n", i + 1);
            std::fflush(stdout);
        }
    }
    check_next_start();
    std::printf("killed %d times, %d of them in a reload or after it\n", kills, live_kills);
    std::fflush(stdout);
}
