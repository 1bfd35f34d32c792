// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// From policy files to policies. The findings of all files are reported at once: of each file up to
// 100 errors, and up to 100 findings of each lint. One more finding says how many are not listed.
#pragma once

#include "llexec/diagnostic.hpp"
#include "llexec/policy.hpp"
#include "llexec/result.hpp"
#include "llexec/user_database.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace llexec {

/// A larger policy file is refused without a look at its text. Of texts that are at hand, the
/// caller decides.
inline constexpr std::size_t max_policy_file_size = 1024UL * 1024;

/// A longer policy name is refused: bytes of the file's name without ".toml" or ".json".
inline constexpr std::size_t max_policy_name_length = 63;

/// `policy` is there exactly if `diagnostics` has no error.
struct ParsedPolicy {
    std::optional<Policy> policy;
    std::vector<Diagnostic> diagnostics; ///< ordered by position
};

/// Where the files that `include` names come from, injected so that a caller (or a test) decides.
class PolicyFiles {
  public:
    PolicyFiles() = default;
    PolicyFiles(const PolicyFiles&) = delete;
    PolicyFiles& operator=(const PolicyFiles&) = delete;
    virtual ~PolicyFiles() = default;

    /// The text of the file at that path.
    [[nodiscard]] virtual Result<std::string> read(const std::string& path) = 0;
};

/// The system's files. A file larger than max_policy_file_size, or one that is not a regular file,
/// is an error.
[[nodiscard]] PolicyFiles& system_policy_files();

struct ParseOptions {
    PolicyFiles* files = nullptr; ///< nullptr: the system's
    bool standard = false;        ///< what Landlock Config does not have is an error
};

/// A chain of files, each of which includes the next, has at most this many.
inline constexpr std::size_t max_include_depth = 16;
/// A policy takes in at most this many files.
inline constexpr std::size_t max_included_files = 256;

/// Reads one document and those that it includes: JSON if the name of a file ends in ".json", and
/// TOML if not. `file` names it in findings, gives the policy its name, and is where relative paths
/// of `include` start.
[[nodiscard]] ParsedPolicy parse_policy(std::string_view text, std::string_view file,
                                        UserDatabase& users, const ParseOptions& options = {});

/// A document that was read from a file.
struct PolicyText {
    std::string file; ///< as the caller named it
    std::string text;
};

struct PolicySet {
    std::vector<Policy> policies;        ///< in name order; only files without an error are here
    std::vector<Diagnostic> diagnostics; ///< in the order of the files
    std::size_t files = 0;               ///< how many files were looked at

    [[nodiscard]] bool ok() const { return !has_errors(diagnostics); }
};

/// Reads files and directories; a large set on several threads, which are gone when it returns (so
/// `users` and `options.files` have to stand that). Of a directory: its entries named *.toml or
/// *.json that are regular files (symbolic links followed) and not hidden, not recursively. An
/// argument without any policy file, a file that cannot be read and two policies of one name are
/// errors among the diagnostics; a set with an error must not be used.
[[nodiscard]] PolicySet load_policies(std::span<const std::string> paths, UserDatabase& users,
                                      const ParseOptions& options = {});

/// The same for documents whose texts are at hand.
[[nodiscard]] PolicySet parse_policies(std::span<const PolicyText> texts, UserDatabase& users,
                                       const ParseOptions& options = {});

/// Whether a directory's entry of that name is a policy: *.toml or *.json, and not hidden.
[[nodiscard]] bool is_policy_file(std::string_view name);

/// Reads files and directories as Landlock Config documents (with `standard`) and composes them
/// into one policy of that name, as that format defines it: rules of all of them, and of the
/// handled rights only those that every document handles. So a further document can only weaken.
/// Its `file` is the first one, and the others are `included`.
[[nodiscard]] PolicySet compose_policies(std::span<const std::string> paths, std::string_view name,
                                         UserDatabase& users);

/// Adds to findings the lines that they are about, from the files that they name, as far as those
/// can be read.
void add_source_lines(std::span<Diagnostic> diagnostics);

/// The path of a cgroup as [[match]] takes it, in the form of CgroupPath: repeated slashes and "."
/// are dropped, and the first slash may be missing. Kind policy, with a hint, if it can be none.
[[nodiscard]] Result<std::string> cgroup_path(std::string_view text);

/// What keeps a valid policy from being attached at exec: it has no [[match]] block, or one with
/// more combinations of its keys than there is room for (LLEXEC_MAX_RULES in abi.h). Empty:
/// nothing.
[[nodiscard]] std::vector<Diagnostic> check_attachable(const Policy& policy);

} // namespace llexec
