// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Several policies are several layers, and what happens when one cannot be added.
#include "catch.hpp"
#include "kernel_objects.hpp"
#include "policies.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <sys/stat.h>

using namespace llexec::vmtest;

namespace {

constexpr int max_layers = 16;

/// Executions between two answers of status().
int counted(const Json& before, const Json& after, const std::string& what) {
    return after["executions"][what].get<int>() - before["executions"][what].get<int>();
}

class Layers {
  public:
    Layers() : point(GENERATE(committing, staged)), world(ext4()) {}

    /// `count` policies about the world's program, "p01" and so on.
    [[nodiscard]] PolicySet policies(int count, const std::string& more = {}) const {
        PolicySet set;
        for (int i = 1; i <= count; ++i)
            set[(i < 10 ? "p0" : "p") + std::to_string(i)] = world.policy(more);
        return set;
    }

    /// Executes the program so that it would leave a file if it did anything at all.
    [[nodiscard]] Ended start(const Arguments& before = {}) const {
        fs::remove(trace_of_it());
        Arguments arguments{launcher()};
        arguments.insert(arguments.end(), before.begin(), before.end());
        arguments.insert(arguments.end(),
                         {"--", world.program, "create:" + trace_of_it().string(), "layers"});
        return run(arguments);
    }
    [[nodiscard]] fs::path trace_of_it() const { return world.open / "it-ran"; }

    /// The execution did not happen, because of `error`.
    void check_prevented(const Ended& ended, int error) const {
        CAPTURE(ended.out, ended.err, ended.status);
        CHECK_FALSE(fs::exists(trace_of_it()));
        if (point == staged) {
            CHECK(ended.code() == 3);
            CHECK(ended["exec"] == "errno " + std::to_string(error));
        } else {
            CHECK(ended.signal() == SIGKILL);
        }
        const auto seen = events();
        REQUIRE_FALSE(seen.empty());
        CHECK(seen.back()["outcome"] == (point == staged ? "refused" : "killed"));
        CHECK(seen.back()["errno"] == error);
    }

    std::string point;
    World world;
};

} // namespace

TEST_CASE_METHOD(Layers, "two policies are two layers, in the order of their names") {
    CAPTURE(point);
    const fs::path second = world.root / "second";
    fs::create_directory(second);
    write_file(second / "file", "");
    const std::string in_second = "read:" + (second / "file").string();
    const Arguments look{world.program, "layers", world.read_open, in_second, world.read_closed};
    const std::string both = "[[path_beneath]]\nallowed_access = [\"abi.all\"]\nparent = [\"" +
                             second.string() + "\"]\n";
    CHECK(run(look).code() == 0);

    // Each takes away what the other one grants.
    load({{"b", world.policy()}, {"a", match_exe(world.program) + only(second)}}, point);
    const Trace trace;
    Ended ended = run({world.program, world.read_open, in_second, world.read_closed});
    CAPTURE(ended.out, ended.err, trace.text());
    CHECK(ended[world.read_open] == "denied");
    CHECK(ended[in_second] == "denied");
    CHECK(ended[world.read_closed] == "denied");
    const auto rulesets = trace.values("create_domain", "ruleset");
    REQUIRE(rulesets.size() == 2);
    for (std::size_t i = 0; i < 2; ++i) {
        const auto id = std::stoull(rulesets[i], nullptr, 16);
        CHECK(id == status_of(i == 0 ? "a" : "b")["ruleset_id"].get<std::uint64_t>());
    }
    CHECK(run(look)["layers"] == "2");

    load({{"b", world.policy()}, {"a", world.policy() + both}}, point);
    ended = run(look);
    CHECK(ended[world.read_open] == "allowed");
    CHECK(ended[in_second] == "denied");
    load({{"b", world.policy() + both}, {"a", world.policy() + both}}, point);
    CHECK(run(look)[in_second] == "allowed");
}

