// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// How the kernel identifies files, asked from the kernel.
#pragma once

#include "llexec/abi.h"
#include "llexec/result.hpp"

#include <cstdint>
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

/// What answers, of the exec programs' object: the program llexec_files and its map
/// llexec_suffixes, both borrowed, and the path_hash_seed that they were loaded with.
struct FileIdentifier {
    int program = -1;
    int suffixes = -1;
    std::uint64_t seed = 0;
};

/// The identity of each file, in the same order. A descriptor may be there once. One caller at a
/// time, see attach::Lock.
///
/// Runs a BPF iterator over this process's own descriptors, which attaches to nothing. st_dev and
/// st_ino would not do: btrfs and overlayfs report other numbers to user space than the kernel
/// uses.
[[nodiscard]] Result<std::vector<llexec_open_file>>
identify_files(const FileIdentifier& by, std::span<const IdentifiedFile> files);

/// Every process but kernel threads, in ascending order of IDs, with the program that it runs.
/// `program`: llexec_procs. It works also for a process that Landlock keeps from /proc/PID/exe.
[[nodiscard]] Result<std::vector<llexec_process>> list_processes(int program);

} // namespace llexec::kernel
