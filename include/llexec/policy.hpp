// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The policy model: what a policy file means, whatever it was written in.
#pragma once

#include "llexec/access.hpp"
#include "llexec/diagnostic.hpp"
#include "llexec/landlock_uapi.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace llexec {

/// An absolute path, lexically normalised (no repeated slash, no "." or ".." component, no trailing
/// slash).
struct ExePath {
    std::string path;
    Position position;
};

/// An absolute path of a directory, normalised likewise; "/" is the root.
struct DirectoryPath {
    std::string path;
    Position position;
};

/// A path below the root of cgroup v2, normalised likewise, as /proc/PID/cgroup shows it: it starts
/// with a slash, and "/" is the root. At most 32 components of at most 255 bytes.
struct CgroupPath {
    std::string path;
    Position position;
};

/// A user or a group, resolved when the policy was read.
struct Principal {
    std::uint32_t id = 0;
    std::string spelling; ///< as written: a name or a number
    Position position;
};

/// One [[match]] table. It selects an execution if each non-empty list has an element that fits; at
/// least one list is not empty.
struct MatchBlock {
    std::vector<ExePath> exes;
    std::vector<DirectoryPath> directories; ///< exe_beneath
    std::vector<CgroupPath> cgroups;
    std::vector<Principal> users;
    std::vector<Principal> groups;
    Position position;
};

enum class Mode { enforce, observe };
enum class OnError { deny, allow };
enum class Compat { best_effort, strict };
enum class MissingPaths { warn, error };
/// The [enforce] table, with its defaults.
struct Enforce {
    Mode mode = Mode::enforce;
    bool no_new_privs = true;
    OnError on_error = OnError::deny;
    Compat compat = Compat::best_effort;
    MissingPaths missing_paths = MissingPaths::warn;
    std::uint32_t log = uapi::restrict_self_log_new_exec_on; ///< LANDLOCK_RESTRICT_SELF_LOG_*:
                                                             ///< which denials the kernel logs
    Position log_position; ///< line 0: log was not written, the default holds
};

/// One place of a policy that names an object.
struct Grant {
    std::uint64_t access = 0; ///< what it grants there; 0 in a rule that is only quiet
    std::uint32_t file = 0;   ///< 0: the policy's own file; N: Policy::included[N - 1]
    Position position;

    friend bool operator==(const Grant&, const Grant&) = default;
};

/// `access` is granted beneath `path` (or on it, if it is not a directory). Normalised as Landlock
/// Config compares paths: repeated and trailing slashes and inner "." are gone, ".." stays. May be
/// relative.
struct PathRule {
    std::string path;
    std::uint64_t access = 0;       ///< a subset of the handled rights; not 0 unless quiet
    bool quiet = false;             ///< denials of the policy's quiet rights are not logged here
    std::vector<Grant> grants = {}; ///< where that is written; in the order of the files

    friend bool operator==(const PathRule&, const PathRule&) = default;
};

struct PortRule {
    std::uint16_t port = 0;
    std::uint64_t access = 0;
    bool quiet = false;
    std::vector<Grant> grants = {};

    friend bool operator==(const PortRule&, const PortRule&) = default;
};

struct Policy {
    std::string name; ///< the file's name without ".toml" or ".json": unique in a set; name order
                      ///< is layer order
    std::string file; ///< as the caller named it
    std::vector<std::string> included; ///< further files whose rules it has
    std::optional<int> abi;
    std::vector<MatchBlock> match; ///< any of them selects; empty: selects nothing
    Enforce enforce;
    std::vector<std::string> allowed_lints; ///< names of lints that it silences
    AccessMasks handled;         ///< what is denied unless a rule grants it; never all empty
    AccessMasks quiet;           ///< denials of these are not logged: of scopes never, of other
                                 ///< rights where a quiet rule holds. A subset of `handled`
    std::vector<PathRule> paths; ///< ordered by path, each path once
    std::vector<PortRule> ports; ///< ordered by port, each port once

    /// The file that a grant stands in.
    [[nodiscard]] const std::string& file_of(const Grant& grant) const {
        return grant.file == 0 ? file : included.at(grant.file - 1);
    }
    [[nodiscard]] bool silences(std::string_view lint) const {
        return std::ranges::find(allowed_lints, lint) != allowed_lints.end();
    }
};

} // namespace llexec