TEST_CASE_METHOD(Layers, "sixteen policies are enforced") {
    CAPTURE(point);
    load(policies(max_layers), point);
    const Ended ended = start();
    CAPTURE(ended.out, ended.err, ended.status);
    CHECK(ended["layers"] == "16");
    CHECK(fs::exists(trace_of_it()));
    CHECK(world.confined(run(world.look(world.program))));
    const Json all = status()["policies"];
    CHECK(all.size() == max_layers);
    CHECK(std::ranges::all_of(all, [](const Json& one) { return one["applied"] == 2; }));
}

TEST_CASE_METHOD(Layers, "a seventeenth policy prevents the execution") {
    CAPTURE(point);
    load(policies(max_layers + 1), point);
    const Json before = status();
    events();
    check_prevented(start(), E2BIG);
    const Json now = status();
    CHECK(counted(before, now, "matched") == 1);
    CHECK(counted(before, now, point == staged ? "refused" : "killed") == 1);
    CHECK(counted(before, now, point == staged ? "killed" : "refused") == 0);
    CHECK(now["policies"][max_layers]["failed"] == 1);
    CHECK(now["policies"][max_layers]["applied"] == 0);
}

TEST_CASE_METHOD(Layers, "a caller with sixteen layers of its own cannot execute the program") {
    CAPTURE(point);
    load(policies(1), point);
    const Ended ended = start({"stack:15"});
    CHECK(ended["layers"] == "16");
    events();
    check_prevented(start({"stack:16"}), E2BIG);
}

TEST_CASE_METHOD(Layers, "what cannot be added is left out and counted if the policy says so") {
    CAPTURE(point);
    load(policies(max_layers + 1, enforce("on_error = \"allow\"")), point);
    const Json before = status();
    events();
    const Ended ended = start();
    CAPTURE(ended.out, ended.err, ended.status);
    CHECK(fs::exists(trace_of_it()));
    CHECK(ended["layers"] == "16");
    CHECK(status_of("p17")["failed"] == 1);
    CHECK(counted(before, status(), "allowed") == 1);
    const auto seen = events();
    REQUIRE(seen.size() == max_layers + 1);
    CHECK(seen.back()["policy"] == "p17");
    CHECK(seen.back()["outcome"] == "allowed");
    CHECK(seen.back()["errno"] == E2BIG);
}

TEST_CASE_METHOD(Layers, "an emptied slot prevents the execution") {
    CAPTURE(point);
    load(policies(2), point);
    CHECK(start()["layers"] == "2");
    REQUIRE(empty_slot(status_of("p02")["slot"].get<std::uint32_t>()));
    CHECK(status_of("p02")["ruleset_id"].is_null());
    events();
    const Json before = status();
    check_prevented(start(), ENOENT);
    CHECK(status_of("p02")["failed"] == 1);
    CHECK(counted(before, status(), point == staged ? "refused" : "killed") == 1);
    // Loading again heals it.
    load(policies(2), point);
    CHECK(start()["layers"] == "2");
}

TEST_CASE_METHOD(Layers, "an emptied slot is left out if the policy says so") {
    CAPTURE(point);
    load({{"p01", world.policy()}, {"p02", world.policy(enforce("on_error = \"allow\""))}}, point);
    REQUIRE(empty_slot(status_of("p02")["slot"].get<std::uint32_t>()));
    events();
    const Ended ended = start();
    CAPTURE(ended.out, ended.err, ended.status);
    CHECK(ended["layers"] == "1");
    const auto seen = events();
    REQUIRE(seen.size() == 2);
    CHECK(seen.back()["outcome"] == "allowed");
    CHECK(seen.back()["errno"] == ENOENT);
}

