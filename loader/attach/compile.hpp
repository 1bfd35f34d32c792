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
#include <string_view>
#include <utility>
#include <vector>

namespace llexec::attach {

/// How the programs identify what policies name.
struct Identities {
    /// By path in the policy. One that does not exist yet has the path half, and inode.ino 0.
    std::map<std::string, llexec_file_id> exes;
    std::map<std::string, std::uint64_t> directories; ///< places of the existing ones, likewise
    std::vector<llexec_file_id> never; ///< programs that are never selected; likewise, and
                                       ///< path_hash 0: wherever the file is
    std::uint64_t seed = 0;            ///< of the hashes that make places
};

template<class Key>
using Ranges = std::vector<std::pair<Key, llexec_rule_range>>;

/// One generation, ready to be stored.
struct CompiledSet {
    std::uint64_t generation = 0;
    std::vector<llexec_policy> policies; ///< in layer order; slots not assigned yet
    std::vector<llexec_rule> rules;
    Ranges<llexec_inode_key> by_inode;
    Ranges<llexec_path_key> by_path;
    Ranges<llexec_place_key> by_place;
    Ranges<llexec_id_key> by_user;
    Ranges<llexec_id_key> by_group;
    bool cgroups = false;     ///< whether any rule is about a cgroup
    bool directories = false; ///< whether any rule is about a directory
};

/// The place of a cgroup, which need not exist; normalised as CgroupPath.
[[nodiscard]] std::uint64_t cgroup_place(std::string_view path, std::uint64_t seed);

/// Compiles policies, which must be in layer order. A block is looked up by its programs or,
/// without any, by its directories, cgroups, users or groups, in this order; its other keys become
/// conditions. Programs without an identity and directories that do not exist select nothing.
/// Executions of `ids.never` are never selected. Kind policy if a policy names one of them, or if
/// there is more than half of what the maps can hold (LLEXEC_MAX_FILES and its like in abi.h).
/// Never expands more combinations than that, however many the policies have.
[[nodiscard]] Result<CompiledSet> compile(std::span<const Policy> policies, const Identities& ids,
                                          std::uint64_t generation);

} // namespace llexec::attach
