// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What happens in the middle of what llexecd does: it is stopped there (steps.hpp).
#include "catch.hpp"
#include "kernel_objects.hpp"
#include "llexecd.hpp"
#include "steps.hpp"

#include <bpf/bpf.h>
#include <cerrno>
#include <csignal>
#include <sys/mount.h>
#include <unistd.h>

using namespace llexec::vmtest;

namespace {

class Race {
  public:
    Race() : world(ext4()) {}

    [[nodiscard]] bool confined() const { return world.confined(run(world.look(world.program))); }

    /// Whether it comes true while llexecd goes on.
    static bool eventually_on(Steps& steps, const std::function<bool()>& condition) {
        return eventually([&] {
            while (steps.next())
                steps.go_on();
            return condition();
        });
    }

    /// The generation that is enforced, as the programs see it.
    static std::uint64_t current() {
        const int map = bpf_obj_get("/sys/fs/bpf/llexec/llexec_current");
        const std::uint32_t only = 0;
        std::uint64_t generation = 0;
        if (map < 0 || bpf_map_lookup_elem(map, &only, &generation) != 0)
            generation = 0;
        ::close(map);
        return generation;
    }

    Place place;
    World world;
};

} // namespace

TEST_CASE_METHOD(Race, "what is mounted over a program while policies are loaded is followed") {
    place.put("p", world.policy());
    Steps steps("bpf");
    Llexecd daemon(place, {}, steps.in_child());
    steps.watch(daemon.pid());
    REQUIRE(eventually_on(steps, [&] { return daemon.has_notified("READY=1"); }));
    const auto before = current();
    REQUIRE(before != 0);
    daemon.signal(SIGHUP);
    // The paths are resolved, and the load goes on.
    REQUIRE(eventually([&] {
        for (int i = 0; i < 1000; ++i) {
            if (!steps.next())
                continue;
            if (current() != before)
                return true;
            steps.go_on();
        }
        return false;
    }));
    const fs::path bin = world.program.parent_path();
    REQUIRE(::mount("none", bin.c_str(), "tmpfs", 0, nullptr) == 0);
    place_program(world.program);
    CHECK_FALSE(confined());
    steps.go_on();
    CHECK(eventually_on(steps, [&] { return confined(); }));
    daemon.kill();
    REQUIRE(::umount2(bin.c_str(), MNT_DETACH) == 0);
}

TEST_CASE_METHOD(Race, "what is written while llexecd starts is in force soon after") {
    // Its directory is the last one to be watched.
    const fs::path elsewhere = "/zz-llexec-test";
    const fs::path common = elsewhere / "common.toml";
    fs::remove_all(elsewhere);
    fs::create_directories(elsewhere);
    fs::permissions(elsewhere, fs::perms{0755});
    int version = 0;
    const auto file = [&] {
        return world.closed / std::to_string(version);
    };
    const auto write_next = [&] {
        ++version;
        write_file(file(), "text\n");
        write_file(elsewhere / "fresh",
                   "abi = 9\n" + only(world.open) +
                       "[[path_beneath]]\nallowed_access = [\"read_file\"]\nparent = [\"" +
                       file().string() + "\"]\n");
        fs::rename(elsewhere / "fresh", common);
    };
    write_next();
    place.put("p", "include = [\"" + common.string() + "\"]\n" + match_exe(world.program));

    Steps steps("inotify_add_watch");
    Llexecd daemon(place, {}, steps.in_child());
    steps.watch(daemon.pid());
    int stops = 0;
    bool ready = false;
    REQUIRE(eventually([&] {
        while (steps.next()) {
            if (++stops == 1)
                place.put("q", match_exe(world.root / "other") + only(world.open));
            write_next();
            steps.go_on();
        }
        ready = ready || daemon.has_notified("READY=1");
        return ready;
    }));
    CHECK(stops > 2);
    CAPTURE(stops, Json(daemon.said()).dump(1));
    CHECK(eventually_on(steps, [&] { return status()["policies"].size() == 3; }));
    CHECK(eventually_on(steps, [&] {
        const std::string word = "read:" + file().string();
        return run({world.program, word})[word] == "allowed";
    }));
    daemon.kill();
    fs::remove_all(elsewhere);
}

TEST_CASE_METHOD(Race,
                 "a take-over that stops half-way is said, and the new policies are in force") {
    {
        Llexecd daemon(place);
        REQUIRE(daemon.is_ready());
    }
    REQUIRE(pretend_other_version(false));
    place.put("p", world.policy());
    Steps steps("rename");
    Llexecd daemon(place, {}, steps.in_child());
    steps.watch(daemon.pid());
    // The pin of the first program.
    REQUIRE(eventually([&] { return steps.next().has_value(); }));
    steps.fail(EIO);
    CHECK(eventually_on(steps, [&] { return daemon.has_notified("READY=1"); }));
    const auto said = daemon.said("the programs of another version are still attached");
    REQUIRE(said.size() == 1);
    CHECK(said[0]["PRIORITY"] == 4);
    CHECK(confined());
    // It is made good at the next load.
    daemon.signal(SIGHUP);
    CHECK(eventually_on(steps, [&] { return daemon.has_notified("READY=1"); }));
    CHECK(daemon.said("the programs of another version are still attached").size() == 1);
    CHECK(confined());
    CHECK(run({world.program, "layers"})["layers"] == "1");
}
