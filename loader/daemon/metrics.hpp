// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Counters in the text format that collectors read (OpenMetrics 1.0).
#pragma once

#include "llexec/attach.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace llexec::daemon {

/// What llexecd itself counts, since it was started.
struct Counters {
    std::uint64_t reloads = 0;          ///< generations that it made
    std::uint64_t reloads_failed = 0;   ///< times that it could not
    std::uint64_t events = 0;           ///< that it read
    std::uint64_t reports_withheld = 0; ///< not written to the journal, because there were too many
    bool policies_valid = true;         ///< of the directory, when it was last read
    bool self_test_passed = true;       ///< of the policies that are enforced
    std::uint64_t unconfined = 0;       ///< processes that ran before, when they were last counted
};

/// `status`: empty if nothing is loaded.
[[nodiscard]] std::string render_metrics(const std::optional<Status>& status,
                                         const Counters& counters);

} // namespace llexec::daemon
