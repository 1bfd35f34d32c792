// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Policies attached at exec: loading a set of them, looking at it, removing it.
//
// What is loaded lives in the kernel, pinned under pin_directory, and does not need the process
// that loaded it. All functions need the privileges that probe_kernel() asks for, and fail with
// EPERM or EACCES without them.
#pragma once

#include "llexec/diagnostic.hpp"
#include "llexec/owner.hpp"
#include "llexec/policy.hpp"
#include "llexec/result.hpp"
#include "llexec/ruleset_cache.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace llexec {

/// Where programs, maps and links are pinned; accessible to root only.
inline constexpr std::string_view pin_directory = "/sys/fs/bpf/llexec";

/// The exec hook at which rulesets are applied.
enum class EnforceAt {
    bprm_committing_creds, ///< past the point of no return: what cannot be confined is killed
    bprm_creds_for_exec,   ///< staged before it: what cannot be confined fails with an errno
};

/// The hook's name, and back.
[[nodiscard]] std::string_view to_string(EnforceAt enforce_at);
[[nodiscard]] std::optional<EnforceAt> enforce_at_from_string(std::string_view name);

struct LoadReport {
    std::uint64_t generation = 0; ///< number of what is enforced now
    bool replaced = false;        ///< another generation was loaded before
    bool attached = false; ///< with maps that are new: nothing comes from those before any more
    /// What the policies ask for and this kernel or system lacks; and that programs of another
    /// version could not be detached, which enforce as well then.
    std::vector<Diagnostic> notes;
};

/// Makes `policies` the set that is enforced, replacing the one before, if any.
///
/// The new set is built and filled in beside the old one, then one store makes it current: each
/// execution sees one complete set. On any error the old set stays as it is. Policies are layers in
/// the order of their names. Two calls at once take turns. The programs are attached by the first
/// call and stay; a version of llexec with other programs attaches its own and then detaches the
/// old ones. An `exe` that does not exist is selected by its path once it does, as far as that can
/// be told now: reported, or an error with missing_paths = "error". A policy that names llexec
/// itself is an error. An empty set is an error: unload() is what removes enforcement. So is any
/// while llexec is switched off, see llexec/off_switch.hpp, and EBUSY if there is an owner, and it
/// is not `owner`. Of a `cache`, rulesets are used again, and the new ones kept there.
[[nodiscard]] Result<LoadReport> load(std::span<const Policy> policies,
                                      EnforceAt enforce_at = EnforceAt::bprm_committing_creds,
                                      const Owner* owner = nullptr, RulesetCache* cache = nullptr);

struct PolicyStatus {
    std::string name;
    Mode mode = Mode::enforce;
    OnError on_error = OnError::deny;
    std::optional<std::uint32_t> slot;       ///< index into the ruleset map
    std::optional<std::uint64_t> ruleset_id; ///< Landlock's ID; none if the slot is empty
    // Executions since this generation was loaded. With bprm_creds_for_exec, a script that it is
    // for before and after its interpreter is known counts twice, the second time as nested; and
    // what fails later counts as well.
    std::uint64_t matched = 0;
    std::uint64_t applied = 0;
    std::uint64_t nested = 0; ///< matched, but already enforced by the caller's domain
    std::uint64_t failed = 0; ///< the ruleset could not be applied
};

struct Status {
    /// False: somebody removed pins of it, so not all of this is enforced, or nothing, until
    /// policies are loaded again. Of another version of llexec it is not known what pins it has:
    /// true.
    bool whole = true;
    std::uint64_t generation = 0; ///< 0: attached, but nothing is enforced
    std::uint64_t loaded_at = 0;  ///< seconds since the epoch
    EnforceAt enforce_at = EnforceAt::bprm_committing_creds;
    std::vector<PolicyStatus> policies; ///< in layer order
    /// Which counters these are: others, that began anew, have another number until the next boot.
    std::uint64_t counters = 0;
    // Since the programs were attached. The last two count layers and records, one for each policy.
    std::uint64_t executions_matched = 0;
    std::uint64_t executions_refused = 0;
    std::uint64_t executions_killed = 0;
    std::uint64_t executions_allowed = 0;
    std::uint64_t events_lost = 0;
};

/// Reads the pinned maps. Empty if nothing is loaded.
[[nodiscard]] Result<std::optional<Status>> read_status();

/// Removes every link, program, map and pin, and waits until the kernel has freed them. False if
/// nothing was loaded. What already runs confined stays confined. EBUSY as load().
[[nodiscard]] Result<bool> unload(const Owner* owner = nullptr);

} // namespace llexec
