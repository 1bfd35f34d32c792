// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// How the kernel identifies files, asked from the kernel.
#pragma once

#include "llexec/abi.h"
#include "llexec/result.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace llexec::kernel {

/// What is to be identified: a file that this process has open (O_PATH is enough), or, by its path
/// alone, one that need not exist.
struct IdentifiedFile {
    int fd = -1;
    std::string_view below{}; ///< if not empty: names below the directory `fd`, separated by
                              ///< slashes; the record's path_hash is theirs, the rest the
                              ///< directory's
};

/// Asks a BPF iterator over this process's own descriptors, which needs CAP_BPF and CAP_PERFMON but
/// attaches to nothing. st_dev and st_ino would not do: btrfs and overlayfs report other numbers to
/// user space than the kernel uses.
class FileIdentifier {
  public:
    /// `path_hash_seed` must be the one of the exec programs.
    explicit FileIdentifier(std::uint64_t path_hash_seed);
    FileIdentifier(FileIdentifier&&) noexcept;
    FileIdentifier& operator=(FileIdentifier&&) noexcept;
    ~FileIdentifier();

    /// The identity of each file, in the same order. A descriptor may be there once. The first call
    /// loads the program.
    [[nodiscard]] Result<std::vector<llexec_open_file>>
    identify(std::span<const IdentifiedFile> files);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// Every process but kernel threads, in ascending order of IDs, with the program that it runs. As
/// FileIdentifier does it, and it works also for a process that Landlock keeps from /proc/PID/exe.
[[nodiscard]] Result<std::vector<llexec_process>> list_processes(std::uint64_t path_hash_seed);

} // namespace llexec::kernel
