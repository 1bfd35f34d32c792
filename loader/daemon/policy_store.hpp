// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The policies of the policy directory, and the last set of them that was enforced.
#pragma once

#include "llexec/policy_file.hpp"
#include "llexec/result.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace llexec::daemon {

/// What the names of users and groups in policies stand for.
struct UserNumbers {
    std::map<std::string, std::uint32_t> users;
    std::map<std::string, std::uint32_t> groups;
};

/// Policies with the texts that they come from.
struct StoredSet {
    PolicySet set;                            ///< its policies may be used if set.ok()
    std::vector<std::string> policies;        ///< paths of the policies' own files
    std::map<std::string, std::string> texts; ///< by path: theirs, and those that they include
    std::vector<std::string> unread;          ///< files that were asked for and could not be read
    UserNumbers numbers;                      ///< of the names in them
    /// Why it could not be read now, if that may pass: no policy is wrong. Kind system.
    std::optional<Error> hindered;
};

/// Whether they have the same texts, and the names of users and groups in them are the same
/// numbers.
[[nodiscard]] bool mean_the_same(const StoredSet& one, const StoredSet& other);

class PolicyStore {
  public:
    /// `directory`: of policies. `state`: a directory of llexecd's own.
    PolicyStore(std::string directory, std::string state);

    [[nodiscard]] const std::string& directory() const { return directory_; }

    /// Reads the directory. Only files that root alone can change: others are errors among the
    /// findings, as is what is wrong with the policies. A directory without policies is a set
    /// without policies.
    [[nodiscard]] StoredSet read() const;

    /// Keeps a valid set, with a digest: written beside the one before, and then put into its
    /// place. Survives a crash at any time.
    [[nodiscard]] Result<> keep(const StoredSet& stored) const;

    /// The set that was kept, parsed anew from the texts that it had, whatever became of the files.
    /// A name of a user or group that is unknown now stands for the number that it had.
    /// Kind system: ENOENT if there is none. Kind policy if its digest is not right, if others than
    /// root can write to it, or if it is not valid any more (with the findings).
    [[nodiscard]] Result<StoredSet> last_good() const;

  private:
    [[nodiscard]] std::string kept_file() const;

    std::string directory_;
    std::string state_;
};

} // namespace llexec::daemon
