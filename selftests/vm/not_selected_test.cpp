// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What no policy names is left alone.
#include "catch.hpp"
#include "kernel_objects.hpp"
#include "policies.hpp"

#include <algorithm>
#include <sys/mount.h>
#include <unistd.h>

using namespace llexec::vmtest;

namespace {

constexpr unsigned somebody = 1000;
constexpr unsigned other = 2000;

class Loaded {
  public:
    Loaded() : point(GENERATE(committing, staged)) { load(worlds.policies(), point); }

    std::string point;
    Worlds worlds;
};

/// On one file system: what is about the caller does not depend on it.
class Caller {
  public:
    Caller() : point(GENERATE(committing, staged)), world(ext4()) {}

    [[nodiscard]] bool confined(unsigned user, unsigned group,
                                std::vector<unsigned> supplementary = {}) const {
        const Ended ended =
            run(world.look(world.program), as_user(user, group, std::move(supplementary)));
        CAPTURE(ended.out, ended.err, ended.status);
        REQUIRE(world.confined(ended) != world.unconfined(ended));
        return world.confined(ended);
    }

    std::string point;
    World world;
};

/// File systems that use inode numbers again do so at once.
void check_inode_reuse(const World& world) {
    CAPTURE(world.file_system.name);
    CHECK(world.confined(run(world.look(world.program))));
    for (const fs::path& path :
         {world.program, world.script, world.own_script, world.broken, world.orphan})
        fs::remove(path);
    for (int i = 0; i < 5; ++i) {
        const fs::path other_file = world.root / ("other" + std::to_string(i));
        place_program(other_file);
        CHECK(world.unconfined(run(world.look(other_file))));
    }
}

} // namespace

TEST_CASE_METHOD(Loaded, "the parent and the siblings of a confined program are not confined") {
    for (const auto& each : worlds) {
        const World& world = *each;
        CAPTURE(point, world.file_system.name);
        const std::string line = world.program.string() + " " + world.read_closed + "; " +
                                 launcher().string() + " layers " + world.read_closed;
        const Ended ended = run({"sh", "-c", line});
        CAPTURE(ended.out, ended.err);
        CHECK(ended.out.starts_with(world.read_closed + "\tdenied\n"));
        CHECK(ended[world.read_closed] == "allowed");
        CHECK(ended["layers"] == "0");
        CHECK(run({launcher(), "layers"})["layers"] == "0");
    }
}

TEST_CASE_METHOD(Loaded, "another file of the same name is not confined") {
    for (const auto& each : worlds) {
        const World& world = *each;
        CAPTURE(point, world.file_system.name);
        const fs::path namesake = world.root / "elsewhere/bin/program";
        place_program(namesake);
        CHECK(world.unconfined(run(world.look(namesake))));
        // A copy is another file: `exe` is for programs, not for users.
        CHECK(world.unconfined(run(world.look_via("via-memory", world.program))));
        CHECK(world.confined(run(world.look(world.program))));
    }
}

TEST_CASE_METHOD(Loaded, "the same path on another file system is not confined") {
    for (const auto& each : worlds) {
        const World& world = *each;
        CAPTURE(point, world.file_system.name);
        const fs::path path_below = fs::relative(world.program, world.file_system.mount);
        const auto over = [](const fs::path& directory, const fs::path& program) {
            return [directory, program] {
                private_mounts();
                if (::mount("container", directory.c_str(), "tmpfs", 0, nullptr) != 0)
                    ::_exit(126);
                place_program(program);
            };
        };
        // The accesses are tried where the mount does not hide them.
        const World away(world.file_system.name == "tmpfs" ? ext4() : file_systems().back());
        const Arguments look{world.program, away.read_closed};
        REQUIRE(run(look)[away.read_closed] == "denied");
        // The program's own mount point, so that the path below the file system's root is the same.
        Ended ended = run(look, over(world.file_system.mount, world.program));
        CAPTURE(path_below, ended.out, ended.err);
        CHECK(ended[away.read_closed] == "allowed");
        ended = run(look, over(world.root, world.program));
        CHECK(ended[away.read_closed] == "allowed");
        // A container's root, with the same path in it.
        const fs::path root = world.root / "container";
        fs::create_directory(root);
        ended = run(look, [&] {
            over(root, root / fs::relative(world.program, "/"))();
            place_program(root / fs::relative(world.program, "/"));
            write_file(root / "secret", "");
            fs::create_directories(root / fs::relative(away.closed, "/"));
            write_file(root / fs::relative(away.closed, "/") / "file", "");
            if (::chroot(root.c_str()) != 0 || ::chdir("/") != 0)
                ::_exit(126);
        });
        CHECK(ended[away.read_closed] == "allowed");
        CHECK(run(look)[away.read_closed] == "denied");
    }
}

