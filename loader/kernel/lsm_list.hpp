// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Which LSMs are active.
#pragma once

#include "llexec/result.hpp"

#include <string>
#include <vector>

namespace llexec::kernel {

struct LsmList {
    std::vector<std::string> names; ///< in call order
    std::string source;             ///< where they were read
};

/// Reads /sys/kernel/security/lsm or, where securityfs is not mounted, asks lsm_list_modules(2)
/// (Linux 6.8), which only tells the ones that this version has a name for.
[[nodiscard]] Result<LsmList> active_lsms();

} // namespace llexec::kernel
