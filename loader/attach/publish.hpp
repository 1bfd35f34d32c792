// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// From a compiled set to the generation that is enforced.
#pragma once

#include "attach/compile.hpp"
#include "attach/maps.hpp"
#include "attach/pins.hpp"
#include "llexec/attach.hpp"

#include <span>

namespace llexec::attach {

/// Removes the elements and slots of every generation but `keep`: of the one before, or of one that
/// a killed loader did not finish.
[[nodiscard]] Result<> remove_other_generations(const Lock& lock, const Maps& maps,
                                                std::uint64_t keep);

/// Stores `set` beside what is enforced, then makes it current, then removes what was before.
/// `rulesets` has a ruleset descriptor for each policy, -1 for one that only observes. On an error,
/// what was stored is removed again and the old generation stays. What cannot be removed is left
/// for the next load, and no error.
[[nodiscard]] Result<> publish(const Lock& lock, const Maps& maps, CompiledSet& set,
                               std::span<const int> rulesets, EnforceAt enforce_at);

} // namespace llexec::attach
