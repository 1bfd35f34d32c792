// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// exe_beneath: a program is confined because of where the file stands that was opened, with
// Landlock's meaning of "beneath".
#include "catch.hpp"
#include "policies.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

using namespace llexec::vmtest;

namespace {

constexpr unsigned somebody = 1000;

std::string match_beneath(const fs::path& directory, const std::string& more = {}) {
    return match("exe_beneath = [\"" + directory.string() + "\"]\n" + more);
}

/// A directory on each file system with programs in it, their policies loaded.
class Beneath {
  public:
    Beneath() : point(GENERATE(committing, staged)) {
        PolicySet set;
        for (const auto& world : worlds) {
            const fs::path directory = directory_of(*world);
            place_program(directory / "program");
            place_program(directory / "a/b/program");
            place_program(world->root / "dir2/program");
            write_file(directory / "script", "#!" + launcher().string() + " nnp\n",
                       fs::perms{0755});
            // The positive control of everything below.
            for (const char* const name : {"program", "a/b/program", "script"})
                REQUIRE(world->unconfined(run(world->look(directory / name))));
            set[world->file_system.name] = match_beneath(directory) + only(world->open);
        }
        load(set, point);
    }

    static fs::path directory_of(const World& world) { return world.root / "dir"; }

    std::string point;
    Worlds worlds;
};

class OneWorld {
  public:
    OneWorld() : point(GENERATE(committing, staged)), world(ext4()), directory(world.root / "dir") {
        place_program(directory / "program");
        place_program(world.root / "outside/program");
    }

    [[nodiscard]] bool confined(const fs::path& path, const InChild& in_child = {}) const {
        const Ended ended = run(world.look(path), in_child);
        CAPTURE(path, ended.out, ended.err, ended.status);
        REQUIRE(world.confined(ended) != world.unconfined(ended));
        return world.confined(ended);
    }

    std::string point;
    World world;
    fs::path directory;
};

/// Run in the child: in a mount namespace of its own, shows one path at another one.
InChild bound(const fs::path& from, const fs::path& to) {
    return [from, to] {
        private_mounts();
        if (::mount(from.c_str(), to.c_str(), nullptr, MS_BIND, nullptr) != 0)
            ::_exit(126);
    };
}

/// Run in the child: mounts a tmpfs with a program in it.
InChild mounted(const fs::path& directory) {
    return [directory] {
        private_mounts();
        if (::mount("fresh", directory.c_str(), "tmpfs", 0, nullptr) != 0)
            ::_exit(126);
        place_program(directory / "program");
    };
}

} // namespace

TEST_CASE_METHOD(Beneath, "programs at any depth of a directory are confined, and no others") {
    for (const auto& each : worlds) {
        const World& world = *each;
        const fs::path directory = directory_of(world);
        CAPTURE(point, world.file_system.name);
        CHECK(world.confined(run(world.look(directory / "program"))));
        CHECK(world.confined(run(world.look(directory / "a/b/program"))));
        CHECK(status_of(world.file_system.name)["applied"] == 2);
        CHECK(world.confined(run(world.look_via("via-empty-path", directory / "a/b/program"))));
        // Neither a name that begins in the same way, nor what stands above.
        CHECK(world.unconfined(run(world.look(world.root / "dir2/program"))));
        CHECK(world.unconfined(run(world.look(world.program))));
        // New ones too: this is not about files.
        place_program(directory / "new/program");
        CHECK(world.confined(run(world.look(directory / "new/program"))));
    }
}

TEST_CASE_METHOD(Beneath, "a script in the directory is confined, and a script that runs by it") {
    for (const auto& each : worlds) {
        const World& world = *each;
        const fs::path directory = directory_of(world);
        CAPTURE(point, world.file_system.name);
        CHECK(world.confined(run(world.look(directory / "script"))));
        CHECK(world.unconfined(run(world.look(launcher()))));
        const fs::path outside = world.root / "outside";
        write_file(outside, "#!" + (directory / "program").string() + "\n", fs::perms{0755});
        CHECK(world.confined(run(world.look(outside))));
        const fs::path both = directory / "both";
        write_file(both, "#!" + (directory / "program").string() + "\n", fs::perms{0755});
        CHECK(run({both, "layers"})["layers"] == "1");
    }
}

