// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Processes that a policy is for and does not confine: they have run since before it was loaded.
#pragma once

#include "llexec/result.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace llexec {

struct UnconfinedProcess {
    std::uint32_t pid = 0;
    std::string exe;     ///< /proc/PID/exe; empty if the caller may not read that
    std::string command; ///< its name: /proc/PID/comm
    std::string policy;
};

/// Looks at all processes, with the rules that are enforced now: each that an enforcing policy
/// would select if it executed its program again, and that this policy does not confine. A process
/// counts as confined by a policy if it, or one that it descends from, has executed a program that
/// any generation of that policy was applied to.
///
/// A program is told by the file that the process runs, so a script is one of its interpreter, and
/// what a rule says about the script itself is not seen. A process can name another file as its
/// program (PR_SET_MM_EXE_FILE, with CAP_CHECKPOINT_RESTORE in its user namespace): this is for
/// whoever wants to know what to restart, and nothing is decided by it. PID 1 and root's llexec are
/// never selected. Empty if nothing is loaded.
///
/// Takes up to half a second longer if a process stays in execve(2) for so long, and as much again
/// each time that a load replaces the generation meanwhile; the process is then listed if it is not
/// confined by that time.
[[nodiscard]] Result<std::vector<UnconfinedProcess>> find_unconfined_processes();

} // namespace llexec
