// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// From policy files to policies. Every finding of every file is reported at once.
#pragma once

#include "llexec/diagnostic.hpp"
#include "llexec/policy.hpp"
#include "llexec/user_database.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace llexec {

/// A larger policy file is refused unread.
inline constexpr std::size_t max_policy_file_size = 1024UL * 1024;

/// A longer policy name is refused: bytes of the file's name without ".toml" or ".json".
inline constexpr std::size_t max_policy_name_length = 63;

/// `policy` is there exactly if `diagnostics` has no error.
struct ParsedPolicy {
    std::optional<Policy> policy;
    std::vector<Diagnostic> diagnostics; ///< ordered by position
};

/// Reads one document: JSON if the name of the file ends in ".json", and TOML if not. `file` names
/// it in findings and gives the policy its name; nothing is opened.
[[nodiscard]] ParsedPolicy parse_policy(std::string_view text, std::string_view file,
                                        UserDatabase& users);

struct PolicySet {
    std::vector<Policy> policies;        ///< in name order; only files without an error are here
    std::vector<Diagnostic> diagnostics; ///< in the order of the files
    std::size_t files = 0;               ///< how many files were looked at

    [[nodiscard]] bool ok() const { return !has_errors(diagnostics); }
};

/// Reads files and directories. Of a directory: its entries named *.toml or *.json that are regular
/// files (symbolic links followed) and not hidden, not recursively. An argument without any policy
/// file, a file that cannot be read and two policies of one name are errors among the diagnostics;
/// a set with an error must not be used.
[[nodiscard]] PolicySet load_policies(std::span<const std::string> paths, UserDatabase& users);

/// What keeps a valid policy from being attached at exec (today: it has no [[match]] block). Empty:
/// nothing.
[[nodiscard]] std::vector<Diagnostic> check_attachable(const Policy& policy);

} // namespace llexec
