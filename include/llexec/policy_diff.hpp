// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// How two policies differ in what they allow.
#pragma once

#include "llexec/access.hpp"
#include "llexec/policy.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace llexec {

/// Rights that one of two policies allows somewhere and the other does not.
struct AccessDifference {
    AccessClass access_class = AccessClass::fs;
    std::uint64_t rights = 0; ///< not 0
    std::string where = {}; ///< beneath this path, or on this port; empty: on all ports, or a scope
    std::vector<std::string> except = {}; ///< not beneath these paths, or not on these ports
};

struct PolicyDifference {
    std::vector<AccessDifference> gained; ///< what the second allows and the first does not
    std::vector<AccessDifference> lost;   ///< the reverse

    [[nodiscard]] bool empty() const { return gained.empty() && lost.empty(); }
};

/// Compares by meaning: what is handled and what the rules above each path grant, not how that is
/// written. A right differs at exactly the places that the differences with it name. One that is
/// not handled counts as granted on "/", where all paths are beneath. Paths that lead to the same
/// place through symbolic links are the same; those that do not exist are compared as text.
/// [[match]] and [enforce] are not looked at, nor is what is quiet.
[[nodiscard]] PolicyDifference diff_policies(const Policy& first, const Policy& second);

} // namespace llexec
