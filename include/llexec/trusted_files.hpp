// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Files that nobody but root can have made what they are.
#pragma once

#include "llexec/fd.hpp"
#include "llexec/policy_file.hpp"
#include "llexec/result.hpp"

#include <string>
#include <vector>

namespace llexec {

/// Opens a regular file to read it. An error of kind policy unless root owns it and every directory
/// on the way there, those that symbolic links lead through included, and nobody else may write to
/// any of them. What is checked is what is opened, whoever changes what meanwhile.
[[nodiscard]] Result<UniqueFd> open_trusted_file(const std::string& path);

/// The policy files of a directory.
struct PolicyListing {
    std::vector<std::string> paths; ///< by name; none of them is opened yet
    std::vector<Diagnostic> notes;  ///< about what is named like a policy and is left out
};

/// Those of such a directory, as load_policies() would find them. Entries that are known to be no
/// regular files (symbolic links followed) are left out.
[[nodiscard]] Result<PolicyListing> list_trusted_policies(const std::string& directory);

/// Reads such files only, those that `include` names too.
class TrustedPolicyFiles final : public PolicyFiles {
  public:
    [[nodiscard]] Result<std::string> read(const std::string& path) override;
};

} // namespace llexec
