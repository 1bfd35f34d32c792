// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Files of llexecd's own.
#pragma once

#include "llexec/result.hpp"

#include <string>
#include <sys/types.h>

namespace llexec::daemon {

/// What of a file is there after a crash of the machine.
enum class Durable {
    yes, ///< one of the two, whole
    no,  ///< whatever the file system has written by then
};

/// Puts a file in the place of the one of that path, if any: whoever opens the path finds one of
/// them, whole.
[[nodiscard]] Result<> replace_file(const std::string& path, const std::string& text, mode_t mode,
                                    Durable durable);

/// All that an open file has. `path` is for messages.
[[nodiscard]] Result<std::string> read_file(int fd, const std::string& path);

} // namespace llexec::daemon
