// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Whether what is loaded confines: one execution of a program of llexecd's own.
#pragma once

#include "llexec/policy.hpp"
#include "llexec/result.hpp"

#include <string>
#include <string_view>

namespace llexec::daemon {

/// No other policy may have this name.
inline constexpr std::string_view self_test_name = "llexecd-self-test";

/// The policy for that program, which is one more in the set: it keeps it from sending signals to
/// whoever is outside.
[[nodiscard]] Policy self_test_policy(const std::string& program);

/// Executes it. An error if it cannot be executed, says that it may send its parent a signal, says
/// nothing within ten seconds, or if the counters of its policy do not show the layer.
[[nodiscard]] Result<> run_self_test(const std::string& program);

} // namespace llexec::daemon
