// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Exit codes are an interface: their numbers too.
#include "llexec/exit_code.hpp"

#include "catch.hpp"

using namespace llexec;

TEST_CASE("each kind of error has its exit code") {
    CHECK(exit_code(ErrorKind::system) == ExitCode::runtime_error);
    CHECK(exit_code(ErrorKind::unsupported) == ExitCode::unsupported_kernel);
    CHECK(exit_code(ErrorKind::policy) == ExitCode::policy_invalid);
}

TEST_CASE("exit codes are the numbers that are documented") {
    CHECK(static_cast<int>(ExitCode::ok) == 0);
    CHECK(static_cast<int>(ExitCode::runtime_error) == 1);
    CHECK(static_cast<int>(ExitCode::usage) == 2);
    CHECK(static_cast<int>(ExitCode::unsupported_kernel) == 3);
    CHECK(static_cast<int>(ExitCode::policy_invalid) == 4);
    CHECK(static_cast<int>(ExitCode::negative) == 5);
    CHECK(static_cast<int>(ExitCode::run_failed) == 125);
    CHECK(static_cast<int>(ExitCode::cannot_execute) == 126);
    CHECK(static_cast<int>(ExitCode::not_found) == 127);
}