// Inode numbers are unique in a subvolume only, and a snapshot keeps the generation as well.
TEST_CASE("a file of the same inode number on another btrfs subvolume is not confined") {
    const auto point = GENERATE(committing, staged);
    const World world(file_systems()[2]);
    const fs::path first = world.root / "first";
    const fs::path second = world.root / "second";
    REQUIRE(run({"btrfs", "subvolume", "create", first}).code() == 0);
    place_program(first / "bin/program");
    REQUIRE(run({"btrfs", "subvolume", "snapshot", first, second}).code() == 0);
    REQUIRE(world.unconfined(run(world.look(first / "bin/program"))));
    load({{"p", match_exe(first / "bin/program") + only(world.open)}}, point);
    CHECK(world.confined(run(world.look(first / "bin/program"))));
    CHECK(world.unconfined(run(world.look(second / "bin/program"))));
    CHECK(run({"btrfs", "subvolume", "delete", first, second}).code() == 0);
}

// overlayfs has no inode generations, and reuses the numbers of its upper file system.
TEST_CASE_METHOD(Loaded, "a new file in the place of a deleted program's inode is not confined") {
    for (const auto& each : worlds)
        check_inode_reuse(*each);
}

TEST_CASE_METHOD(Caller, "a program that the dynamic linker is told to run is not confined") {
    const fs::path program = world.root / "cat";
    fs::copy_file("/bin/cat", program);
    load({{"p", match_exe(program) + only(world.open) +
                    "[[path_beneath]]\nallowed_access = [\"abi.read_execute\"]\n"
                    "parent = [\"/usr\", \"/lib\", \"/lib64\", \"/etc\"]\n"}},
         point);
    const std::string open = (world.open / "file").string();
    const std::string closed = (world.closed / "file").string();
    CHECK(run({program, open}).code() == 0);
    CHECK(run({program, closed}).code() == 1);
    const Ended linked = run({"/lib64/ld-linux-x86-64.so.2", program, closed});
    CAPTURE(linked.out, linked.err);
    CHECK(linked.code() == 0);
}

TEST_CASE_METHOD(Caller, "a program with a user is confined for that user only") {
    CAPTURE(point);
    load({{"p",
           match("exe = [\"" + world.program.string() + "\"]\nuser = [1000]") + only(world.open)}},
         point);
    CHECK(confined(somebody, somebody));
    CHECK_FALSE(confined(other, somebody, {somebody}));
    CHECK_FALSE(confined(0, 0));
    CHECK(world.unconfined(run(world.look(launcher()), as_user(somebody, somebody))));
}

TEST_CASE_METHOD(Caller, "a program with a group is confined for its members only") {
    CAPTURE(point);
    load({{"p",
           match("exe = [\"" + world.program.string() + "\"]\ngroup = [1000]") + only(world.open)}},
         point);
    CHECK(confined(other, somebody));
    CHECK(confined(other, other, {3, 1000, 5000}));
    CHECK(confined(0, 0, {1000}));
    CHECK_FALSE(confined(somebody, other, {3, 5000}));
    CHECK_FALSE(confined(0, 0));
}

TEST_CASE_METHOD(Caller, "user and group have to hold both") {
    CAPTURE(point);
    load({{"p", match("user = [1000]\ngroup = [3000]") + only(world.open)}}, point);
    CHECK(confined(somebody, 3000));
    CHECK(confined(somebody, somebody, {3000}));
    CHECK_FALSE(confined(somebody, somebody));
    CHECK_FALSE(confined(other, 3000));
}

