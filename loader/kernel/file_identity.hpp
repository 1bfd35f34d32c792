// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// How the kernel identifies files, asked from the kernel.
#pragma once

#include "llexec/abi.h"
#include "llexec/result.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace llexec::kernel {

/// The identity of each file that this process has open as one of `fds` (O_PATH is enough), in the
/// same order. `path_hash_seed` must be the one of the exec programs.
///
/// Runs a BPF iterator over this process's own descriptors, which needs CAP_BPF and CAP_PERFMON but
/// attaches to nothing. st_dev and st_ino would not do: btrfs and overlayfs report other numbers to
/// user space than the kernel uses.
[[nodiscard]] Result<std::vector<llexec_open_file>> identify_files(std::span<const int> fds,
                                                                   std::uint64_t path_hash_seed);

} // namespace llexec::kernel
