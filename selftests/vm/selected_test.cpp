// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// An execution that a policy names by its exe is confined, however it comes about.
#include "catch.hpp"
#include "kernel_objects.hpp"
#include "policies.hpp"

#include <algorithm>
#include <climits>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace llexec::vmtest;

namespace {

/// A world on each file system, their policies loaded.
class Selected {
  public:
    Selected() : point(GENERATE(committing, staged)) {
        // The positive control of everything below.
        for (const auto& world : worlds)
            for (const fs::path& path : {world->program, world->script, world->own_script})
                REQUIRE(world->unconfined(run(world->look(path))));
        load(worlds.policies(), point);
    }

    std::string point;
    Worlds worlds;
};

} // namespace

TEST_CASE_METHOD(Selected, "a program is confined when it is executed by its path") {
    for (const auto& each : worlds) {
        const World& world = *each;
        CAPTURE(point, world.file_system.name);
        events(); // what was before
        const Ended ended = run(world.look(world.program));
        CAPTURE(ended.out, ended.err);
        CHECK(world.confined(ended));

        const Json policy = status_of(world.file_system.name);
        CHECK(policy["matched"] == 1);
        CHECK(policy["applied"] == 1);
        CHECK(policy["failed"] == 0);
        const auto seen = events();
        REQUIRE(seen.size() == 1);
        CHECK(seen[0]["policy"] == world.file_system.name);
        CHECK(seen[0]["outcome"] == "applied");
        CHECK(seen[0]["filename"] == world.program.string());
        CHECK(seen[0]["exe"] == world.program.string());
    }
}

TEST_CASE_METHOD(Selected, "a program is confined when a shell starts it, and the shell is not") {
    for (const auto& each : worlds) {
        const World& world = *each;
        CAPTURE(point, world.file_system.name);
        const std::string line = world.program.string() + " " + world.read_open + " " +
                                 world.read_closed + "; echo code $?; cat " +
                                 (world.closed / "file").string();
        const Ended ended = run({"sh", "-c", line});
        CAPTURE(ended.out, ended.err);
        CHECK(ended[world.read_open] == "allowed");
        CHECK(ended[world.read_closed] == "denied");
        CHECK(ended.out.ends_with("code 1\nclosed\n"));
    }
}

TEST_CASE_METHOD(Selected, "a program is confined when one of many threads executes it") {
    for (const auto& each : worlds) {
        const World& world = *each;
        CAPTURE(point, world.file_system.name);
        const Trace trace;
        const Ended ended = run({launcher(), "via-thread", "--", world.program, "status:Threads",
                                 "layers", world.read_open, world.read_closed});
        CAPTURE(ended.out, ended.err, trace.text());
        CHECK(world.confined(ended));
        CHECK(ended["status:Threads"] == "1");
        CHECK(ended["layers"] == "1");
        // "layers" makes 15 domains more, in its child.
        const auto made = trace.values("create_domain", "parent");
        CHECK(std::ranges::count(made, "0") == 1);
        const auto ruleset = status_of(world.file_system.name)["ruleset_id"].get<std::uint64_t>();
        CHECK(ruleset == ruleset_id(status_of(world.file_system.name)["slot"]));
    }
}

TEST_CASE_METHOD(Selected, "a script is confined by a policy about the script") {
    for (const auto& each : worlds) {
        const World& world = *each;
        CAPTURE(point, world.file_system.name);
        const Ended ended = run(world.look(world.script));
        CAPTURE(ended.out, ended.err);
        CHECK(world.confined(ended));
        // Not any other use of the interpreter.
        CHECK(world.unconfined(run(world.look(launcher()))));
    }
}

TEST_CASE_METHOD(Selected, "a script is confined by a policy about its interpreter") {
    for (const auto& each : worlds) {
        const World& world = *each;
        CAPTURE(point, world.file_system.name);
        const fs::path script = world.root / "bin/unnamed";
        write_file(script, "#!" + world.program.string() + "\n", fs::perms{0755});
        const Ended ended = run(world.look(script));
        CAPTURE(ended.out, ended.err);
        CHECK(world.confined(ended));
        CHECK(status_of(world.file_system.name)["applied"] == 1);
    }
}

TEST_CASE_METHOD(Selected, "a program is confined once when script and interpreter match") {
    for (const auto& each : worlds) {
        const World& world = *each;
        CAPTURE(point, world.file_system.name);
        const Ended ended = run({world.own_script, "layers"});
        CAPTURE(ended.out, ended.err);
        CHECK(ended["layers"] == "1");
    }
}

