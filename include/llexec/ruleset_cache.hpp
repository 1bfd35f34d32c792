// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Rulesets that are used again by the next load.
#pragma once

#include "llexec/landlock.hpp"
#include "llexec/policy.hpp"
#include "llexec/result.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace llexec {

/// The rulesets of the last load(), for the next one. A policy that says the same, at whose paths
/// the same objects stand, keeps its ruleset: the kernel then sees that what a program executes
/// again is confined by it already, and needs no further layer of the sixteen that there are. Not
/// for several threads.
///
/// What stands at a path is the same object if mount, device and inode are: the ruleset keeps its
/// inodes from being freed as long as they are mounted, so no other one gets the number. That holds
/// for the file systems that find an inode that is in memory by its number, and of all others for
/// the directory that is mounted; with other paths on them the ruleset is made anew each time.
class RulesetCache {
  public:
    /// What follows is another load.
    void begin();
    /// As build_ruleset(), or the same ruleset as in the load before. What is returned stays until
    /// the policy is built or left out by another load.
    [[nodiscard]] Result<const BuiltRuleset*> build(const Policy& policy,
                                                    const KernelSupport& support,
                                                    LandlockSyscalls& syscalls = system_landlock());
    /// All policies have been built: what is left of the load before is given up.
    void end();
    /// Not all of them could be built: what was made for this load is given up. It may be what
    /// there is no room for.
    void abandon();

    /// A path as it was found.
    struct Place {
        std::string path;
        std::string error; ///< why it could not be opened; empty if it could
        std::uint64_t mount = 0;
        std::uint64_t device = 0;
        std::uint64_t inode = 0;

        friend bool operator==(const Place&, const Place&) = default;
    };

  private:
    struct Kept {
        Policy policy;
        std::optional<std::vector<Place>> places; ///< none: one of them cannot be told from others
        BuiltRuleset ruleset;
        bool fresh = true; ///< made for the load that goes on
    };

    std::map<std::string, Kept> before_;
    std::map<std::string, Kept> now_;
};

} // namespace llexec
