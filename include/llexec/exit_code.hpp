// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The exit codes of llexec and llexecd: part of their interface.
#pragma once

#include "llexec/result.hpp"

namespace llexec {

enum class ExitCode {
    ok = 0,
    runtime_error = 1,      ///< a system call or a resource failed
    usage = 2,              ///< the command line is wrong
    unsupported_kernel = 3, ///< the running kernel lacks something that is needed
    policy_invalid = 4,     ///< a policy is wrong, or refuses what it would get here
    negative = 5,           ///< the answer is no: explain: denied; match: none; diff: they differ

    // `llexec run` only, as env(1) and timeout(1) have them. Otherwise its status is CMD's own.
    run_failed = 125,     ///< llexec itself failed, whatever the reason: CMD was not started
    cannot_execute = 126, ///< CMD was found but could not be executed
    not_found = 127,      ///< CMD was not found
};

/// Of a program that ends because of an error.
[[nodiscard]] ExitCode exit_code(ErrorKind kind);

} // namespace llexec
