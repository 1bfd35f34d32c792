// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What the running kernel offers, found out by asking and trying, never by its version.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace llexec {

enum class ProbeStatus {
    ok,
    missing,   ///< tried, and the kernel or the caller's privileges lack it
    not_tried, ///< something that it builds on is missing
};

/// "ok", "missing" or "not-tried".
[[nodiscard]] std::string_view to_string(ProbeStatus status);

/// One prerequisite of attaching.
struct ProbeItem {
    std::string name; ///< stable, for programs: "landlock", "bpf-lsm", "ruleset-map"...
    ProbeStatus status = ProbeStatus::not_tried;
    std::string tried;  ///< what was done
    std::string result; ///< what came back
    std::string advice; ///< what to do about it; empty if nothing is to do
};

struct ProbeReport {
    std::vector<ProbeItem> items; ///< prerequisites first
    std::string verifier_log; ///< what the kernel said about the programs; empty unless it refused
                              ///< them although everything that they need is there

    /// Whether policies can be attached at exec on this kernel, by this process.
    [[nodiscard]] bool can_attach() const;
};

/// Tries each prerequisite. Loads the programs, and attaches them for a moment with maps that say
/// that nothing is enforced; leaves nothing behind.
[[nodiscard]] ProbeReport probe_kernel();

} // namespace llexec
