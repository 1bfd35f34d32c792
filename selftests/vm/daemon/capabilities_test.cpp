// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The capabilities that llexecd keeps: what each of them is for, seen by its absence.
#include "catch.hpp"
#include "llexecd.hpp"

#include <sys/stat.h>
#include <unistd.h>

using namespace llexec::vmtest;

namespace {

/// llexecd with these capabilities and no others, and what it can do then.
class Bounded {
  public:
    Bounded() : world(ext4()), home(world.root / "home") {
        // Of a user who lets nobody in.
        fs::create_directories(home);
        place_program(home / "program");
        REQUIRE(::chown(home.c_str(), 1234, 1234) == 0);
        fs::permissions(home, fs::perms{0700});
        place.put("p", world.policy());
        place.put("q", match_exe(home / "program") + only(world.open));
    }

    [[nodiscard]] std::string works_with(const std::string& capabilities) {
        unload();
        Llexecd daemon(place, {"setpriv", "--bounding-set", "-all" + capabilities});
        if (!daemon.is_ready())
            return "does not start";
        std::string words;
        const auto can = [&](const char* word, bool yes) {
            words += yes ? std::string(words.empty() ? "" : " ") + word : "";
        };
        can("enforce", world.confined(run(world.look(world.program))));
        can("closed", eventually([&] { return !daemon.said("p: applied: ").empty(); }) &&
                          world.confined(run(world.look(home / "program"))));
        can("cgroup", daemon.said("p: applied: ").at(0)["LLEXEC_CGROUP"] == "/vmtest");
        can("reload", daemon.reload());
        fs::create_directories("/etc/llexec");
        write_file("/etc/llexec/off", "");
        // The signal is looked at when that is done.
        can("off", eventually([&] { return world.unconfined(run(world.look(world.program))); }) &&
                       daemon.stop().code() == 0 && daemon.said("cannot be switched off").empty());
        fs::remove("/etc/llexec/off");
        return words;
    }

    Place place;
    World world;
    fs::path home;
};

} // namespace

TEST_CASE_METHOD(Bounded, "each capability that llexecd keeps is needed, and no other") {
    CHECK(works_with(",+sys_admin,+dac_read_search") == "enforce closed cgroup reload off");
    CHECK(works_with(",+sys_admin") == "enforce reload off");
    CHECK(works_with(",+dac_read_search") == "does not start");
    // Enough for bpf(2), but for what it does by ID.
    CHECK(works_with(",+bpf,+perfmon,+dac_read_search") == "enforce closed cgroup reload");
}
