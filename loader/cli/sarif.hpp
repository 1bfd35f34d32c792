// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Findings in the format that code review tools read.
#pragma once

#include "output.hpp"

namespace llexec::cli {

/// A SARIF 2.1.0 log.
[[nodiscard]] Json to_sarif(std::span<const Diagnostic> diagnostics);

} // namespace llexec::cli
