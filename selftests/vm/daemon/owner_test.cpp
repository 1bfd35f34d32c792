// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What llexecd keeps, it keeps alone.
#include "catch.hpp"
#include "llexecd.hpp"

using namespace llexec::vmtest;

namespace {

class Owned {
  public:
    Owned() : world(ext4()) { place.put("p", world.policy()); }

    [[nodiscard]] bool confined() const { return world.confined(run(world.look(world.program))); }

    Place place;
    World world;
};

} // namespace

TEST_CASE_METHOD(Owned,
                 "beside llexecd, commands neither change what is loaded nor take its events") {
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    const Json before = status();
    const fs::path policies = write_policies({{"q", world.policy()}});
    for (const Arguments& arguments : {Arguments{cli(), "load", policies},
                                       Arguments{cli(), "unload"}, Arguments{cli(), "events"}}) {
        const Ended ended = run(arguments);
        CAPTURE(arguments[1], ended.err);
        CHECK(ended.code() == 1);
        CHECK(ended.err.find("llexecd is running") != std::string::npos);
    }
    CHECK(status() == before);
    CHECK(confined());
    CHECK(eventually([&] { return !daemon.said("p: applied: ").empty(); }));
    CHECK(daemon.stop().code() == 0);
    load({{"q", world.policy()}}, committing);
    CHECK(status()["policies"].size() == 1);
    CHECK(run({cli(), "events"}).code() == 0);
    unload();
}

TEST_CASE_METHOD(Owned, "a second llexecd does not start, and changes nothing") {
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    const auto before = status()["generation"];
    Llexecd second(place);
    CHECK_FALSE(second.is_ready());
    CHECK(second.stop().code() == 1);
    CHECK(second.said("another llexecd is running").size() == 1);
    CHECK(status()["generation"] == before);
    // When the first one is gone, however it goes, there is room for the next.
    daemon.kill();
    Llexecd third(place);
    CHECK(third.is_ready());
}