TEST_CASE_METHOD(Beneath, "symbolic links are followed to where the program stands") {
    for (const auto& each : worlds) {
        const World& world = *each;
        const fs::path directory = directory_of(world);
        CAPTURE(point, world.file_system.name);
        const fs::path to_directory = world.root / "to-directory";
        const fs::path to_program = world.root / "to-program";
        const fs::path outwards = directory / "outwards";
        fs::create_symlink(directory, to_directory);
        fs::create_symlink(directory / "program", to_program);
        fs::create_symlink(world.program, outwards);
        CHECK(world.confined(run(world.look(to_directory / "a/b/program"))));
        CHECK(world.confined(run(world.look(to_program))));
        CHECK(world.unconfined(run(world.look(outwards))));
    }
}

TEST_CASE_METHOD(Beneath, "of a file with several names, the one that was opened counts") {
    for (const auto& each : worlds) {
        const World& world = *each;
        const fs::path directory = directory_of(world);
        CAPTURE(point, world.file_system.name);
        const fs::path outside = world.root / "outside";
        fs::create_hard_link(directory / "program", outside);
        CHECK(world.unconfined(run(world.look(outside))));
        CHECK(world.confined(run(world.look(directory / "program"))));
        fs::create_hard_link(world.program, directory / "inside");
        CHECK(world.confined(run(world.look(directory / "inside"))));
        CHECK(world.unconfined(run(world.look(world.program))));
        // And the place where it is now.
        fs::rename(directory / "program", world.root / "moved");
        CHECK(world.unconfined(run(world.look(world.root / "moved"))));
        fs::rename(world.root / "moved", directory / "a/moved");
        CHECK(world.confined(run(world.look(directory / "a/moved"))));
    }
}

TEST_CASE_METHOD(Beneath, "a renamed directory is the same one, and one of its name is not") {
    for (const auto& each : worlds) {
        const World& world = *each;
        const fs::path directory = directory_of(world);
        CAPTURE(point, world.file_system.name);
        const fs::path renamed = world.root / "renamed";
        fs::rename(directory, renamed);
        CHECK(world.confined(run(world.look(renamed / "a/b/program"))));
        place_program(directory / "program");
        CHECK(world.unconfined(run(world.look(directory / "program"))));
        fs::create_directory(world.root / "above");
        fs::rename(renamed, world.root / "above/dir");
        CHECK(world.confined(run(world.look(world.root / "above/dir/program"))));
    }
}

TEST_CASE_METHOD(Beneath, "what mounts show counts, as for Landlock") {
    for (const auto& each : worlds) {
        const World& world = *each;
        const fs::path directory = directory_of(world);
        CAPTURE(point, world.file_system.name);
        const fs::path target = world.root / "target";
        fs::create_directories(target / "sub");
        place_program(target / "program");
        place_program(target / "file");
        fs::create_directory(directory / "mnt");
        place_program(directory / "mnt/hidden");
        const auto look = [&](const fs::path& path, const InChild& in_child) {
            return run(world.look(path), in_child);
        };
        CHECK(world.confined(look(directory / "program", private_mounts)));
        // The directory at another place.
        CHECK(world.confined(look(target / "program", bound(directory, target))));
        CHECK(world.confined(look(target / "a/b/program", bound(directory, target))));
        // Something from outside at a place beneath it.
        CHECK(world.confined(look(directory / "mnt/program", bound(target, directory / "mnt"))));
        CHECK(world.confined(
            look(directory / "mnt/hidden", bound(target / "file", directory / "mnt/hidden"))));
        CHECK(world.confined(look(directory / "mnt/program", mounted(directory / "mnt"))));
        // Only a part of it at a place outside: there, the directory is not above it.
        CHECK(world.unconfined(look(target / "program", bound(directory / "a/b", target))));
        CHECK(
            world.unconfined(look(target / "file", bound(directory / "program", target / "file"))));
        // Something mounted on the directory itself hides it.
        CHECK(world.unconfined(look(directory / "program", mounted(directory))));
    }
}