TEST_CASE_METHOD(Selected, "a program is confined when it is executed by a descriptor") {
    for (const auto& each : worlds) {
        const World& world = *each;
        CAPTURE(point, world.file_system.name);
        const Ended ended = run(world.look_via("via-empty-path", world.program));
        CAPTURE(ended.out, ended.err);
        CHECK(world.confined(ended));
    }
}

TEST_CASE_METHOD(Selected, "a program is confined under each of its names") {
    for (const auto& each : worlds) {
        const World& world = *each;
        CAPTURE(point, world.file_system.name);
        const fs::path symbolic = world.root / "symbolic";
        const fs::path hard = world.root / "hard";
        const fs::path renamed = world.root / "bin/renamed";
        const fs::path moved = world.root / "moved";
        fs::create_symlink(world.program, symbolic);
        CHECK(world.confined(run(world.look(symbolic))));
        fs::create_hard_link(world.program, hard);
        CHECK(world.confined(run(world.look(hard))));
        fs::rename(world.program, renamed);
        CHECK(world.confined(run(world.look(renamed))));
        fs::rename(renamed, moved);
        CHECK(world.confined(run(world.look(moved))));
    }
}

TEST_CASE_METHOD(Selected, "a program is confined through mounts of its own") {
    for (const auto& each : worlds) {
        const World& world = *each;
        CAPTURE(point, world.file_system.name);
        const fs::path directory = world.root / "target";
        const fs::path file = world.root / "file";
        fs::create_directory(directory);
        place_program(file);
        REQUIRE(world.unconfined(run(world.look(file))));
        const auto bound = [](const fs::path& from, const fs::path& to) {
            return [from, to] {
                private_mounts();
                if (::mount(from.c_str(), to.c_str(), nullptr, MS_BIND, nullptr) != 0)
                    ::_exit(126);
            };
        };
        CHECK(world.confined(run(world.look(world.program), private_mounts)));
        CHECK(world.confined(
            run(world.look(directory / "program"), bound(world.program.parent_path(), directory))));
        CHECK(world.confined(run(world.look(file), bound(world.program, file))));
    }
}

// A copy-up changes what the file's data and its overlayfs inode are made of.
TEST_CASE("a program of a lower overlayfs layer is confined before and after it is copied up") {
    const auto point = GENERATE(committing, staged);
    CAPTURE(point);
    const World world(ext4());
    const auto overlay = [&](const fs::path& lower, const std::string& name) {
        const fs::path upper = world.root / (name + ".upper");
        const fs::path work = world.root / (name + ".work");
        for (const fs::path& path : {upper, work, world.root / name})
            fs::create_directory(path);
        const std::string options = "lowerdir=" + lower.string() + ",upperdir=" + upper.string() +
                                    ",workdir=" + work.string();
        REQUIRE(::mount("overlay", (world.root / name).c_str(), "overlay", 0, options.c_str()) ==
                0);
        return world.root / name;
    };
    const fs::path lower = world.root / "lower";
    place_program(lower / "program");
    place_program(lower / "other");
    const fs::path image = overlay(lower, "image");
    const fs::path container = overlay(image, "container");
    for (const fs::path& merged : {image, container}) {
        CAPTURE(merged);
        const fs::path program = merged / "program";
        const fs::path moved = merged / "moved";
        REQUIRE(world.unconfined(run(world.look(program))));
        load({{"p", match_exe(program) + only(world.open)}}, point);
        CHECK(world.confined(run(world.look(program))));
        CHECK(world.unconfined(run(world.look(merged / "other"))));
        // What it is made of is another file, and another one's layer.
        CHECK(world.unconfined(run(world.look(lower / "program"))));
        fs::permissions(program, fs::perms{0700});
        CHECK(world.confined(run(world.look(program))));
        fs::rename(program, moved);
        CHECK(world.confined(run(world.look(moved))));
        // An overlayfs cannot find its way back to a lower one: once its cache is gone, the file
        // has a number and a path that are new.
        if (merged == image) {
            REQUIRE(run({"sh", "-c", "echo 3 > /proc/sys/vm/drop_caches"}).code() == 0);
            CHECK(world.confined(run(world.look(moved))));
        }
        fs::rename(moved, program);
    }
    for (const fs::path& merged : {container, image})
        CHECK(::umount(merged.c_str()) == 0);
}

