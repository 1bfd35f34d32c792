// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The text of a policy file that is open.
#pragma once

#include "llexec/result.hpp"

#include <string>

namespace llexec {

/// From where the descriptor stands to the end. Kind policy beyond max_policy_file_size.
[[nodiscard]] Result<std::string> read_text(int fd);

} // namespace llexec
