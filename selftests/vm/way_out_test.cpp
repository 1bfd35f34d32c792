// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What must work whatever the policies are: llexec itself, and switching it off.
#include "catch.hpp"
#include "policies.hpp"

#include <chrono>
#include <fcntl.h>
#include <fstream>
#include <sched.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <thread>
#include <unistd.h>

using namespace llexec::vmtest;

namespace {

constexpr unsigned somebody = 1000;

/// Run in the child: a user who has a program interpret all files that begin with these bytes.
InChild with_format(const std::string& bytes, const fs::path& interpreter, const fs::path& mount) {
    return [=] {
        as_user(somebody, somebody)();
        if (::prctl(PR_SET_DUMPABLE, 1) != 0 || ::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
            ::_exit(126);
        std::ofstream("/proc/self/setgroups") << "deny";
        std::ofstream("/proc/self/gid_map") << "0 1000 1";
        std::ofstream("/proc/self/uid_map") << "0 1000 1";
        if (::mount("formats", mount.c_str(), "binfmt_misc", 0, nullptr) != 0)
            ::_exit(126);
        std::ofstream format(mount / "register");
        if (!(format << ":f:M::" << bytes << "::" << interpreter.string() << ":" << std::flush))
            ::_exit(126);
    };
}

class WayOut {
  public:
    WayOut() : point(GENERATE(committing, staged)), world(ext4()) {}

    std::string point;
    World world;
};

} // namespace

TEST_CASE_METHOD(WayOut, "a program that is installed in llexec's place is never selected") {
    CAPTURE(point);
    for (const fs::path path : {LLEXEC_INSTALLED_CLI, LLEXEC_INSTALLED_DAEMON}) {
        CAPTURE(path);
        fs::remove(path);
        load({{"p", match("cgroup = [\"/vmtest\"]") + only(world.open)}}, point);
        // As a package upgrade does it: another file than the one that was there.
        place_program(path);
        CHECK(world.unconfined(run(world.look(path))));
        // Who is not root may have chosen what runs in it.
        CHECK(world.confined(run(world.look(path), as_user(somebody, somebody))));
        CHECK(world.confined(run(world.look(world.program))));
        const fs::path copy = world.root / "llexec";
        fs::copy_file(path, copy, fs::copy_options::overwrite_existing);
        CHECK(world.confined(run(world.look(copy))));
        fs::remove(path);
        unload();
    }
}

TEST_CASE_METHOD(WayOut, "a program that interprets llexec is selected") {
    CAPTURE(point);
    const fs::path path = LLEXEC_INSTALLED_CLI;
    const fs::path formats = world.root / "formats";
    fs::create_directory(formats);
    write_file(path, "another format\n", fs::perms{0755});
    const InChild user = with_format("another format", world.program, formats);
    unload();
    CHECK(world.unconfined(run(world.look(path), user)));
    for (const std::string& block :
         {match("user = [1000]"), match("cgroup = [\"/vmtest\"]"), match_exe(world.program)}) {
        load({{"p", block + only(world.open)}}, point);
        const Ended ended = run(world.look(path), user);
        CAPTURE(block, ended.out, ended.err, ended.status);
        CHECK(world.confined(ended));
    }
    fs::remove(path);
    unload();
}

TEST_CASE_METHOD(WayOut, "a user's llexec is selected, whatever runs in it") {
    CAPTURE(point);
    const fs::path path = LLEXEC_INSTALLED_CLI;
    place_program(path);
    const InChild user = as_user(somebody, somebody);
    unload();
    CHECK(world.unconfined(run(world.look(path), user)));
    for (const std::string& block :
         {match("user = [1000]"), match("group = [1000]"), match("cgroup = [\"/vmtest\"]"),
          match("exe_beneath = [\"/\"]")}) {
        load({{"p", block + only(world.open)}}, point);
        const Ended ended = run(world.look(path), user);
        CAPTURE(block, ended.out, ended.err, ended.status);
        CHECK(world.confined(ended));
        CHECK(world.unconfined(run(world.look(path))));
    }
    fs::remove(path);
    unload();
}

TEST_CASE_METHOD(WayOut, "llexec is not selected as the interpreter of a script, unless staged") {
    CAPTURE(point);
    const fs::path path = LLEXEC_INSTALLED_CLI;
    const fs::path script = world.root / "bin/of-llexec";
    write_file(script, "#!" + path.string() + " nnp\n", fs::perms{0755});
    place_program(path);
    for (const std::string& block :
         {match("user = [0]"), match("cgroup = [\"/vmtest\"]"), match_exe(script)}) {
        load({{"p", block + only(world.open)}}, point);
        const Ended ended = run(world.look(script));
        CAPTURE(block, ended.out, ended.err, ended.status);
        // Which program interprets it is not known yet when a script's policies are staged.
        CHECK((point == staged ? world.confined(ended) : world.unconfined(ended)));
        CHECK(world.confined(run(world.look(world.script))) == (block != match_exe(script)));
    }
    fs::remove(path);
    unload();
}

TEST_CASE_METHOD(WayOut, "a policy about llexec's place is an error") {
    const Ended ended =
        try_load({{"p", match_exe(LLEXEC_INSTALLED_CLI) + only(world.open)}}, point);
    CHECK(ended.code() == 4);
    CHECK(Json::parse(ended.out)["diagnostics"][0]["line"] == 3);
}

TEST_CASE_METHOD(WayOut, "loading a policy for the shell of the rescue target warns") {
    // Where the shells are, but only for callers that are not here.
    const Json loaded = load(
        {{"p", match("exe_beneath = [\"/\"]\ncgroup = [\"/system.slice\"]") + only("/")}}, point);
    REQUIRE(loaded["diagnostics"].size() >= 1);
    CHECK(loaded["diagnostics"].back()["lint"] == "rescue-shell");
}

TEST_CASE_METHOD(WayOut, "a file switches llexec off") {
    CAPTURE(point);
    const fs::path off = "/etc/llexec/off";
    load({{"p", world.policy()}}, point);
    const auto generation = status()["generation"];
    fs::create_directories(off.parent_path());
    write_file(off, "");
    const Ended refused = try_load({{"p", world.policy()}}, point);
    CHECK(refused.code() == 1);
    CHECK(Json::parse(refused.out)["error"]["message"] ==
          "llexec is switched off by the file /etc/llexec/off");
    // What is enforced is not taken away by a load.
    CHECK(status()["generation"] == generation);
    unload();
    CHECK(world.unconfined(run(world.look(world.program))));
    fs::remove(off);
    load({{"p", world.policy()}}, point);
    CHECK(world.confined(run(world.look(world.program))));
}

TEST_CASE_METHOD(WayOut, "a load that waited while llexec was switched off attaches nothing") {
    CAPTURE(point);
    const fs::path off = "/etc/llexec/off";
    fs::create_directories(off.parent_path());
    unload();
    const fs::path policies = write_policies({{"p", world.policy()}});
    const int lock = ::open("/run/llexec/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    REQUIRE(::flock(lock, LOCK_EX) == 0);
    Process loading({cli(), "--json", "load", "--enforce-at", point, policies});
    std::this_thread::sleep_for(std::chrono::seconds(1) * slowness());
    REQUIRE(loading.is_running());
    write_file(off, "");
    ::close(lock);
    const Ended ended = loading.wait();
    fs::remove(off);
    CAPTURE(ended.out, ended.err);
    CHECK(ended.code() == 1);
    CHECK(Json::parse(ended.out)["error"]["message"] ==
          "llexec is switched off by the file /etc/llexec/off");
    CHECK(status()["loaded"] == false);
    CHECK(world.unconfined(run(world.look(world.program))));
    fs::remove_all(policies);
}
