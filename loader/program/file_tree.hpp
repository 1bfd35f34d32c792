// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Files below a root directory, which need not be this process's own.
#pragma once

#include "llexec/fd.hpp"
#include "llexec/result.hpp"

#include <cstddef>
#include <expected>
#include <string>
#include <sys/stat.h>
#include <vector>

namespace llexec::program {

/// What a path leads to, not opened for anything yet.
struct FoundFile {
    UniqueFd fd; ///< O_PATH
    struct stat status{};

    [[nodiscard]] bool regular() const { return S_ISREG(status.st_mode); }
    /// Whether anybody may execute it: a regular file with a mode bit, on a mount that is not
    /// noexec.
    [[nodiscard]] bool executable() const;
    /// Whether its mount is nosuid.
    [[nodiscard]] bool mounted_nosuid() const;
    [[nodiscard]] bool same_file(const FoundFile& other) const {
        return status.st_dev == other.status.st_dev && status.st_ino == other.status.st_ino;
    }
};

class FileTree {
  public:
    [[nodiscard]] static Result<FileTree> open(const std::string& root);

    /// Follows symbolic links; an errno value if it leads nowhere.
    [[nodiscard]] std::expected<FoundFile, int> find(const std::string& path) const;

    /// Opens a regular file for reading. Of anything else it is an error (EINVAL): opening a device
    /// can have effects.
    [[nodiscard]] std::expected<UniqueFd, int> open_file(const FoundFile& file) const;

    /// Its path below the root, without symbolic links.
    [[nodiscard]] Result<std::string> real_path(const FoundFile& file) const;

    /// `path` from the root on, if it is relative: see inspect_program().
    [[nodiscard]] std::string absolute(const std::string& path) const;

    /// The content of a regular file of at most `limit` bytes; empty if it is not there, too large,
    /// or cannot be read.
    [[nodiscard]] std::string text(const std::string& path, std::size_t limit = 1U << 20U) const;

    /// The names in a directory, sorted; none if it cannot be read.
    [[nodiscard]] std::vector<std::string> names(const std::string& directory) const;

    /// What a symbolic link says; empty if `path` is none.
    [[nodiscard]] std::string link(const std::string& path) const;

  private:
    explicit FileTree(UniqueFd root) : root_(std::move(root)) {}
    [[nodiscard]] UniqueFd open_path(const std::string& path, int flags) const;

    UniqueFd root_; ///< none: the root of this process
};

/// Reads up to `size` bytes at `offset`; fewer only at the file's end, none after an error.
[[nodiscard]] std::string read_at(int fd, std::uint64_t offset, std::size_t size);

} // namespace llexec::program
