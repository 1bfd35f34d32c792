// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// From policies to the elements of the maps. Pure: no system call, so that it can be tested
// anywhere.
#pragma once

#include "llexec/abi.h"
#include "llexec/policy.hpp"
#include "llexec/result.hpp"

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace llexec::attach {

/// The identity of each existing file that a policy names, by its path in the policy.
using ExeIds = std::map<std::string, llexec_file_id>;

template<class Key>
using Ranges = std::vector<std::pair<Key, llexec_rule_range>>;

/// One generation, ready to be stored.
struct CompiledSet {
    std::uint64_t generation = 0;
    std::vector<llexec_policy> policies; ///< in layer order; slots not assigned yet
    std::vector<llexec_rule> rules;
    Ranges<llexec_inode_key> by_inode;
    Ranges<llexec_path_key> by_path;
    Ranges<llexec_id_key> by_user;
    Ranges<llexec_id_key> by_group;
};

/// Compiles policies, which must be in layer order. A block of a policy with exes selects each
/// existing one; without exes, it selects by user; without users either, by group. Executions of
/// `self`, the llexec program, are never selected; kind policy if a policy names it.
[[nodiscard]] Result<CompiledSet> compile(std::span<const Policy> policies, const ExeIds& exes,
                                          const llexec_file_id& self, std::uint64_t generation);

} // namespace llexec::attach
