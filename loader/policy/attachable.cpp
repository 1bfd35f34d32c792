// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/abi.h"
#include "llexec/policy_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>

namespace llexec {
namespace {

/// Each program of a block (without any, each directory, cgroup, user or group) has a rule for
/// every combination of its other keys.
bool has_too_many_rules(const MatchBlock& block) {
    constexpr std::size_t limit = LLEXEC_MAX_RULES / 2;
    const bool by_program = !block.exes.empty();
    const bool by_file = by_program || !block.directories.empty();
    const bool by_place = by_file || !block.cgroups.empty();
    const std::array factors{by_place ? block.users.size() : 1,
                             by_place || !block.users.empty() ? block.groups.size() : 1,
                             by_file ? block.cgroups.size() : 1,
                             by_program ? block.directories.size() : 1};
    std::size_t rules = 1;
    for (const std::size_t factor : factors) {
        rules *= std::max<std::size_t>(factor, 1);
        if (rules > limit)
            return true;
    }
    return false;
}

} // namespace

std::vector<Diagnostic> check_attachable(const Policy& policy) {
    if (policy.match.empty())
        return {Diagnostic{
            .severity = Severity::error,
            .file = policy.file,
            .position = {},
            .message = "the policy has no [[match]] block, so it would never be attached",
            .advice = "add one, such as [[match]] with exe = [\"/usr/sbin/nginx\"]"}};
    std::vector<Diagnostic> found;
    for (const MatchBlock& block : policy.match)
        if (has_too_many_rules(block))
            found.push_back(
                {.severity = Severity::error,
                 .file = policy.file,
                 .position = block.position,
                 .message = fmt::format("the block has more than {} combinations of its users, "
                                        "groups, cgroups and directories",
                                        LLEXEC_MAX_RULES / 2),
                 .advice = "name groups instead of their users, and directories above instead of "
                           "each one"});
    return found;
}

} // namespace llexec
