// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What must work whatever the policies are: llexec itself, and switching it off.
#include "catch.hpp"
#include "policies.hpp"

using namespace llexec::vmtest;

namespace {

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
        CHECK(world.confined(run(world.look(world.program))));
        const fs::path copy = world.root / "llexec";
        fs::copy_file(path, copy, fs::copy_options::overwrite_existing);
        CHECK(world.confined(run(world.look(copy))));
        fs::remove(path);
        unload();
    }
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
