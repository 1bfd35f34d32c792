// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Processes that a policy selects and does not confine, because they ran before.
#pragma once

#include "journal.hpp"

#include <cstddef>
#include <optional>

namespace llexec::daemon {

/// Names them, up to a number. How many there are; none if that could not be found out, which is
/// said too.
std::optional<std::size_t> say_unconfined(const Journal& journal);

} // namespace llexec::daemon
