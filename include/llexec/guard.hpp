// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Keeping other processes, root's included, from what is loaded.
#pragma once

#include "llexec/owner.hpp"
#include "llexec/result.hpp"

namespace llexec {

/// Guards what is pinned now: nobody else can open its maps, programs and links by their IDs, open
/// its maps to write, remove or move its pins, unmount their file system, or trace whoever is
/// trusted. Trusted are the calling process, and each that executes the file of its program or the
/// installed llexecd, and is not traced then, and shares its root directory with nobody. Pinned
/// like everything else: it outlives the caller. To be called again after each load(): what is new
/// is not guarded before. ENOENT if nothing is loaded; EBUSY if there is an owner, and it is not
/// `owner`.
///
/// Root can still load kernel modules, write to /dev/mem, preload libraries into llexecd, go on to
/// trace a caller that it traced before, or detach a mount above the BPF file system. It is a guard
/// against mistakes and against programs that have root's identity and not all of root's means.
[[nodiscard]] Result<> protect(const Owner* owner = nullptr);

/// Ends that. Not an error if nothing is guarded. EBUSY as protect().
[[nodiscard]] Result<> unprotect(const Owner* owner = nullptr);

/// Whether what is loaded is guarded.
[[nodiscard]] bool is_protected();

} // namespace llexec
