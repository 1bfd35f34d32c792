// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Policy files, as they are found and read.
#pragma once

#include "llexec/diagnostic.hpp"
#include "llexec/result.hpp"

#include <string>

namespace llexec {

/// From where the descriptor stands to the end. Kind policy beyond max_policy_file_size.
[[nodiscard]] Result<std::string> read_text(int fd);

/// About an entry of a directory of policies that is named like one and is no regular file.
[[nodiscard]] Diagnostic ignored_entry(std::string path);

} // namespace llexec
