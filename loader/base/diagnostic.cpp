// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/diagnostic.hpp"

#include <algorithm>

namespace llexec {

std::string_view to_string(Severity severity) {
    switch (severity) {
    case Severity::error:
        return "error";
    case Severity::warning:
        return "warning";
    case Severity::note:
        return "note";
    }
    return "error";
}

bool has_errors(std::span<const Diagnostic> diagnostics) {
    return std::ranges::any_of(diagnostics,
                               [](const Diagnostic& d) { return d.severity == Severity::error; });
}

} // namespace llexec
