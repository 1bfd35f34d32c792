// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What an administrator decides about llexecd itself: /etc/llexec/llexecd.toml.
#pragma once

#include "llexec/attach.hpp"
#include "llexec/diagnostic.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace llexec {

/// Which executions are written to the journal.
enum class Report {
    all,      ///< each that matched a policy
    failures, ///< those that could not be confined
};

struct Settings {
    EnforceAt enforce_at = EnforceAt::bprm_committing_creds;
    Report report = Report::all;
    bool protect = false; ///< whether what is loaded is guarded, see llexec/guard.hpp
    std::string metrics =
        "/run/llexec/metrics.prom"; ///< where counters are written; empty: nowhere
};

/// `settings` is there exactly if `diagnostics` has no error.
struct ParsedSettings {
    std::optional<Settings> settings;
    std::vector<Diagnostic> diagnostics; ///< ordered by position
};

/// Reads the text of that file, which is TOML. What is not written has its default.
[[nodiscard]] ParsedSettings parse_settings(std::string_view text, std::string_view file);

} // namespace llexec