TEST_CASE_METHOD(Layers, "a program that executes itself does not use up layers") {
    CAPTURE(point);
    const auto chain = [&](const std::string& length) {
        return run({world.program, "via-chain:" + length, "--", world.program, "layers",
                    world.read_open, world.read_closed});
    };
    // The program has to be able to execute itself.
    load({{"p", match_exe(world.program) + only(world.open) +
                    "[[path_beneath]]\nallowed_access = [\"abi.read_execute\"]\nparent = [\"" +
                    world.program.parent_path().string() + "\"]\n"}},
         point);
    const Ended ended = chain("40");
    CAPTURE(ended.out, ended.err, ended.status);
    CHECK(ended["layers"] == "1");
    CHECK(world.confined(ended));
    const Json policy = status_of("p");
    CHECK(policy["matched"] == 42);
    CHECK(policy["applied"] == 1);
    CHECK(policy["nested"] == 41);
}

TEST_CASE_METHOD(Layers, "a shell that starts a shell does not use up layers") {
    CAPTURE(point);
    const fs::path directory = world.program.parent_path();
    const fs::path shell = directory / "sh";
    fs::copy_file("/bin/sh", shell);
    write_file(directory / "chain",
               "#!" + shell.string() +
                   "\nleft=$1\nshift\nif [ \"$left\" -gt 0 ]; then\n"
                   "\t\"$0\" $((left - 1)) \"$@\"\nelse\n\t\"$@\"\nfi\n",
               fs::perms{0755});
    const auto chain = [&](const std::string& length) {
        return run({directory / "chain", length, world.program, "layers", world.read_open,
                    world.read_closed});
    };
    CHECK(chain("40")["layers"] == "0");
    // With what a shell needs to start.
    load({{"p", match_exe(shell) + only(world.open) +
                    "[[path_beneath]]\nallowed_access = [\"abi.read_execute\"]\nparent = [\"" +
                    directory.string() + "\", \"/usr\", \"/lib\", \"/lib64\", \"/etc\"]\n"}},
         point);
    const Ended ended = chain("40");
    CAPTURE(ended.out, ended.err, ended.status);
    CHECK(ended["layers"] == "1");
    CHECK(world.confined(ended));
    const Json policy = status_of("p");
    CHECK(policy["matched"] == 41);
    CHECK(policy["applied"] == 1);
    CHECK(policy["nested"] == 40);
}

TEST_CASE_METHOD(Layers, "an observing policy attaches nothing and reports") {
    CAPTURE(point);
    load({{"p", world.policy(enforce("mode = \"observe\""))}}, point);
    events();
    const Ended ended = run({world.program, "layers", "nnp", world.read_open, world.read_closed});
    CAPTURE(ended.out, ended.err, ended.status);
    CHECK(world.unconfined(ended));
    CHECK(ended["layers"] == "0");
    CHECK(ended["nnp"] == "0");
    const Json policy = status_of("p");
    CHECK(policy["mode"] == "observe");
    CHECK(policy["matched"] == 1);
    CHECK(policy["applied"] == 0);
    const auto seen = events();
    REQUIRE(seen.size() == 1);
    CHECK(seen[0]["outcome"] == "observed");
    CHECK(seen[0]["ruleset_id"] == 0);
}

TEST_CASE_METHOD(Layers, "an event names ruleset and cgroup as the kernel does") {
    CAPTURE(point);
    load({{"p", world.policy()}}, point);
    events();
    CHECK(world.confined(run(world.look(world.program))));
    const auto seen = events();
    REQUIRE(seen.size() == 1);
    CHECK(seen[0]["ruleset_id"] == status_of("p")["ruleset_id"]);
    struct stat cgroup{};
    REQUIRE(::stat("/sys/fs/cgroup/vmtest", &cgroup) == 0);
    CHECK(seen[0]["cgroup"] == cgroup.st_ino);
}

TEST_CASE_METHOD(Layers, "observing policies take no layer from those that enforce") {
    CAPTURE(point);
    PolicySet set = policies(max_layers);
    set["o"] = world.policy(enforce("mode = \"observe\""));
    load(set, point);
    CHECK(start()["layers"] == "16");
}
