// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Asking a kernel what it has, and enforcing rulesets.
#include "catch.hpp"
#include "fakes.hpp"
#include "llexec/landlock_uapi.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

using namespace llexec;
using namespace llexec::testing;

namespace {

using Calls = std::vector<std::string>;

/// A layer for each element of `flags`.
Result<Reach> enforce_on(FakeLandlock& kernel, const std::vector<std::uint32_t>& flags,
                         const RestrictOptions& options) {
    const BuiltRuleset ruleset;
    std::vector<Restriction> restrictions;
    restrictions.reserve(flags.size());
    for (const std::uint32_t one : flags)
        restrictions.push_back({.ruleset = &ruleset, .flags = one});
    return enforce_on_self(restrictions,
                           KernelSupport{.abi = kernel.abi_version(), .errata = 0, .rights = {}},
                           options, kernel);
}

constexpr RestrictOptions on_thread{.reach = Reach::thread};
constexpr RestrictOptions on_process{.reach = Reach::process};
constexpr RestrictOptions on_process_if_possible{.reach = Reach::process,
                                                 .without_tsync = WithoutTsync::thread_only};
constexpr RestrictOptions at_exec{.reach = Reach::next_exec};

} // namespace

TEST_CASE("a kernel's support is its ABI, its errata and its rights") {
    FakeLandlock kernel(7);
    kernel.errata_answer = 3;
    const auto support = query_kernel_support(kernel);
    REQUIRE(support.has_value());
    CHECK(support->abi == 7);
    CHECK(support->errata == 3);
    CHECK(support->rights == AccessMasks{.fs = 0xffff, .net = 3, .scoped = 3});
    kernel.errata_answer = -EINVAL;
    CHECK(query_kernel_support(kernel)->errata == 0);
}

TEST_CASE("a kernel newer than this version counts with all of its rights") {
    FakeLandlock kernel(40);
    CHECK(query_kernel_support(kernel)->abi == 40);
    CHECK(query_kernel_support(kernel)->rights == rights_of_abi(11));
    kernel.unnamed_rights = next_fs_right | next_fs_right << 1;
    AccessMasks all = rights_of_abi(11);
    all.fs |= kernel.unnamed_rights;
    CHECK(query_kernel_support(kernel)->rights == all);
    kernel.unnamed_rights = ~rights_of_abi(11).fs;
    CHECK(query_kernel_support(kernel)->rights.fs == ~0ULL);
}

TEST_CASE("a right that the kernel could not be asked for is not taken for lacking") {
    FakeLandlock kernel(40);
    kernel.unnamed_rights = next_fs_right;
    for (const int shortage : {ENOMEM, EMFILE}) {
        kernel.first_create_answer = -shortage;
        const auto support = query_kernel_support(kernel);
        REQUIRE_FALSE(support.has_value());
        CHECK(support.error().code == shortage);
    }
    CHECK((query_kernel_support(kernel)->rights.fs & next_fs_right) != 0);
}

TEST_CASE("no Landlock, Landlock disabled and a refused question are told apart") {
    FakeLandlock missing(-ENOSYS);
    CHECK(query_kernel_support(missing).error().kind == ErrorKind::unsupported);
    FakeLandlock disabled(-EOPNOTSUPP);
    CHECK(query_kernel_support(disabled).error().kind == ErrorKind::unsupported);
    CHECK(query_kernel_support(disabled).error().what !=
          query_kernel_support(missing).error().what);
    FakeLandlock refused(-EPERM);
    CHECK(query_kernel_support(refused).error().kind == ErrorKind::system);
    CHECK(query_kernel_support(refused).error().code == EPERM);
    FakeLandlock odd(0);
    CHECK(query_kernel_support(odd).error().kind == ErrorKind::unsupported);
}

TEST_CASE("enforce options become the kernel's flags") {
    struct Row {
        std::uint32_t log;
        bool no_new_privs;
        std::uint32_t flags;
    };
    const Row row =
        GENERATE(Row{log_new_exec, true, 0x12}, Row{log_new_exec, false, 0x02},
                 Row{log_none, true, 0x11}, Row{log_none, false, 0x01},
                 Row{log_subdomains_off, true, 0x16}, Row{log_subdomains_off, false, 0x06});
    Enforce enforce;
    enforce.log = row.log;
    enforce.no_new_privs = row.no_new_privs;
    CHECK(restrict_flags(enforce) == row.flags);
}

TEST_CASE("no_new_privs is set first below ABI 11, and only if asked for") {
    const int abi = GENERATE(range(1, 11));
    CAPTURE(abi);
    const std::string restricted = abi < 7 ? "restrict 0x0" : "restrict 0x2";
    FakeLandlock kernel(abi);
    CHECK(enforce_on(kernel, {0x12}, on_thread).has_value());
    CHECK(kernel.calls == Calls{"no_new_privs", restricted});
    FakeLandlock without(abi);
    CHECK(enforce_on(without, {0x02}, on_thread).has_value());
    CHECK(without.calls == Calls{restricted});
}

