// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Where llexec's own programs are.
#pragma once

#include <array>
#include <string>

namespace llexec {

/// The paths at which llexec and llexecd are installed. What stands there is never selected when
/// root executes it.
[[nodiscard]] const std::array<std::string, 2>& installed_programs();

/// Whether a path leads to one of them, or to the running program, which is not selected either.
[[nodiscard]] bool is_own_program(const std::string& path);

} // namespace llexec
