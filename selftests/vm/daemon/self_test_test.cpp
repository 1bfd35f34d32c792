// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The self-test, when it fails.
#include "catch.hpp"
#include "service.hpp"

using namespace llexec::vmtest;

namespace {

/// llexecd with a self-test that fails as it is told.
class SelfTest {
  public:
    SelfTest() : world(ext4()) {
        place.put("p", world.policy());
        place.self_test = place.root / "self-test";
        fs::copy_file(fs::read_symlink("/proc/self/exe").parent_path() / "self_test_stand_in",
                      place.self_test);
        say("pass");
    }

    void say(const std::string& how) const {
        if (how == "missing")
            fs::remove(place.self_test);
        else
            write_file(place.self_test.string() + ".how", how);
    }

    [[nodiscard]] bool confined() const { return world.confined(run(world.look(world.program))); }

    [[nodiscard]] bool has_metric(const std::string& line) const {
        return eventually(
            [&] { return text_of(place.metrics).find(line + "\n") != std::string::npos; });
    }

    Place place;
    World world;
};

struct Failure {
    std::string how;
    std::string why;
};

const std::vector<Failure> failures{
    {"fail", "self-test: the program was executed and not confined"},
    {"hang", "self-test: the program did not end"},
    {"missing", "self-test: cannot execute "}};

} // namespace

TEST_CASE_METHOD(SelfTest, "a self-test that fails at the start ends llexecd, not what is loaded") {
    for (const Failure& failure : failures) {
        CAPTURE(failure.how);
        unload();
        CHECK_FALSE(confined());
        say(failure.how);
        Llexecd daemon(place);
        CHECK_FALSE(daemon.is_ready());
        CHECK(daemon.stop().code() == 1);
        CHECK(daemon.said("cannot start: " + failure.why).size() == 1);
        CHECK(confined());
        CHECK_FALSE(fs::exists(place.state / "last-good.json"));
    }
}

TEST_CASE_METHOD(SelfTest, "a self-test that fails at a reload is told until one passes") {
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    CHECK(has_metric("llexec_self_test_passed 1"));
    const std::string kept = text_of(place.state / "last-good.json");
    int serial = 0;
    for (const Failure& failure : failures) {
        CAPTURE(failure.how);
        say(failure.how);
        place.put("q" + std::to_string(++serial), world.policy());
        // It may come to it by itself, too.
        REQUIRE(daemon.reload());
        const auto said = daemon.said("the policies are loaded: " + failure.why);
        REQUIRE_FALSE(said.empty());
        CHECK(said[0]["PRIORITY"] == 2);
        CHECK(daemon.status_line().find("they have not passed the " + failure.why) !=
              std::string::npos);
        CHECK(has_metric("llexec_self_test_passed 0"));
        // In force, and not kept.
        CHECK(status()["policies"].size() == static_cast<std::size_t>(serial) + 2);
        CHECK(confined());
        CHECK(text_of(place.state / "last-good.json") == kept);
        if (failure.how == "missing")
            continue;
        say("pass");
        REQUIRE(daemon.reload());
        CHECK(daemon.status_line().find("self-test") == std::string::npos);
        CHECK(has_metric("llexec_self_test_passed 1"));
        place.remove("q" + std::to_string(serial--));
        REQUIRE(daemon.reload());
    }
}

TEST_CASE_METHOD(SelfTest, "a self-test whose program an upgrade replaces passes") {
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    const fs::path fresh = place.self_test.string() + ".dpkg-new";
    fs::copy_file(place.self_test, fresh);
    fs::rename(fresh, place.self_test);
    place.put("q", world.policy());
    REQUIRE(daemon.reload());
    CHECK(daemon.said("self-test").empty());
    CHECK(daemon.status_line() == "2 policies enforced");
}