TEST_CASE_METHOD(OneWorld, "mounts on mounts and another root directory change nothing") {
    CAPTURE(point);
    load({{"p", match_beneath(directory) + only(world.open)}}, point);
    const fs::path mnt = directory / "mnt";
    fs::create_directory(mnt);
    CHECK(confined(mnt / "program", [&] {
        mounted(mnt)();
        for (int i = 0; i < 20; ++i)
            if (::mount("fresh", mnt.c_str(), "tmpfs", 0, nullptr) != 0)
                ::_exit(126);
        place_program(mnt / "program");
    }));
    // A root directory beneath the directory, and one that it is not shown in.
    const auto chrooted = [&](const fs::path& root) {
        return run({"/program", "layers"}, [root] {
            if (::chroot(root.c_str()) != 0 || ::chdir("/") != 0)
                ::_exit(126);
        })["layers"];
    };
    CHECK(chrooted(directory) == "1");
    CHECK(chrooted(world.root / "outside") == "0");
}

TEST_CASE_METHOD(OneWorld, "what was moved out of a bind mount is still beneath its mount point") {
    CAPTURE(point);
    load({{"p", match_beneath(directory) + only(world.open)}}, point);
    const fs::path source = world.root / "source";
    const fs::path mnt = directory / "mnt";
    fs::create_directories(mnt);
    place_program(source / "shown/x/program");
    CHECK_FALSE(confined(source / "shown/x/program"));
    CHECK(confined("./program", [&] {
        bound(source / "shown", mnt)();
        if (::chdir((mnt / "x").c_str()) != 0 ||
            ::rename((source / "shown/x").c_str(), (source / "x").c_str()) != 0)
            ::_exit(126);
    }));
    CHECK_FALSE(confined(source / "x/program"));
}

TEST_CASE_METHOD(OneWorld, "exe and exe_beneath in one block must hold both, for the same file") {
    CAPTURE(point);
    const std::string exe = "exe = [\"" + (directory / "program").string() + "\"]";
    place_program(directory / "other");
    fs::create_hard_link(directory / "program", world.root / "outside/link");
    // A script of one and an interpreter of the other are not one file.
    const fs::path script = directory / "script";
    write_file(script, "#!" + (world.root / "outside/link").string() + "\n", fs::perms{0755});
    load({{"p", match_beneath(directory, exe) + only(world.open)}}, point);
    CHECK(confined(directory / "program"));
    CHECK_FALSE(confined(directory / "other"));
    CHECK_FALSE(confined(world.root / "outside/link"));
    CHECK_FALSE(confined(script));
    write_file(script, "#!" + (directory / "program").string() + "\n", fs::perms{0755});
    CHECK(confined(script));
    // The same directory for a file elsewhere never holds.
    load({{"p", match_beneath(world.root / "outside", exe) + only(world.open)}}, point);
    CHECK_FALSE(confined(directory / "program"));
    CHECK(confined(world.root / "outside/link"));
}

TEST_CASE_METHOD(OneWorld, "a directory with a user is about that user only") {
    CAPTURE(point);
    load({{"p", match_beneath(directory, "user = [1000]") + only(world.open)}}, point);
    CHECK(confined(directory / "program", as_user(somebody, somebody)));
    CHECK_FALSE(confined(directory / "program"));
    CHECK_FALSE(confined(world.root / "outside/program", as_user(somebody, somebody)));
}