TEST_CASE("if no_new_privs cannot be set, nothing is enforced") {
    FakeLandlock kernel(7);
    kernel.no_new_privs_answer = -EINVAL;
    const auto done = enforce_on(kernel, {0x12}, on_thread);
    REQUIRE_FALSE(done.has_value());
    CHECK(done.error().code == EINVAL);
    CHECK(kernel.calls == Calls{"no_new_privs"});
}

TEST_CASE("a failure to enforce says what would help") {
    FakeLandlock kernel(7);
    kernel.restrict_answer = -EPERM;
    CHECK(enforce_on(kernel, {0}, on_thread).error().hint.find("no_new_privs") !=
          std::string::npos);
    kernel.restrict_answer = -E2BIG;
    CHECK(enforce_on(kernel, {0}, on_thread).error().hint.find("16") != std::string::npos);
    CHECK(enforce_on(kernel, {0}, on_thread).error().kind == ErrorKind::system);
    CHECK(enforce_on(kernel, {0}, on_thread).error().message() ==
          "landlock_restrict_self failed: Argument list too long");
}

TEST_CASE("a ruleset is enforced on the process by what the kernel has") {
    struct Row {
        int abi;
        Calls calls;
    };
    const auto row = GENERATE(values<Row>({{1, {"no_new_privs", "restrict 0x0"}},
                                           {6, {"no_new_privs", "restrict 0x0"}},
                                           {7, {"no_new_privs", "restrict 0x2"}},
                                           {8, {"no_new_privs", "restrict 0xa"}},
                                           {10, {"no_new_privs", "restrict 0xa"}},
                                           {11, {"restrict 0x1a"}},
                                           {12, {"restrict 0x1a"}}}));
    FakeLandlock kernel(row.abi);
    CAPTURE(row.abi);
    CHECK(enforce_on(kernel, {0x12}, on_process) == Reach::process);
    CHECK(kernel.calls == row.calls);
    // The process is the default.
    FakeLandlock same(row.abi);
    CHECK(enforce_on(same, {0x12}, {}) == Reach::process);
    CHECK(same.calls == row.calls);
}

TEST_CASE("without no_new_privs nothing sets it") {
    const int abi = GENERATE(range(1, 13));
    const RestrictOptions options = GENERATE(on_thread, on_process);
    CAPTURE(abi);
    FakeLandlock kernel(abi);
    CHECK(enforce_on(kernel, {0x02}, options) == options.reach);
    const std::uint32_t log = abi >= 7 ? 2 : 0;
    const std::uint32_t tsync = options.reach == Reach::process && abi >= 8 ? 8 : 0;
    CHECK(kernel.calls == Calls{fmt::format("restrict {:#x}", log | tsync)});
}

TEST_CASE("a ruleset is enforced on the thread alone if that is asked for") {
    const int abi = GENERATE(1, 7, 8, 10, 11, 12);
    CAPTURE(abi);
    FakeLandlock kernel(abi);
    kernel.thread_count_answer = 3; // makes no difference
    CHECK(enforce_on(kernel, {0x12}, on_thread) == Reach::thread);
    CHECK(kernel.calls == (abi < 7    ? Calls{"no_new_privs", "restrict 0x0"}
                           : abi < 11 ? Calls{"no_new_privs", "restrict 0x2"}
                                      : Calls{"restrict 0x12"}));
}

TEST_CASE("several threads are not restricted on a kernel that cannot synchronise them") {
    const int abi = GENERATE(1, 7);
    // The second: /proc is not there, and nobody knows.
    const int threads = GENERATE(2, -ENOENT);
    CAPTURE(abi, threads);
    FakeLandlock kernel(abi);
    kernel.thread_count_answer = threads;
    const auto refused = enforce_on(kernel, {0x12}, on_process);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().kind == ErrorKind::unsupported);
    CHECK(refused.error().what.find("8 is needed") != std::string::npos);
    CHECK(refused.error().hint.find("/proc/self/task") != std::string::npos);
    CHECK(kernel.calls.empty());
    // If asked for, the thread is, and that is what is said to have been done.
    CHECK(enforce_on(kernel, {0x12}, on_process_if_possible) == Reach::thread);
    CHECK(kernel.calls == Calls{"no_new_privs", abi < 7 ? "restrict 0x0" : "restrict 0x2"});
}

