// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Which policies an execution would get.
#pragma once

#include "llexec/policy.hpp"
#include "llexec/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace llexec {

/// An execution that might happen.
struct Execution {
    std::uint32_t user = 0;            ///< effective, of the caller of execve(2)
    std::vector<std::uint32_t> groups; ///< effective and supplementary
    std::string cgroup;                ///< as /proc/PID/cgroup shows it
};

/// The files that an execution is selected by.
struct ExecutedFiles {
    std::string asked;            ///< what was asked for, without symbolic links
    std::string interpreter = {}; ///< what runs a script in the end; otherwise empty
    bool llexec = false; ///< what runs is llexec or llexecd as it is installed, or this program:
                         ///< never selected when root executes it
};

/// Follows symbolic links and #! lines. Fails if the program cannot be read, and with ELOOP if it
/// leads through more scripts than the kernel follows.
[[nodiscard]] Result<ExecutedFiles> executed_files(const std::string& exe);

struct Selection {
    bool selected = false;
    Position block;                   ///< the [[match]] block that selects it
    std::vector<std::string> reasons; ///< if none does, why not: one for each block
};

/// Whether a policy would be attached, whatever others are. Files are compared as stat(2) tells
/// them apart and by their path, which is what the kernel is asked for more exactly when policies
/// are loaded.
[[nodiscard]] Selection select_policy(const Policy& policy, const Execution& execution,
                                      const ExecutedFiles& files);

/// What becomes of an execution that so many policies select, of which so many are enforced, if
/// that is more than it can have; otherwise empty. Layers that the caller has already come on top.
[[nodiscard]] std::string beyond_limits(std::size_t selected, std::size_t enforced);

} // namespace llexec
