// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Files of llexecd's own.
#pragma once

#include "llexec/result.hpp"

#include <string>
#include <sys/types.h>

namespace llexec::daemon {

/// Puts a file in the place of the one of that path, if any: whoever opens the path finds one of
/// them, whole, also after a crash.
[[nodiscard]] Result<> replace_file(const std::string& path, const std::string& text, mode_t mode);

/// All that an open file has. `path` is for messages.
[[nodiscard]] Result<std::string> read_file(int fd, const std::string& path);

} // namespace llexec::daemon
