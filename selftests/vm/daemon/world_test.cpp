// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// llexecd follows the files that policies name: replaced, removed, made, mounted over.
#include "catch.hpp"
#include "llexecd.hpp"
#include "slow_link.hpp"

#include <chrono>
#include <fstream>
#include <sstream>
#include <sys/mount.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

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
    // One that is not confined would be counted as such.
    CHECK(run({launcher(), "via-repeat:3", "--", world.program, world.read_closed})["exec"] ==
          "allowed 3, denied 0, other 0, refused 0, killed 0");
    place.put("p", world.policy());
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    const char* const asked = std::getenv("UPGRADES");
    const int upgrades = asked != nullptr ? std::atoi(asked) : 50;
    const fs::path stop = world.root / "stop";
    Process storm({launcher(), "via-repeat:100000000:" + stop.string(), "--", world.program,
                   world.read_closed});
    // More than upgrades, however slow the machine is. The self-test is one.
    const auto keeps_up = [](int count) {
        return eventually([&] { return status()["executions"]["matched"].get<int>() > count + 1; });
    };
    for (int i = 1; i <= upgrades; ++i) {
        upgrade(world.program);
        if (i % 10 == 0 || i == upgrades)
            REQUIRE(keeps_up(i));
    }
    write_file(stop, "");
    const std::string ends = storm.wait()["exec"];
    CAPTURE(ends, upgrades);
    const std::string none = "allowed 0, denied ";
    REQUIRE(ends.starts_with(none));
    CHECK(std::atoi(ends.c_str() + none.size()) > upgrades);
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
    // Not even at the next boot.
    CHECK(daemon.stop().code() == 0);
    unload();
    CHECK_FALSE(confined_as(2345));
    Llexecd next(place);
    CHECK(next.is_ready());
    CHECK(next.said("the last good policies are used").size() == 1);
    CHECK(confined_as(2345));
    CHECK_FALSE(confined_as(1234));
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

