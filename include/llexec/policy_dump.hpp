// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// A policy as text: what a file means once groups, variables and names are resolved.
#pragma once

#include "llexec/policy.hpp"
#include "llexec/result.hpp"

#include <string>

namespace llexec {

enum class DumpFormat {
    text,            ///< for people: rights by name and as the kernel's masks
    toml,            ///< a policy file that means the same, on this machine
    json,            ///< the same in JSON
    landlock_config, ///< the body alone, as other programs read it, in TOML
};

/// Writes a policy, ending with a newline. Only landlock_config can fail: kind policy if the policy
/// has something for which Landlock Config has no word.
[[nodiscard]] Result<std::string> dump_policy(const Policy& policy, DumpFormat format);

} // namespace llexec
