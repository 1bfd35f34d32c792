// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// System calls that fail for want of memory.
#pragma once

#include <functional>

namespace llexec::testing {

/// Has a thread of its own do it, in which openat(2) fails with ENOMEM where its directory is a
/// descriptor: as a file system may answer while there is memory for all else.
void without_memory_for_names(const std::function<void()>& work);

/// The same for inotify_add_watch(2).
void without_memory_for_watches(const std::function<void()>& work);

} // namespace llexec::testing
