// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The policy model: what a policy file means, whatever it was written in.
#pragma once

#include "llexec/access.hpp"
#include "llexec/diagnostic.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace llexec {

/// An absolute path, lexically normalised (no repeated slash, no "." or ".." component, no trailing
/// slash).
struct ExePath {
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
    std::vector<Principal> users;
    std::vector<Principal> groups;
    Position position;
};

enum class Mode { enforce, observe };
enum class OnError { deny, allow };
enum class Compat { best_effort, strict };
enum class MissingPaths { warn, error };
enum class LogMode {
    new_exec,       ///< log the denials of the confined program
    none,           ///< log none of them
    subdomains_off, ///< as new_exec, but not those of domains that the program creates for itself
};

/// The [enforce] table, with its defaults.
struct Enforce {
    Mode mode = Mode::enforce;
    bool no_new_privs = true;
    OnError on_error = OnError::deny;
    Compat compat = Compat::best_effort;
    MissingPaths missing_paths = MissingPaths::warn;
    LogMode log = LogMode::new_exec;
    Position log_position; ///< line 0: log was not written, the default holds
};

/// `access` is granted beneath `path` (or on it, if it is not a directory). Normalised as Landlock
/// Config compares paths: repeated and trailing slashes and inner "." are gone, ".." stays. May be
/// relative.
struct PathRule {
    std::string path;
    std::uint64_t access = 0; ///< never 0, and a subset of the handled rights
    Position position;        ///< the first place that names the path
};

struct PortRule {
    std::uint16_t port = 0;
    std::uint64_t access = 0; ///< never 0, and a subset of the handled rights
    Position position;        ///< the first place that names the port
};

struct Policy {
    std::string name; ///< the file's name without ".toml" or ".json": unique in a set; name order
                      ///< is layer order
    std::string file; ///< as the caller named it
    std::optional<int> abi;
    std::vector<MatchBlock> match; ///< any of them selects; empty: selects nothing
    Enforce enforce;
    AccessMasks handled;         ///< what is denied unless a rule grants it; never all empty
    std::vector<PathRule> paths; ///< ordered by path, each path once
    std::vector<PortRule> ports; ///< ordered by port, each port once
};

} // namespace llexec