TEST_CASE("thread-only is for kernels without TSYNC and processes of several threads") {
    FakeLandlock single(7);
    CHECK(enforce_on(single, {0x12}, on_process_if_possible) == Reach::process);
    FakeLandlock tsync(8);
    tsync.thread_count_answer = 2;
    CHECK(enforce_on(tsync, {0x12}, on_process_if_possible) == Reach::process);
    CHECK(tsync.calls == Calls{"no_new_privs", "restrict 0xa"});
}

TEST_CASE("several rulesets are tried on another thread before they are enforced") {
    FakeLandlock kernel(11);
    CHECK(enforce_on(kernel, {0x12, 0x13}, on_process) == Reach::process);
    CHECK(kernel.calls ==
          Calls{"trial restrict 0x12", "trial restrict 0x13", "restrict 0x1a", "restrict 0x1b"});
    FakeLandlock old(7);
    CHECK(enforce_on(old, {0x12, 0x01}, on_thread) == Reach::thread);
    CHECK(old.calls == Calls{"trial no_new_privs", "trial restrict 0x2", "trial restrict 0x1",
                             "no_new_privs", "restrict 0x2", "restrict 0x1"});
}

TEST_CASE("if one of several rulesets cannot be enforced, none is") {
    const int abi = GENERATE(7, 8, 11);
    const RestrictOptions options = GENERATE(on_thread, on_process);
    CAPTURE(abi);
    FakeLandlock kernel(abi);
    kernel.first_restrict_answers = {0, -E2BIG};
    const auto refused = enforce_on(kernel, {0x12, 0x12, 0x12}, options);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == E2BIG);
    CHECK(refused.error().hint.find("16") != std::string::npos);
    CHECK(std::ranges::all_of(kernel.calls,
                              [](const std::string& call) { return call.starts_with("trial "); }));
}

TEST_CASE("a ruleset that fails after the trial is an error, and the rest is left out") {
    FakeLandlock kernel(11);
    kernel.first_restrict_answers = {0, 0, 0, 0, -ENOMEM};
    const auto failed = enforce_on(kernel, {0x02, 0x02, 0x02}, on_process);
    REQUIRE_FALSE(failed.has_value());
    CHECK(failed.error().code == ENOMEM);
    CHECK(kernel.calls.size() == 5);
}

TEST_CASE("no_new_privs of a later ruleset is there for the first one") {
    FakeLandlock kernel(11);
    CHECK(enforce_on(kernel, {0x02, 0x12}, on_process) == Reach::process);
    CHECK(kernel.calls ==
          Calls{"trial restrict 0x12", "trial restrict 0x12", "restrict 0x1a", "restrict 0x1a"});
}

TEST_CASE("a ruleset can wait for the next execution from ABI 12 on") {
    FakeLandlock kernel(12);
    kernel.thread_count_answer = 3;
    CHECK(enforce_on(kernel, {0x12}, at_exec) == Reach::next_exec);
    CHECK(kernel.calls == Calls{"restrict 0x32"});

    FakeLandlock old(11);
    const auto refused = enforce_on(old, {0x12}, at_exec);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().kind == ErrorKind::unsupported);
    CHECK(refused.error().what.find("12 is needed") != std::string::npos);
    CHECK(old.calls.empty());
}

TEST_CASE("a kernel whose ABI 12 is another one is told from a failure") {
    FakeLandlock other(12);
    other.restrict_answer = -EINVAL;
    const auto refused = enforce_on(other, {0x12}, at_exec);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().kind == ErrorKind::unsupported);
    FakeLandlock denied(12);
    denied.restrict_answer = -EPERM;
    CHECK(enforce_on(denied, {0x02}, at_exec).error().code == EPERM);
    CHECK(enforce_on(denied, {0x02}, at_exec).error().kind == ErrorKind::system);
}

TEST_CASE("several rulesets cannot wait for the next execution") {
    FakeLandlock kernel(GENERATE(11, 12));
    const auto refused = enforce_on(kernel, {0x12, 0x12}, at_exec);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().kind == ErrorKind::policy);
    CHECK(kernel.calls.empty());
}

TEST_CASE("to enforce nothing is an error") {
    FakeLandlock kernel(12);
    const RestrictOptions options = GENERATE(on_thread, on_process, at_exec);
    const auto refused = enforce_on(kernel, {}, options);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == EINVAL);
}

TEST_CASE("what enforce_on_self() cannot do says what would help") {
    FakeLandlock kernel(11);
    kernel.restrict_answer = -EPERM;
    CHECK(enforce_on(kernel, {0x02}, on_process).error().hint.find("no_new_privs") !=
          std::string::npos);
    FakeLandlock unset(8);
    unset.no_new_privs_answer = -EINVAL;
    CHECK(enforce_on(unset, {0x12}, on_process).error().what == "cannot set no_new_privs");
    CHECK(unset.calls == Calls{"no_new_privs"});
}