TEST_CASE_METHOD(Following, "files that are replaced all the time make few reloads") {
    using Clock = std::chrono::steady_clock;
    using std::chrono::seconds;
    const fs::path file = world.root / "named";
    const fs::path missing = world.root / "missing";
    const std::string word = "read:" + file.string();
    // A load takes its time in some machines; the longest wait is five seconds.
    const auto at_once = seconds(3) * slowness();
    const auto replace = [&] {
        write_file(world.root / "fresh", "text\n");
        fs::rename(world.root / "fresh", file);
    };
    const auto granted = [&] {
        return run({world.program, word})[word] == "allowed";
    };
    const auto generation = [] {
        return status()["generation"].get<int>();
    };
    replace();
    place.put("p", world.policy("[[path_beneath]]\nallowed_access = [\"read_file\"]\nparent = [\"" +
                                file.string() + "\", \"" + missing.string() + "\"]\n"));
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    CHECK(granted());
    const auto notes = [&] {
        return daemon.said(missing.string()).size();
    };
    CHECK(notes() == 1);
    // A single change is followed at once.
    const auto begin = Clock::now();
    replace();
    CHECK(eventually(granted));
    const auto first = Clock::now() - begin;
    CHECK(first < at_once);
    // What is new is said, and only that.
    write_file(missing, "");
    CHECK(eventually([&] { return run({world.program, "read:" + missing.string()}).code() == 0; }));
    fs::remove(missing);
    CHECK(eventually([&] { return notes() == 2; }));

    const int before = generation();
    int replaced = 0;
    int unconfined = 0;
    for (const auto end = Clock::now() + seconds(20); Clock::now() < end; ++replaced) {
        for (int i = 0; i < 20; ++i)
            replace();
        if (!confined(world.program))
            ++unconfined;
    }
    const int reloads = generation() - before;
    std::printf("first change after %lld ms; then %d changes, %d reloads\n",
                static_cast<long long>(
                    std::chrono::duration_cast<std::chrono::milliseconds>(first).count()),
                20 * replaced, reloads);
    CHECK(20 * replaced > 30 * reloads);
    CHECK(unconfined == 0);
    CHECK(reloads >= 2);
    CHECK(reloads <= 8);
    // The last of them is answered, too.
    CHECK(eventually(granted));
    CHECK(notes() == 2);
    // Who asks does not wait.
    replace();
    const auto asked = Clock::now();
    REQUIRE(daemon.reload());
    CHECK(Clock::now() - asked < at_once);
    CHECK(granted());
    CHECK(notes() == 3);
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

TEST_CASE_METHOD(Following, "what stands at a path of one policy cannot undo another") {
    const fs::path home = world.root / "home";
    const fs::path tool = home / "tool";
    const fs::path data = home / "data";
    fs::create_directories(data);
    place_program(tool);
    place.put("p", world.policy());
    place.put("q", match_exe(tool) + match("exe_beneath = [\"" + data.string() + "\"]") +
                       only(world.open) +
                       "[[path_beneath]]\nallowed_access = [\"make_reg\"]\nparent = [\"" +
                       data.string() + "\"]\n");
    const auto both = [&] {
        return confined(world.program) && confined(tool);
    };
    const auto starts = [&] {
        unload();
        CHECK_FALSE(confined(world.program));
        Llexecd daemon(place);
        return daemon.is_ready() && confined(world.program) &&
               daemon.said("the last good policies are used").empty();
    };
    {
        Llexecd daemon(place);
        REQUIRE(daemon.is_ready());
        CHECK(both());
    }
    CHECK(starts());
    const auto stand = [&](const fs::path& path, const char* what) {
        fs::remove_all(path);
        if (*what == 'd')
            fs::create_directory(path);
        else if (*what == 'f')
            write_file(path, "");
        else if (*what == 'p')
            CHECK(::mkfifo(path.c_str(), 0600) == 0);
        else if (*what == 'l')
            fs::create_symlink(path.filename(), path);
        else if (*what == 's')
            fs::create_symlink(cli(), path);
        else
            fs::create_symlink("/dev/null", path);
        CHECK(::lchown(path.c_str(), 1234, 1234) == 0);
    };
    for (const char* const tool_is :
         {"directory", "pipe", "link to itself", "second name of llexec"})
        for (const char* const data_is : {"file", "null device"}) {
            CAPTURE(tool_is, data_is);
            stand(tool, tool_is);
            stand(data, data_is);
            CHECK(starts());
        }
    // A reload is no other than a start; and the program is selected as soon as it is one again.
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    stand(tool, "directory");
    CHECK(daemon.reload());
    CHECK(confined(world.program));
    fs::remove(tool);
    place_program(tool);
    CHECK(both());
}

TEST_CASE_METHOD(Following, "a path that its owner removes cannot undo policies that want it") {
    const fs::path home = world.root / "home";
    const fs::path data = home / "data";
    fs::create_directories(data);
    REQUIRE(::chown(home.c_str(), 1234, 1234) == 0);
    place.put("p", world.policy());
    const fs::path other = world.root / "other";
    place_program(other);
    place.put("q", match_exe(other) + enforce("missing_paths = \"error\"") + only(world.open) +
                       "[[path_beneath]]\nallowed_access = [\"make_reg\"]\nparent = [\"" +
                       data.string() + "\"]\n");
    const auto left_out = [](const Llexecd& daemon) {
        const auto said = daemon.said("what is missing is left out");
        return said.size() == 1 && said[0]["PRIORITY"] == 2;
    };
    {
        Llexecd daemon(place);
        REQUIRE(daemon.is_ready());
        fs::remove(data);
        CHECK(eventually([&] { return left_out(daemon); }));
        // Other changes are followed.
        upgrade(world.program);
        fs::create_hard_link(world.program, world.root / "link");
        CHECK(eventually([&] { return confined(world.root / "link"); }));
        CHECK(confined(other));
    }
    unload();
    CHECK_FALSE(confined(world.program));
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    CHECK(daemon.said("the last good policies are used").size() == 1);
    CHECK(left_out(daemon));
    CHECK(confined(world.program));
    CHECK(confined(other));
}

TEST_CASE_METHOD(Following, "a link of a user leads a policy to nothing but that user's files") {
    constexpr uid_t user = 1234;
    const fs::path other = world.root / "other";
    const fs::path link = world.root / "link";
    const fs::path granted = world.root / "granted";
    const std::string word = "read:" + (world.closed / "file").string();
    place_program(other);
    const auto turn = [](const fs::path& path, const fs::path& target, uid_t owner) {
        fs::create_symlink(target, path.string() + ".new");
        CHECK(::lchown((path.string() + ".new").c_str(), owner, owner) == 0);
        fs::rename(path.string() + ".new", path);
    };
    const auto reads = [&] {
        return run({world.program, word})[word] == "allowed";
    };
    place.put("p", world.policy("[[path_beneath]]\nallowed_access = [\"read_file\"]\nparent = [\"" +
                                granted.string() + "\"]\n"));
    place.put("q", match_exe(link) + only(world.open));
    turn(link, other, 0);
    turn(granted, world.closed, 0);
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    // Root's own links are followed.
    CHECK(confined(other));
    CHECK(reads());
    turn(link, other, user);
    turn(granted, world.closed, user);
    CHECK(eventually([&] { return !confined(other); }));
    CHECK(eventually([&] { return !reads(); }));
    CHECK(eventually([&] {
        return !daemon.said("a symbolic link of user 1234 leads to " + other.string()).empty();
    }));
    CHECK(confined(world.program));
    // To what is the user's own they are, too.
    REQUIRE(::chown(other.c_str(), user, user) == 0);
    REQUIRE(::chown(world.closed.c_str(), user, user) == 0);
    CHECK(daemon.reload());
    CHECK(confined(other));
    CHECK(reads());
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
    // An unrelated mount makes no generation, not even after a change that made none.
    fs::copy_file("/etc/passwd", "/etc/passwd+");
    fs::rename("/etc/passwd+", "/etc/passwd");
    std::this_thread::sleep_for(std::chrono::seconds(2));
    const auto before = status()["generation"];
    REQUIRE(::mount("none", world.closed.c_str(), "tmpfs", 0, nullptr) == 0);
    std::this_thread::sleep_for(std::chrono::seconds(2));
    REQUIRE(::umount(world.closed.c_str()) == 0);
    CHECK(status()["generation"] == before);
}

TEST_CASE_METHOD(Following, "a file system that is mounted over the policies is followed") {
    place.put("p", world.policy());
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    REQUIRE(::mount("none", place.policies.c_str(), "tmpfs", 0, "mode=755") == 0);
    CHECK(eventually([&] { return daemon.status_line() == "0 policies enforced"; }));
    CHECK_FALSE(confined(world.program));
    write_file(place.policies / "p.toml", "abi = 9\n" + world.policy());
    CHECK(eventually([&] { return confined(world.program); }));
    place.remove("p");
    CHECK(eventually([&] { return !confined(world.program); }));
    REQUIRE(::umount(place.policies.c_str()) == 0);
    CHECK(eventually([&] { return confined(world.program); }));
}

TEST_CASE_METHOD(Following,
                 "a program that executes itself after each reload keeps its one layer") {
    constexpr int times = 20;
    const std::string policy =
        world.policy("[[path_beneath]]\nallowed_access = [\"abi.read_execute\"]\nparent = [\"" +
                     world.program.parent_path().string() + "\"]\n");
    place.put("p", policy);
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    Arguments chain;
    for (int i = 1; i <= times; ++i)
        for (const std::string& word :
             {world.program.string(), "wait:" + (world.open / std::to_string(i)).string(),
              std::string("via-execve"), std::string("--")})
            chain.push_back(word);
    for (const std::string& word :
         {world.program.string(), std::string("layers"), world.read_open, world.read_closed})
        chain.push_back(word);
    Process program(chain);
    const auto step = [&](int i) {
        const auto executed = status()["executions"]["matched"];
        write_file(world.open / std::to_string(i), "");
        CHECK(eventually([&] { return status()["executions"]["matched"] != executed; }));
    };
    for (int i = 1; i < times; ++i) {
        // Another policy changes, and the same one is loaded again.
        place.put("q", match_exe(world.root / std::to_string(i)) + only(world.open));
        CHECK(daemon.reload());
        step(i);
    }
    // The control: the policy itself changes.
    place.put("p",
              policy + "[[path_beneath]]\nallowed_access = [\"read_file\"]\nparent = [\"/etc\"]\n");
    CHECK(daemon.reload());
    step(times);
    const Ended ended = program.wait();
    CAPTURE(ended.out, ended.err, ended.status);
    CHECK(ended["layers"] == "2");
    CHECK(world.confined(ended));
}

TEST_CASE_METHOD(Following, "a program that executes itself gets no_new_privs that came later") {
    const std::string rules =
        "[[path_beneath]]\nallowed_access = [\"abi.read_execute\"]\nparent = [\"" +
        world.program.parent_path().string() + "\"]\n";
    const fs::path go_on = world.open / "go-on";
    place.put("p", world.policy(enforce("no_new_privs = false") + rules));
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    CHECK(run({world.program, "nnp"})["nnp"] == "0");
    Process program({world.program, "wait:" + go_on.string(), "via-execve", "--", world.program,
                     "nnp", "layers"});
    CHECK(eventually([&] { return status_of("p")["applied"] == 2; }));
    place.put("p", world.policy(rules));
    CHECK(daemon.reload());
    write_file(go_on, "");
    const Ended ended = program.wait();
    CAPTURE(ended.out, ended.err, ended.status);
    CHECK(ended["nnp"] == "1");
    CHECK(ended["layers"] == "2");
}

TEST_CASE_METHOD(Following, "what a file system of a user's answers cannot undo other policies") {
    SlowLink link(world.root / "fuse", "/nowhere");
    const std::string there = link.path().string();
    link.refuse_all(ENOMEM);
    place.put("p", world.policy());
    place.put("q", match("exe = [\"" + there + "\"]") + only(there));
    Llexecd daemon(place);
    CHECK(daemon.is_ready());
    CHECK(confined(world.program));
    CHECK_FALSE(daemon.said("Cannot allocate memory").empty());
    // Nor does it keep llexecd busy: there is nothing to try again.
    CHECK(daemon.reload());
    const auto generation = status()["generation"];
    std::this_thread::sleep_for(std::chrono::seconds(3));
    CHECK(status()["generation"] == generation);
    CHECK(daemon.stop().code() == 0);
}

TEST_CASE_METHOD(Following, "nor does what it answers about the end of a user's own link") {
    constexpr uid_t owner = 1234;
    SlowLink link(world.root / "fuse", "/nowhere");
    const fs::path own = world.root / "own";
    fs::create_symlink(link.path(), own);
    REQUIRE(::lchown(own.c_str(), owner, owner) == 0);
    link.refuse_second_looks(ENOMEM, owner);
    place.put("p", world.policy());
    place.put("q", match("exe = [\"" + own.string() + "\"]") + only(own.string()));
    Llexecd daemon(place);
    CHECK(daemon.is_ready());
    CHECK(confined(world.program));
    for (int i = 0; i < 3; ++i) {
        place.put("r", match_exe(world.root / std::to_string(i)) + only(world.open));
        CHECK(daemon.reload());
        CHECK(status()["policies"].size() == 4);
    }
    CHECK(daemon.stop().code() == 0);
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
