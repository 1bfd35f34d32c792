// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// A ruleset on all threads of a process without TSYNC: each is told by a signal to restrict itself,
// as the set*id wrappers of nptl(7), and libpsx(3), do it for credentials.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <sys/types.h>

namespace tsync {

/// Takes a real-time signal for itself.
void prepare_broadcast();

/// landlock_restrict_self(2) on `siblings` and on the calling thread. Returns when each of them
/// that could be told has made the call; how many of all did not succeed.
std::size_t broadcast(std::span<const pid_t> siblings, int ruleset, std::uint32_t flags);

} // namespace tsync