TEST_CASE_METHOD(Selected, "a program is confined from the instant that its file is replaced") {
    for (const auto& each : worlds) {
        const World& world = *each;
        CAPTURE(point, world.file_system.name);
        const fs::path fresh = world.root / "bin/fresh";
        for (int i = 0; i < 3; ++i) {
            place_program(fresh);
            CHECK(world.unconfined(run(world.look(fresh))));
            const Ended ended = run({launcher(), "via-rename:" + fresh.string(), "--",
                                     world.program, world.read_open, world.read_closed});
            CAPTURE(i, ended.out, ended.err);
            CHECK_FALSE(fs::exists(fresh));
            CHECK(world.confined(ended));
        }
    }
}

TEST_CASE("a program that is replaced is confined under its name, and before that beneath its "
          "directory") {
    const World world(ext4());
    const fs::path fresh = world.program.string() + ".dpkg-new";
    place_program(fresh);
    load({{"p", world.policy()}}, committing);
    CHECK(world.unconfined(run(world.look(fresh))));
    load({{"p", match_exe(world.program) +
                    match("exe_beneath = [\"" + fresh.parent_path().string() + "\"]") +
                    only(world.open)}},
         committing);
    CHECK(world.confined(run(world.look(fresh))));
    fs::rename(fresh, world.program);
    CHECK(world.confined(run(world.look(world.program))));
}

TEST_CASE("a program that does not exist when its policy is loaded is confined once it does") {
    const auto point = GENERATE(committing, staged);
    CAPTURE(point);
    Worlds worlds;
    PolicySet policies;
    for (const auto& world : worlds) {
        // Also in directories that do not exist, and through a link that leads nowhere yet.
        fs::create_symlink(world->root / "later/target", world->root / "link");
        std::string exe;
        for (const char* const name : {"bin/later", "later/deep/er/program", "link"})
            exe += (exe.empty() ? "\"" : ", \"") + (world->root / name).string() + "\"";
        policies[world->file_system.name] = match("exe = [" + exe + "]") + only(world->open);
    }
    load(policies, point);
    for (const auto& world : worlds) {
        CAPTURE(world->file_system.name);
        fs::create_directories(world->root / "later/deep/er");
        for (const char* const name : {"bin/later", "later/deep/er/program", "later/target"}) {
            CAPTURE(name);
            place_program(world->root / name);
            CHECK(world->confined(run(world->look(world->root / name))));
            // It is the path that counts.
            fs::rename(world->root / name, world->root / "elsewhere");
            CHECK(world->unconfined(run(world->look(world->root / "elsewhere"))));
        }
    }
}

// They are looked at a few hundred at a time, with the same descriptors again and again.
TEST_CASE("of a thousand programs, those that exist are confined, by their paths too") {
    const World world(ext4());
    std::string exe;
    for (int i = 0; i < 1000; ++i)
        exe += "\"" + (world.root / "later" / std::to_string(i)).string() + "\", ";
    load({{"p", match("exe = [" + exe + "\"" + world.program.string() + "\"]") + only(world.open)}},
         committing);
    CHECK(world.confined(run(world.look(world.program))));
    const fs::path fresh = world.root / "bin/fresh";
    place_program(fresh);
    fs::rename(fresh, world.program);
    CHECK(world.confined(run(world.look(world.program))));
}

TEST_CASE("a program deeper than a path can tell is confined, and what it executes") {
    const std::string point = GENERATE(committing, staged);
    CAPTURE(point);
    const World world(ext4());
    const std::string name(NAME_MAX, 'd');
    const fs::path before = fs::current_path();
    REQUIRE(::chdir(world.root.c_str()) == 0);
    for (int depth = 0; depth <= PATH_MAX / NAME_MAX; ++depth) {
        REQUIRE(::mkdir(name.c_str(), 0755) == 0);
        REQUIRE(::chdir(name.c_str()) == 0);
    }
    place_program("./program");
    const auto look = [&] {
        return run({"./program", world.read_open, world.read_closed});
    };
    const Ended free = look();
    load({{"p", match("user = [0]") +
                    "[[ruleset]]\nhandled_access_fs = [\"read_file\"]\n"
                    "[[path_beneath]]\nallowed_access = [\"read_file\"]\n"
                    "parent = [\"" +
                    world.open.string() + "\", \"" + world.program.string() + "\"]\n"}},
         point);
    const Ended deep = look();
    // By one that is there already when it is confined itself, and executes the next one from
    // there.
    const Ended from_there =
        run({"./program", "via-execve", "--", world.program, world.read_open, world.read_closed});
    unload();
    REQUIRE(::chdir(before.c_str()) == 0);
    CAPTURE(deep.status, deep.out, deep.err, from_there.status, from_there.out, from_there.err);
    CHECK(world.unconfined(free));
    CHECK(world.confined(deep));
    CHECK(world.confined(from_there));
}
