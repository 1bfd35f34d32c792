// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The directory of pins, which is what "loaded" means, and who may change it.
#pragma once

#include "llexec/fd.hpp"
#include "llexec/owner.hpp"
#include "llexec/result.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace llexec::attach {

/// A directory that is filled before it becomes pin_directory, or emptied after it was. (The BPF
/// filesystem refuses names with a dot.)
inline constexpr std::string_view staging_directory = "/sys/fs/bpf/llexec_new";
inline constexpr std::string_view doomed_directory = "/sys/fs/bpf/llexec_old";

/// The pins of the programs that answer questions, see kernel/file_identity.hpp.
inline constexpr std::string_view files_pin = "prog_llexec_files";
inline constexpr std::string_view processes_pin = "prog_llexec_procs";

/// The link of what lets a next llexecd be trusted, of all that guards (bpf/guard.bpf.c). While any
/// other guard is pinned this one has to be, or nobody can remove them before the machine starts
/// again: it is pinned before them, and removed after everything else.
inline constexpr std::string_view trusting_pin = "link_llexec_guard_exec";

[[nodiscard]] std::string pin_path(std::string_view name);

enum class PinAccess { read_write, read };

/// Opens a pinned object; `access` is about maps. ENOENT if it does not exist; EPERM, with a hint,
/// if llexecd guards it.
[[nodiscard]] Result<UniqueFd> open_pin(std::string_view name,
                                        PinAccess access = PinAccess::read_write);

enum class ObjectKind { map, program, link }; ///< numbers as llexec_guarded_kind

struct ObjectId {
    ObjectKind kind;
    std::uint32_t id;
};

/// The kernel's ID of a pinned object.
[[nodiscard]] Result<ObjectId> object_id(const std::string& name);

/// Whether pin_directory exists. EACCES without privileges.
[[nodiscard]] Result<bool> is_loaded();

/// The names of all pins in a directory; empty if it does not exist. EPERM if it is not root's.
[[nodiscard]] Result<std::vector<std::string>> list_pins(std::string_view directory);

/// Makes the directory of locks, /run/llexec, unless it exists.
[[nodiscard]] Result<> make_lock_directory();

/// Makes an empty directory for root only.
[[nodiscard]] Result<> make_directory(std::string_view directory);

/// Removes the pins of a directory whose names `chosen` is true for: links first, since what they
/// guard is the rest, and trusting_pin last. EPERM if the directory is not root's.
[[nodiscard]] Result<> remove_pins(std::string_view directory,
                                   const std::function<bool(std::string_view name)>& chosen);

/// Removes a directory with all its pins, as remove_pins() does; not an error if it does not exist.
[[nodiscard]] Result<> remove_directory(std::string_view directory);

/// Held while something changes what is loaded: two loaders take turns. Released when it goes out
/// of scope, or when the process dies.
class Lock {
  public:
    /// Waits for whoever holds it. Then removes what a killed loader left behind. Kind unsupported
    /// if /sys/fs/bpf is no BPF filesystem of root's alone; EBUSY if there is an owner, and it is
    /// not `owner`.
    [[nodiscard]] static Result<Lock> acquire(const Owner* owner);

  private:
    explicit Lock(UniqueFd fd) : fd_(std::move(fd)) {}
    UniqueFd fd_;
};

/// Removes pin_directory with all that is pinned in it; false if there is none. Renamed first: at
/// no time is there a pin_directory with half of its pins, which would be taken for what is loaded.
[[nodiscard]] Result<bool> remove_loaded(const Lock& lock);

} // namespace llexec::attach
