// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#pragma once

#include <cstdint>
#include <string>

namespace llexec::daemon {

/// The path of a cgroup below the root of cgroup v2, by its ID; empty if it is gone, or if that
/// cannot be asked (CAP_DAC_READ_SEARCH).
[[nodiscard]] std::string cgroup_path(std::uint64_t id);

} // namespace llexec::daemon