TEST_CASE_METHOD(OneWorld, "everything that has a path is beneath the root directory") {
    CAPTURE(point);
    const InChild user = as_user(somebody, somebody);
    load({{"p", match_beneath("/", "user = [1000]") + only(world.open)}}, point);
    CHECK(confined(directory / "program", user));
    CHECK(confined(launcher(), user));
    CHECK_FALSE(confined(launcher()));
    const fs::path mnt = directory / "mnt";
    fs::create_directory(mnt);
    CHECK(confined(mnt / "program", [&] {
        mounted(mnt)();
        fs::permissions(mnt, fs::perms{0755});
        user();
    }));
    // A file in memory has none.
    load({{"p",
           match_beneath("/", "user = [1000]") + enforce("mode = \"observe\"") + only(world.open)}},
         point);
    const auto matched = [&](const std::string& way) {
        const auto before = status_of("p")["matched"].get<int>();
        CHECK(world.unconfined(run(world.look_via(way, directory / "program"), user)));
        return status_of("p")["matched"].get<int>() - before;
    };
    CHECK(matched("via-empty-path") == 2);
    CHECK(matched("via-memory") == 1); // the launcher
}

TEST_CASE_METHOD(OneWorld, "a program beneath more directories than can be noted does not run") {
    CAPTURE(point);
    fs::path deep = directory;
    for (int i = 0; i < 250; ++i)
        deep /= "d";
    fs::path too_deep = deep;
    for (int i = 0; i < 20; ++i)
        too_deep /= "d";
    place_program(deep / "program");
    place_program(too_deep / "program");
    const std::string attempt = "try-exec:" + (too_deep / "program").string();
    load({{"p", match_exe("/nonexistent") + only(world.open)}}, point);
    CHECK_FALSE(confined(too_deep / "program"));
    load({{"p", match_beneath(directory) + only(world.open)}}, point);
    CHECK(confined(deep / "program"));
    const auto refused = status()["executions"]["refused"].get<std::uint64_t>();
    CHECK(run({launcher(), attempt})[attempt] == "errno 36"); // ENAMETOOLONG
    CHECK(status()["executions"]["refused"] == refused + 1);
    // A script's directories and its interpreter's together.
    const fs::path script = deep / "script";
    write_file(script, "#!" + (directory / "program").string() + "\n", fs::perms{0755});
    const Ended ended = run({script, "layers"});
    CAPTURE(ended.status, ended.err);
    if (point == staged)
        CHECK(ended.err == "execve\terrno 36\n");
    else
        CHECK(ended.signal() == 9);
}

TEST_CASE_METHOD(OneWorld, "llexec is never confined, whatever it stands beneath") {
    CAPTURE(point);
    const fs::path own = directory / "llexec";
    fs::copy_file(cli(), own);
    fs::permissions(own, fs::perms{0755});
    const fs::path policies =
        write_policies({{"p", match_beneath(directory) +
                                  match("cgroup = [\"/vmtest\"]\nexe_beneath = [\"" +
                                        directory.string() + "\"]\n") +
                                  only(world.open)}});
    const Arguments load_it{own, "--json", "load", "--enforce-at", point, policies};
    for (int i = 0; i < 3; ++i) {
        const Ended ended = run(load_it);
        CAPTURE(i, ended.out, ended.err);
        REQUIRE(ended.code() == 0);
        CHECK(confined(directory / "program"));
    }
    const Ended status = run({own, "--json", "status"});
    CAPTURE(status.out, status.err);
    CHECK(status.code() == 0);
    // Any other program there is, so the file system is not why.
    const std::string read = "read:" + (policies / "p.toml").string();
    CHECK(run({directory / "program", read})[read] == "denied");
    CHECK(run({own, "--json", "unload"}).code() == 0);
    CHECK_FALSE(confined(directory / "program"));
    fs::remove_all(policies);
}

