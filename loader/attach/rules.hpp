// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What the programs would decide, asked from their maps.
#pragma once

#include "attach/maps.hpp"

#include <cstdint>
#include <set>
#include <vector>

namespace llexec::attach {

/// A process that might execute a program, as rules see it.
struct Candidate {
    llexec_file_id file{};
    std::vector<std::uint64_t> directories; ///< places that the file is beneath
    std::vector<std::uint64_t> cgroups;     ///< places: its own and those above it
    std::uint32_t user = 0;                 ///< effective
    std::vector<std::uint32_t> groups;      ///< effective and supplementary
};

/// The policies, as indexes in layer order, that a generation selects for it. Mirrors
/// select_policies() of bpf/decide.bpf.h.
[[nodiscard]] Result<std::set<std::uint32_t>>
select_policies(const Maps& maps, const llexec_generation& generation, const Candidate& candidate);

} // namespace llexec::attach
