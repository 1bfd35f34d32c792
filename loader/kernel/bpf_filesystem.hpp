// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Where everything that is loaded is pinned.
#pragma once

#include "llexec/result.hpp"

namespace llexec::kernel {

/// Whether /sys/fs/bpf is a BPF filesystem in which only root can make anything: others could put
/// directories of theirs in the place of llexec's. Kind unsupported if it is not.
[[nodiscard]] Result<> check_bpf_filesystem();

} // namespace llexec::kernel