TEST_CASE_METHOD(OneWorld, "a directory that does not exist selects nothing until it is loaded") {
    CAPTURE(point);
    const fs::path missing = world.root / "missing";
    const PolicySet set{{"p", match_beneath(missing) + only(world.open)}};
    const Json report = load(set, point);
    CHECK(report.dump().find(missing.string() + " cannot be opened") != std::string::npos);
    place_program(missing / "program");
    CHECK_FALSE(confined(missing / "program"));
    load(set, point);
    CHECK(confined(missing / "program"));
    fs::remove_all(missing);
    const std::string strict = enforce("missing_paths = \"error\"");
    const Ended refused =
        try_load({{"p", match_beneath(missing) + strict + only(world.open)}}, point);
    CAPTURE(refused.out, refused.err);
    CHECK(refused.code() == 4);
    const Ended file =
        try_load({{"p", match_beneath(directory / "program") + only(world.open)}}, point);
    CAPTURE(file.out, file.err);
    CHECK(file.code() == 0);
    CHECK(file.out.find("is not a directory") != std::string::npos);
    CHECK_FALSE(confined(directory / "program"));
    const Ended refused_file =
        try_load({{"p", match_beneath(directory / "program") + strict + only(world.open)}}, point);
    CHECK(refused_file.code() == 4);
    CHECK(refused_file.out.find("is not a directory") != std::string::npos);
}

// The merged directory is made of another inode once it is copied up.
TEST_CASE("a directory of a lower overlayfs layer is the same one when it is copied up") {
    const auto point = GENERATE(committing, staged);
    CAPTURE(point);
    const World world(ext4());
    const fs::path lower = world.root / "lower";
    const fs::path merged = world.root / "merged";
    place_program(lower / "dir/a/program");
    place_program(lower / "dir2/program");
    for (const char* const name : {"upper", "work", "merged"})
        fs::create_directory(world.root / name);
    const std::string options = "lowerdir=" + lower.string() +
                                ",upperdir=" + (world.root / "upper").string() +
                                ",workdir=" + (world.root / "work").string();
    REQUIRE(::mount("overlay", merged.c_str(), "overlay", 0, options.c_str()) == 0);
    REQUIRE(world.unconfined(run(world.look(merged / "dir/a/program"))));
    load({{"p", match_beneath(merged / "dir") + only(world.open)}}, point);
    const auto check = [&] {
        CHECK(world.confined(run(world.look(merged / "dir/a/program"))));
        CHECK(world.unconfined(run(world.look(merged / "dir2/program"))));
        // What it is made of is another directory.
        CHECK(world.unconfined(run(world.look(lower / "dir/a/program"))));
    };
    check();
    fs::permissions(merged / "dir", fs::perms{0711}); // copies it up
    place_program(merged / "dir/new");
    check();
    CHECK(world.confined(run(world.look(merged / "dir/new"))));
    REQUIRE(run({"sh", "-c", "echo 3 > /proc/sys/vm/drop_caches"}).code() == 0);
    check();
    CHECK(world.confined(run(world.look(merged / "dir/new"))));
    CHECK(::umount(merged.c_str()) == 0);
}

// A snapshot keeps the numbers and generations of all inodes.
TEST_CASE("a directory of another btrfs subvolume is another directory") {
    const auto point = GENERATE(committing, staged);
    CAPTURE(point);
    const World world(file_systems()[2]);
    const fs::path first = world.root / "first";
    const fs::path second = world.root / "second";
    REQUIRE(run({"btrfs", "subvolume", "create", first}).code() == 0);
    place_program(first / "dir/program");
    REQUIRE(run({"btrfs", "subvolume", "snapshot", first, second}).code() == 0);
    load({{"p", match_beneath(first / "dir") + only(world.open)}}, point);
    CHECK(world.confined(run(world.look(first / "dir/program"))));
    CHECK(world.unconfined(run(world.look(second / "dir/program"))));
    // A subvolume is beneath what it stands in.
    load({{"p", match_beneath(world.root) + only(world.open)}}, point);
    CHECK(world.confined(run(world.look(second / "dir/program"))));
    CHECK(run({"btrfs", "subvolume", "delete", first, second}).code() == 0);
}
