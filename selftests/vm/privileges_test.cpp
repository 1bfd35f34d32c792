// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// no_new_privs, and set-user-ID programs.
#include "catch.hpp"
#include "policies.hpp"

#include <unistd.h>

using namespace llexec::vmtest;

namespace {

constexpr unsigned somebody = 1000;

class Privileges {
  public:
    Privileges() : point(GENERATE(committing, staged)), world(ext4()) {}

    /// A set-user-ID copy of the program.
    [[nodiscard]] fs::path owned_by(unsigned user) const {
        const fs::path path = world.open / ("as-" + std::to_string(user));
        place_program(path);
        REQUIRE(::chown(path.c_str(), user, 0) == 0);
        fs::permissions(path, fs::perms{04755});
        return path;
    }

    std::string point;
    World world;
};

} // namespace

TEST_CASE_METHOD(Privileges, "no_new_privs is set after the exec, for root too") {
    CAPTURE(point);
    const Arguments look{world.program, "nnp", "status:NoNewPrivs"};
    const InChild user = as_user(somebody, somebody);
    CHECK(run(look)["nnp"] == "0");
    CHECK(run(look, user)["nnp"] == "0");
    load({{"p", world.policy()}}, point);
    Ended ended = run(look);
    CAPTURE(ended.out, ended.err);
    CHECK(ended["nnp"] == "1");
    CHECK(ended["status:NoNewPrivs"] == "1");
    CHECK(run(look, user)["nnp"] == "1");
    // Not in the parent.
    ended = run({"sh", "-c", world.program.string() + " nnp; " + launcher().string() + " nnp"});
    CHECK(ended.out == "nnp\t1\nnnp\t0\n");
}

TEST_CASE_METHOD(Privileges, "no_new_privs is left alone if the policy says so") {
    CAPTURE(point);
    load({{"p", world.policy(enforce("no_new_privs = false"))}}, point);
    const Arguments look{world.program, "nnp", "status:NoNewPrivs", world.read_open,
                         world.read_closed};
    for (const InChild& caller : {InChild{}, as_user(somebody, somebody)}) {
        const Ended ended = run(look, caller);
        CAPTURE(ended.out, ended.err);
        CHECK(ended["nnp"] == "0");
        CHECK(ended["status:NoNewPrivs"] == "0");
        CHECK(world.confined(ended));
    }
}

TEST_CASE_METHOD(Privileges, "one policy of several that sets no_new_privs is enough") {
    CAPTURE(point);
    load({{"a", world.policy(enforce("no_new_privs = false"))},
          {"b", world.policy()},
          {"c", world.policy(enforce("no_new_privs = false"))}},
         point);
    const Ended ended = run({world.program, "nnp", "layers"}, as_user(somebody, somebody));
    CHECK(ended["nnp"] == "1");
    CHECK(ended["layers"] == "3");
}

TEST_CASE_METHOD(Privileges, "an execution that fails does not set no_new_privs") {
    CAPTURE(point);
    const fs::path broken = world.root / "bin/broken";
    write_file(broken,
               "\x7f"
               "ELF, but no more\n",
               fs::perms{0755});
    load({{"p", match_exe(broken) + only(world.open)}}, point);
    const Ended ended =
        run({launcher(), "try-exec:" + broken.string(), "nnp"}, as_user(somebody, somebody));
    CHECK(ended["try-exec:" + broken.string()] == "errno 8"); // ENOEXEC
    CHECK(status_of("p")["matched"] == (point == staged ? 1 : 0));
    CHECK(ended["nnp"] == "0");
}

TEST_CASE_METHOD(Privileges, "a set-user-ID program keeps its transition in its own exec") {
    CAPTURE(point);
    const unsigned owner = GENERATE(0U, 2000U);
    const fs::path program = owned_by(owner);
    const Arguments look{program, "euid", "nnp", world.read_open, world.read_closed};
    const InChild caller = as_user(somebody, somebody);
    CHECK(run(look, caller)["euid"] == std::to_string(owner));
    load({{"p", match_exe(program) + only(world.open)}}, point);
    const Ended ended = run(look, caller);
    CAPTURE(owner, ended.out, ended.err, ended.status);
    CHECK(ended["euid"] == std::to_string(owner));
    CHECK(ended["nnp"] == "1");
    CHECK(world.confined(ended));
}

TEST_CASE_METHOD(Privileges, "a confined program gains nothing by set-user-ID programs") {
    CAPTURE(point);
    const bool transition = GENERATE(false, true);
    const fs::path program = transition ? owned_by(2000) : world.program;
    const fs::path next = owned_by(3000);
    const Arguments look{program, "euid", "--", next, "euid", "nnp"};
    const InChild caller = as_user(somebody, somebody);
    CHECK(run(look, caller)["euid"] == "3000");
    load({{"p", match_exe(program) + only(world.open)}}, point);
    Ended ended = run(look, caller);
    CAPTURE(transition, ended.out, ended.err, ended.status);
    CHECK(ended["euid"] == (transition ? "2000" : "1000"));
    CHECK(ended["nnp"] == "1");
    // Without no_new_privs it does, and stays confined.
    load({{"p", match_exe(program) + enforce("no_new_privs = false") + only(world.open)}}, point);
    ended = run({program, "euid", "--", next, "euid", "nnp", world.read_open, world.read_closed},
                caller);
    CHECK(ended["euid"] == "3000");
    CHECK(ended["nnp"] == "0");
    CHECK(world.confined(ended));
}

TEST_CASE_METHOD(Privileges, "a policy about a user is about who calls a set-user-ID program") {
    CAPTURE(point);
    const fs::path program = owned_by(2000);
    const Arguments look{program, "euid", world.read_open, world.read_closed};
    load({{"p", match("user = [1000]") + only(world.open)}}, point);
    CHECK(world.confined(run(look, as_user(somebody, somebody))));
    load({{"p", match("user = [2000]") + only(world.open)}}, point);
    CHECK(world.unconfined(run(look, as_user(somebody, somebody))));
}