TEST_CASE_METHOD(Caller, "a policy about a user is about all programs of that user only") {
    CAPTURE(point);
    load({{"p", match("user = [1000]") + only(world.open)}}, point);
    CHECK(confined(somebody, somebody));
    CHECK(world.confined(run(world.look(launcher()), as_user(somebody, somebody))));
    CHECK_FALSE(confined(other, other));
    CHECK_FALSE(confined(0, 0));
}

TEST_CASE_METHOD(Caller, "a policy about a group is about all programs of its members only") {
    CAPTURE(point);
    load({{"p", match("group = [3000]") + only(world.open)}}, point);
    CHECK(confined(somebody, 3000));
    CHECK(confined(somebody, somebody, {4, 3000}));
    CHECK(world.confined(run(world.look(launcher()), as_user(other, 3000))));
    CHECK_FALSE(confined(somebody, somebody));
    CHECK_FALSE(confined(0, 0));
}

TEST_CASE_METHOD(Caller, "any block selects, and any value of a key") {
    CAPTURE(point);
    load({{"p", match_exe(world.root / "nothing") + match("user = [5000, 1000]") +
                    match("group = [3000]") + only(world.open)}},
         point);
    CHECK(confined(somebody, somebody));
    CHECK(confined(other, 3000));
    CHECK_FALSE(confined(other, other));
}

TEST_CASE_METHOD(Loaded, "an execution that does not happen leaves nothing behind") {
    for (const auto& each : worlds) {
        const World& world = *each;
        CAPTURE(point, world.file_system.name);
        const Trace trace;
        const std::string check = "check:" + world.program.string();
        const std::string no_format = "try-exec:" + world.broken.string();
        const std::string no_interpreter = "try-exec:" + world.orphan.string();
        const Ended ended = run({launcher(), check, no_format, no_interpreter, "nnp",
                                 "status:NoNewPrivs", world.read_closed});
        CAPTURE(ended.out, ended.err, trace.text());
        CHECK(ended[check] == "allowed");
        CHECK(ended[no_format] == "errno 8");      // ENOEXEC
        CHECK(ended[no_interpreter] == "errno 2"); // ENOENT
        CHECK(ended["nnp"] == "0");
        CHECK(ended[world.read_closed] == "allowed");
        CHECK(trace.values("enforce_domain", "domain").empty());
        // The two that are no programs were selected, if that is done before that is known.
        CHECK(trace.lines("create_domain").size() == (point == staged ? 2 : 0));
        CHECK(eventually([&] { return trace.domains_are_freed(); }));
        CHECK(run({launcher(), check, no_format, no_interpreter, "layers"})["layers"] == "0");
        // The next execution of the same task is as if they had not been.
        CHECK(world.confined(run({launcher(), no_format, no_interpreter, check, "--", world.program,
                                  world.read_open, world.read_closed})));
        CHECK(world.unconfined(run({launcher(), no_format, no_interpreter, check, "--", launcher(),
                                    world.read_open, world.read_closed})));
    }
}

TEST_CASE("no execution leaks a ruleset or a domain") {
    const auto point = GENERATE(committing, staged);
    const World world(ext4());
    unload();
    const Trace trace;
    for (int i = 0; i < 2; ++i) {
        load({{"p", world.policy()}}, point);
        run({launcher(), "try-exec:" + world.broken.string(), "check:" + world.program.string()});
        CHECK(world.confined(run(world.look(world.program))));
        // Nested, and from a thread.
        run({launcher(), "via-chain:3", "--", world.program, world.read_closed});
        run(world.look_via("via-thread", world.program));
    }
    unload();
    CAPTURE(trace.text());
    CHECK_FALSE(trace.values("create_ruleset", "ruleset").empty());
    CHECK_FALSE(trace.values("create_domain", "domain").empty());
    CHECK(eventually([&] { return trace.rulesets_are_freed() && trace.domains_are_freed(); }));
}
