// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Processes that a policy is for and does not confine: they have run since before it was loaded.
#pragma once

#include "llexec/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace llexec {

struct UnconfinedProcess {
    std::uint32_t pid = 0;
    std::string exe;     ///< /proc/PID/exe
    std::string command; ///< its name: /proc/PID/comm
    std::string policy;
};

struct UnconfinedProcesses {
    std::vector<UnconfinedProcess> processes; ///< by process ID, then in layer order
    std::size_t unknown = 0; ///< processes that could not be looked at (CAP_SYS_PTRACE)
};

/// Looks at all processes, with the rules that are enforced now: each that an enforcing policy
/// would select if it executed its program again, and that this policy does not confine. A process
/// counts as confined by a policy if it, or one that it descends from, has executed a program that
/// any generation of that policy was applied to.
///
/// A program is told by /proc/PID/exe, so a script is one of its interpreter, and what a rule says
/// about the script itself is not seen. PID 1 and llexec are never selected. Empty if nothing is
/// loaded.
[[nodiscard]] Result<UnconfinedProcesses> find_unconfined_processes();

} // namespace llexec
