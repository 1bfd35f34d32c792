// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// llexecd follows the files that policies name: replaced, removed, made, mounted over.
#include "catch.hpp"
#include "llexecd.hpp"

#include <chrono>
#include <fstream>
#include <sstream>
#include <sys/mount.h>
#include <thread>

using namespace llexec::vmtest;

namespace {

class Following {
  public:
    Following() : world(ext4()) {}

    [[nodiscard]] bool confined(const fs::path& program) const {
        return world.confined(run(world.look(program)));
    }

    Place place;
    World world;
};

/// What a package manager does with a file.
void upgrade(const fs::path& program) {
    const fs::path fresh = program.string() + ".dpkg-new";
    place_program(fresh);
    fs::rename(fresh, program);
}

} // namespace

TEST_CASE_METHOD(Following, "a program that is replaced is known by its new file in a second") {
    place.put("p", world.policy());
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    upgrade(world.program);
    // By its path, at once.
    CHECK(confined(world.program));
    // By its inode, when it is resolved anew.
    const fs::path link = world.root / "link";
    fs::create_hard_link(world.program, link);
    CHECK(eventually([&] { return confined(link); }));
}

TEST_CASE_METHOD(Following, "upgrades under a storm of executions leave none unconfined") {
    place.put("p", world.policy());
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    const char* const asked = std::getenv("UPGRADES");
    const int upgrades = asked != nullptr ? std::atoi(asked) : 50;
    const fs::path stop = world.root / "stop";
    Process storm({launcher(), "via-repeat:100000000:" + stop.string(), "--", world.program,
                   world.read_closed});
    for (int i = 0; i < upgrades; ++i)
        upgrade(world.program);
    write_file(stop, "");
    const std::string ends = storm.wait()["exec"];
    CAPTURE(ends, upgrades);
    CHECK(ends.starts_with("allowed 0, denied "));
    CHECK(ends.ends_with(", other 0, refused 0, killed 0"));
    std::printf("%d upgrades: %s\n", upgrades, ends.c_str());
    CHECK(daemon.is_running());
}

TEST_CASE_METHOD(Following, "a user's name that becomes another number is followed") {
    const fs::path accounts = "/etc/passwd";
    std::stringstream before;
    before << std::ifstream(accounts).rdbuf();
    // As useradd(8) and usermod(8) do it.
    const auto number = [&](const std::string& text) {
        write_file("/etc/passwd+", before.str() + text);
        fs::rename("/etc/passwd+", accounts);
    };
    const auto confined_as = [&](uid_t user) {
        return world.confined(run(world.look(world.program), as_user(user, user)));
    };
    number("llexec-test:x:1234:1234::/:/bin/false\n");
    place.put("p", match("exe = [\"" + world.program.string() + "\"]\nuser = [\"llexec-test\"]") +
                       only(world.open));
    Llexecd daemon(place);
    CHECK(daemon.is_ready());
    CHECK(confined_as(1234));
    CHECK_FALSE(confined_as(2345));
    number("llexec-test:x:2345:2345::/:/bin/false\n");
    CHECK(eventually([&] { return confined_as(2345); }));
    CHECK_FALSE(confined_as(1234));
    number("");
    // Nobody has the name: an error, and nothing is changed.
    CHECK(eventually([&] { return !daemon.said("nothing is changed").empty(); }));
    CHECK(confined_as(2345));
}

TEST_CASE_METHOD(Following,
                 "a file of a rule that is replaced, removed and made again is granted") {
    const fs::path file = world.root / "named";
    const std::string word = "read:" + file.string();
    write_file(file, "one\n");
    place.put("p", world.policy("[[path_beneath]]\nallowed_access = [\"read_file\"]\nparent = [\"" +
                                file.string() + "\"]\n"));
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    const auto granted = [&] {
        return run({world.program, word})[word] == "allowed";
    };
    CHECK(granted());
    write_file(world.root / "fresh", "two\n");
    fs::rename(world.root / "fresh", file);
    CHECK(eventually(granted));
    fs::remove(file);
    CHECK_FALSE(granted());
    std::this_thread::sleep_for(std::chrono::seconds(1));
    write_file(file, "three\n");
    CHECK(eventually(granted));
    CHECK(confined(world.program));
}

TEST_CASE_METHOD(Following, "directories on the way and links are followed") {
    const fs::path release = world.root / "release-1";
    fs::create_directories(release);
    place_program(release / "program");
    fs::create_directory_symlink("release-1", world.root / "current");
    place.put("p", match_exe(world.root / "current/program") + only(world.open));
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    CHECK(confined(world.root / "current/program"));
    // Another release, and the link is turned to it.
    const fs::path next = world.root / "release-2";
    fs::create_directories(next);
    place_program(next / "program");
    CHECK_FALSE(confined(next / "program"));
    fs::create_directory_symlink("release-2", world.root / "fresh");
    fs::rename(world.root / "fresh", world.root / "current");
    CHECK(eventually([&] { return confined(world.root / "current/program"); }));
    // The directory is moved away and comes back.
    fs::rename(next, world.root / "away");
    fs::create_directories(next);
    place_program(next / "program");
    CHECK(eventually([&] { return confined(world.root / "current/program"); }));
}

TEST_CASE_METHOD(Following, "a file system that is mounted over a program is followed") {
    place.put("p", world.policy());
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    const fs::path bin = world.program.parent_path();
    REQUIRE(::mount("none", bin.c_str(), "tmpfs", 0, nullptr) == 0);
    place_program(world.program);
    CHECK(eventually([&] { return confined(world.program); }));
    REQUIRE(::umount(bin.c_str()) == 0);
    CHECK(eventually([&] { return confined(world.program); }));
    // An unrelated mount makes no generation.
    std::this_thread::sleep_for(std::chrono::seconds(2));
    const auto before = status()["generation"];
    REQUIRE(::mount("none", world.closed.c_str(), "tmpfs", 0, nullptr) == 0);
    std::this_thread::sleep_for(std::chrono::seconds(2));
    REQUIRE(::umount(world.closed.c_str()) == 0);
    CHECK(status()["generation"] == before);
}

TEST_CASE_METHOD(Following, "what appears later is selected, and granted") {
    const fs::path later = world.root / "later";
    place.put("p", match("exe = [\"" + (later / "program").string() + "\"]") +
                       match("exe_beneath = [\"" + (later / "tree").string() + "\"]") +
                       only(world.open));
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    fs::create_directories(later / "tree");
    place_program(later / "program");
    // At once, by its path.
    CHECK(confined(later / "program"));
    place_program(later / "tree/other");
    CHECK(eventually([&] { return confined(later / "tree/other"); }));
}
