// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The directories that ld.so looks for libraries in.
#pragma once

#include "program/elf_file.hpp"
#include "program/file_tree.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace llexec::program {

struct SystemDirectories {
    std::vector<std::string> configured; ///< known to ld.so from its cache only
    std::vector<std::string> defaults;   ///< built into it
};

/// Those of /etc/ld.so.conf, and those that distributions build into their glibc for this machine:
/// all of them, since a library for another machine is passed over.
[[nodiscard]] SystemDirectories glibc_directories(const FileTree& tree, const ElfFormat& format);

/// The system's directories of a musl whose ld.so is at `interpreter`.
[[nodiscard]] SystemDirectories musl_directories(const FileTree& tree,
                                                 const std::string& interpreter);

/// Replaces $ORIGIN, $LIB and $PLATFORM; `origin` is the directory of the file that says so. $LIB
/// is not the same on all distributions: several results. None if one has no value for this
/// machine, or if the result is longer than a path can be.
[[nodiscard]] std::vector<std::string>
expand_tokens(std::string_view path, const std::string& origin, const ElfFormat& format);

/// The libraries that /etc/ld.so.preload names.
[[nodiscard]] std::vector<std::string> preloaded(const FileTree& tree);

inline constexpr const char* preload_file = "/etc/ld.so.preload";

/// The parts of `text` between any of `separators`, without empty ones.
[[nodiscard]] std::vector<std::string> split(std::string_view text, std::string_view separators);

/// The path of `name` in `directory`.
[[nodiscard]] std::string below(std::string_view directory, std::string_view name);

/// Up to the last slash: "/" and "." where nothing else is left.
[[nodiscard]] std::string directory_of(const std::string& path);

/// Behind the last slash.
[[nodiscard]] std::string name_of(const std::string& path);

} // namespace llexec::program
