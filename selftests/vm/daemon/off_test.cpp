// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// llexecd switched off by a file, and on again.
#include "catch.hpp"
#include "service.hpp"

#include <chrono>
#include <thread>

using namespace llexec::vmtest;

TEST_CASE_METHOD(Service, "a file switches llexecd off, and its removal on again") {
    place.put("p", world.policy());
    const OffFile off_file;
    write_file(off, "");
    {
        Llexecd daemon(place);
        REQUIRE(daemon.is_ready());
        CHECK(daemon.said("NO POLICY IS ENFORCED").size() == 1);
        CHECK(unconfined());
        CHECK(status()["loaded"] == false);
        fs::remove(off);
        CHECK(eventually([&] { return confined(); }));
        write_file(off, "");
        CHECK(eventually([&] { return unconfined(); }));
        CHECK(eventually([&] { return status()["loaded"] == false; }));
    }
}

TEST_CASE_METHOD(Service, "switched on again with invalid policies, the last good ones are used") {
    place.put("p", world.policy());
    const OffFile off_file;
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    write_file(off, "");
    CHECK(eventually([&] { return unconfined(); }));
    place.put("p", "nonsense");
    fs::remove(off);
    CHECK(eventually([&] { return confined(); }));
    // Programs are confined before llexecd gets to say why.
    CHECK(eventually([&] { return !daemon.said("the last good policies are used").empty(); }));
}

TEST_CASE_METHOD(Service, "a switch-off that fails is said, and switching on again enforces") {
    place.put("p", world.policy());
    const OffFile off_file;
    load({{"p", world.policy()}}, committing);
    // Holds a map, whatever becomes of the pins.
    const Process follower({cli(), "events", "--follow"});
    std::this_thread::sleep_for(std::chrono::seconds(1) * slowness());
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    CHECK(confined());
    off_file.set(true);
    // It waits ten seconds for them.
    CHECK((eventually([&] { return !daemon.said("cannot be switched off").empty(); }) ||
           eventually([&] { return !daemon.said("cannot be switched off").empty(); })));
    CHECK(unconfined());
    CHECK(eventually([&] {
        return daemon.status_line().find("but: all pins are removed") != std::string::npos;
    }));
    off_file.set(false);
    CHECK(eventually([&] { return confined(); }));
    CHECK(eventually([&] { return daemon.status_line().starts_with("1 policies enforced"); }));
}

TEST_CASE_METHOD(Service,
                 "switched on with policies that cannot be used, they are taken when mended") {
    const fs::path common = place.root / "common.toml";
    write_file(common, "nonsense");
    place.put("p", "include = [\"../common.toml\", \"../missing/other.toml\"]\n" +
                       match_exe(world.program));
    const OffFile off_file;
    off_file.set(true);
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    CHECK(daemon.status_line().starts_with("switched off by "));
    off_file.set(false);
    REQUIRE(eventually([&] { return !daemon.said("NOTHING IS ENFORCED").empty(); }));
    CHECK(eventually(
        [&] { return daemon.status_line().starts_with("NOTHING IS ENFORCED: the policies in "); }));
    CHECK(unconfined());
    write_file(common, "abi = 9\n" + only(world.open));
    std::this_thread::sleep_for(std::chrono::seconds(3) * slowness());
    CHECK(unconfined());
    fs::create_directories(place.root / "missing");
    fs::permissions(place.root / "missing", fs::perms{0755});
    write_file(place.root / "missing/other.toml", "abi = 9\n" + only(world.open));
    CHECK(eventually([&] { return confined(); }));
    CHECK(eventually([&] { return daemon.status_line().starts_with("1 policies enforced"); }));
}

TEST_CASE_METHOD(Service, "switched off while nothing is enforced, llexecd says just that") {
    place.put("p", "nonsense");
    const OffFile off_file;
    off_file.set(true);
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    const auto is_off = [&] {
        return daemon.status_line() ==
               "switched off by the file /etc/llexec/off: no policy is enforced";
    };
    CHECK(is_off());
    off_file.set(false);
    REQUIRE(eventually([&] { return daemon.status_line().starts_with("NOTHING IS ENFORCED"); }));
    off_file.set(true);
    CHECK(eventually(is_off));
    CHECK(daemon.said("NO POLICY IS ENFORCED").size() == 2);
}

TEST_CASE_METHOD(Service, "the file is followed in a directory that was replaced, too") {
    place.put("p", world.policy());
    const OffFile off_file;
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    const fs::path directory = off.parent_path();
    const fs::path copy = directory.string() + ".copy";
    const fs::path old = directory.string() + ".old";
    const auto replace = [&] {
        fs::copy(directory, copy, fs::copy_options::recursive);
        fs::rename(directory, old);
        fs::rename(copy, directory);
        fs::remove_all(old);
        std::this_thread::sleep_for(std::chrono::seconds(2));
    };
    replace();
    CHECK(confined());
    off_file.set(true);
    CHECK(eventually([&] { return unconfined(); }));
    std::this_thread::sleep_for(std::chrono::seconds(2));
    replace();
    off_file.set(false);
    CHECK(eventually([&] { return confined(); }));
}
