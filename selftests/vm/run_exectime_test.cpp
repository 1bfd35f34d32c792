// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// llexec run --exectime, and what is different without it.
#include "catch.hpp"
#include "policies.hpp"

#include <cerrno>
#include <csignal>
#include <sys/syscall.h>
#include <unistd.h>

using namespace llexec::vmtest;

namespace {

constexpr unsigned somebody = 1000;
constexpr int exectime_abi = 12;
constexpr std::uint32_t create_ruleset_version = 1;

void require_exectime() {
    const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, create_ruleset_version);
    INFO("--exectime needs Landlock ABI " << exectime_abi << ", this kernel has " << abi);
    REQUIRE(abi >= exectime_abi);
}

class RunExectime {
  public:
    RunExectime() : world(ext4()), llexec(world.root / "llexec") {
        // Where every user can execute it.
        fs::copy_file(cli(), llexec);
        fs::permissions(llexec, fs::perms{0755});
    }

    /// `command` under one policy, with or without --exectime.
    [[nodiscard]] Ended run_under(const std::string& policy, bool exectime,
                                  const Arguments& command, const InChild& in_child = {}) const {
        const fs::path policies = write_policies({{"p", policy}});
        Arguments arguments{llexec, "run", policies};
        if (exectime)
            arguments.emplace_back("--exectime");
        arguments.emplace_back("--");
        arguments.insert(arguments.end(), command.begin(), command.end());
        Ended ended = run(arguments, in_child);
        fs::remove_all(policies);
        return ended;
    }

    World world;
    fs::path llexec;
};

} // namespace

TEST_CASE_METHOD(RunExectime, "run --exectime is refused by a kernel that does not have it") {
    const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, create_ruleset_version);
    const Ended ended = run_under(only(world.open), true, {world.program, "euid"});
    CAPTURE(abi, ended.err);
    if (abi < exectime_abi) {
        CHECK(ended.code() == 125);
        CHECK(ended.err.find("12 is needed") != std::string::npos);
        CHECK(ended.out.empty());
    } else {
        CHECK(ended.code() == 0);
    }
}

TEST_CASE_METHOD(RunExectime,
                 "run --exectime confines the command, which need not be allowed itself") {
    require_exectime();
    const Arguments look = world.look(world.program);
    CHECK(world.unconfined(run(look)));
    // Executing it is denied to llexec, which without the option is restricted first.
    const std::string policy = only(world.open);
    const Ended before = run_under(policy, false, look);
    CHECK(before.code() == 126);
    CHECK(before.out.empty());
    const Ended ended = run_under(policy, true, look);
    CAPTURE(ended.out, ended.err, ended.status);
    CHECK(world.confined(ended));
    const Ended state = run_under(policy, true, {world.program, "nnp", "layers"});
    CHECK(state["nnp"] == "1");
    CHECK(state["layers"] == "1");
}

TEST_CASE_METHOD(RunExectime, "run --exectime confines what the command starts") {
    require_exectime();
    const std::string child = "exec:" + (world.open / "noop").string();
    const std::string outside = "exec:" + world.program.string();
    place_program(world.open / "noop");
    const Ended plain = run({world.program, child, outside});
    CHECK(plain[child] == "allowed");
    CHECK(plain[outside] == "allowed");
    const Ended ended = run_under(only(world.open), true, {world.program, child, outside});
    CAPTURE(ended.out, ended.err);
    CHECK(ended[child] == "allowed");
    CHECK(ended[outside] == "denied");
}

TEST_CASE_METHOD(RunExectime,
                 "run --exectime leaves the dynamic linker to the kernel, and no library") {
    require_exectime();
    const std::string libraries = "[[path_beneath]]\nallowed_access = [\"abi.read_execute\"]\n"
                                  "parent = [\"/usr\", \"/etc/ld.so.cache\"]\n";
    CHECK(run({"/bin/true"}).code() == 0);
    const Ended without = run_under(only(world.open), true, {"/bin/true"});
    CAPTURE(without.err);
    CHECK(without.code() == 127); // the dynamic linker's: it ran, and found no library
    CHECK(without.err.find("error while loading shared libraries") != std::string::npos);
    CHECK(run_under(only(world.open) + libraries, true, {"/bin/true"}).code() == 0);
}

