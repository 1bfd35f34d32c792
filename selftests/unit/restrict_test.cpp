// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Asking a kernel what it has, and enforcing a ruleset.
#include "catch.hpp"
#include "fakes.hpp"
#include "llexec/landlock_uapi.hpp"

#include <fmt/format.h>

#include <cerrno>

using namespace llexec;
using namespace llexec::testing;

namespace {

using Calls = std::vector<std::string>;

Result<> restrict_on(FakeLandlock& kernel, int abi, std::uint32_t flags) {
    const BuiltRuleset ruleset;
    return restrict_self(ruleset, KernelSupport{.abi = abi, .errata = 0, .rights = {}}, flags,
                         kernel);
}

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

TEST_CASE("a kernel newer than this version counts with the rights that are known") {
    FakeLandlock kernel(40);
    CHECK(query_kernel_support(kernel)->abi == 40);
    CHECK(query_kernel_support(kernel)->rights == rights_of_abi(11));
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

TEST_CASE("no_new_privs is set first, on every kernel, and only if asked for") {
    const int abi = GENERATE(range(1, 12));
    CAPTURE(abi);
    const std::string restricted = abi < 7 ? "restrict 0x0" : "restrict 0x2";
    FakeLandlock kernel(abi);
    CHECK(restrict_on(kernel, abi, 0x12).has_value());
    CHECK(kernel.calls == Calls{"no_new_privs", restricted});
    FakeLandlock without(abi);
    CHECK(restrict_on(without, abi, 0x02).has_value());
    CHECK(without.calls == Calls{restricted});
}

TEST_CASE("if no_new_privs cannot be set, nothing is enforced") {
    FakeLandlock kernel(7);
    kernel.no_new_privs_answer = -EINVAL;
    const auto done = restrict_on(kernel, 7, 0x12);
    REQUIRE_FALSE(done.has_value());
    CHECK(done.error().code == EINVAL);
    CHECK(kernel.calls == Calls{"no_new_privs"});
}

TEST_CASE("a failure to enforce says what would help") {
    FakeLandlock kernel(7);
    kernel.restrict_answer = -EPERM;
    CHECK(restrict_on(kernel, 7, 0).error().hint.find("no_new_privs") != std::string::npos);
    kernel.restrict_answer = -E2BIG;
    CHECK(restrict_on(kernel, 7, 0).error().hint.find("16") != std::string::npos);
    CHECK(restrict_on(kernel, 7, 0).error().kind == ErrorKind::system);
    CHECK(restrict_on(kernel, 7, 0).error().message() ==
          "landlock_restrict_self failed: Argument list too long");
}
