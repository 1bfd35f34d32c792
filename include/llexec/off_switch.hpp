// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The way out: what an administrator does to boot a machine that its policies make unusable.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace llexec {

/// A word of the kernel's command line.
inline constexpr std::string_view off_word = "llexec.off";
/// A file of any kind, whatever is in it.
inline constexpr std::string_view off_file = "/etc/llexec/off";

/// What switches llexec off, as part of a sentence: "llexec.off on the kernel's command line".
/// While there is something, load() attaches nothing. Empty if it is not switched off, and also if
/// that cannot be found out: enforcement is what is asked for unless somebody says otherwise.
[[nodiscard]] std::optional<std::string> switched_off();

/// Whether a kernel's command line has the word.
[[nodiscard]] bool has_off_word(std::string_view command_line);

} // namespace llexec