TEST_CASE_METHOD(RunExectime,
                 "run --exectime tells a command that cannot be executed from others") {
    require_exectime();
    CHECK(run_under(only(world.open), true, {"/nonexistent"}).code() == 127);
    CHECK(run_under(only(world.open), true, {world.open / "file"}).code() == 126);
    CHECK(run_under(only(world.open), true, {world.program, "euid"}).code() == 0);
}

TEST_CASE_METHOD(RunExectime,
                 "run --exectime keeps a set-user-ID command from gaining privileges") {
    require_exectime();
    const fs::path program = world.open / "as-2000";
    place_program(program);
    REQUIRE(::chown(program.c_str(), 2000, 0) == 0);
    fs::permissions(program, fs::perms{04755});
    const InChild caller = as_user(somebody, somebody);
    const Arguments look{program, "euid", "nnp", world.read_open, world.read_closed};
    CHECK(run(look, caller)["euid"] == "2000");
    const Ended ended = run_under(only(world.open), true, look, caller);
    CAPTURE(ended.out, ended.err);
    CHECK(ended["euid"] == "1000");
    CHECK(ended["nnp"] == "1");
    CHECK(world.confined(ended));

    const std::string free = enforce("no_new_privs = false") + only(world.open);
    // It takes CAP_SYS_ADMIN.
    const Ended refused = run_under(free, true, look, caller);
    CHECK(refused.code() == 125);
    CHECK(refused.out.empty());
    // With it, the program keeps its transition, and is confined.
    const Ended root = run_under(free, true, look);
    CAPTURE(root.out, root.err);
    CHECK(root["euid"] == "2000");
    CHECK(root["nnp"] == "0");
    CHECK(world.confined(root));
}

TEST_CASE_METHOD(RunExectime, "run --exectime adds its layer to those that are attached") {
    require_exectime();
    const std::string point = GENERATE(committing, staged);
    const fs::path second = world.root / "second";
    fs::create_directory(second);
    write_file(second / "file", "");
    const std::string in_second = "read:" + (second / "file").string();
    const std::string both = "[[path_beneath]]\nallowed_access = [\"abi.all\"]\nparent = [\"" +
                             second.string() + "\"]\n";
    const Arguments look{world.program, world.read_open, in_second, "layers"};
    load({{"attached", world.policy() + both}}, point);
    CHECK(run(look)[in_second] == "allowed");
    CHECK(run(look)["layers"] == "1");
    Ended ended = run_under(only(world.open) + both, true, look);
    CAPTURE(point, ended.out, ended.err);
    CHECK(ended[world.read_open] == "allowed");
    CHECK(ended[in_second] == "allowed");
    CHECK(ended["layers"] == "2");
    ended = run_under(only(world.open), true, look);
    CHECK(ended[world.read_open] == "allowed");
    CHECK(ended[in_second] == "denied");
    load({{"attached", world.policy()}}, point);
    ended = run_under(only(second), true, look);
    CHECK(ended[world.read_open] == "denied");
    CHECK(ended[in_second] == "denied");
    unload();
}

TEST_CASE_METHOD(RunExectime, "run --exectime: a seventeenth layer is a failed execution") {
    require_exectime();
    const fs::path policies = write_policies({{"p", only(world.open)}});
    for (const int own : {15, 16}) {
        const Ended ended = run({launcher(), "stack:" + std::to_string(own), "--", llexec, "run",
                                 "--exectime", policies, "--", world.program, "euid"});
        CAPTURE(own, ended.out, ended.err);
        CHECK(ended.code() == (own < 16 ? 0 : 126));
        CHECK((ended["euid"] == "0") == (own < 16));
        if (own == 16)
            CHECK(ended.err.find("16 Landlock layers") != std::string::npos);
    }
    fs::remove_all(policies);
}
