// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What attaching needs from the kernel and from the caller's privileges.
#pragma once

#include "llexec/probe.hpp"
#include "llexec/result.hpp"

#include <vector>

namespace llexec::kernel {

/// One item for each requirement, in order; those behind a missing one that they build on are not
/// tried. Leaves nothing behind.
[[nodiscard]] std::vector<ProbeItem> check_requirements();

/// Fails with the first requirement that is missing: kind unsupported, or system with EPERM for
/// privileges.
[[nodiscard]] Result<> require_interface();

} // namespace llexec::kernel
