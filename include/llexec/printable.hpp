// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Text from elsewhere (file names, policies), as it can be shown.
#pragma once

#include <string>
#include <string_view>

namespace llexec {

/// Whether a byte is one of a character of UTF-8, and not its first.
[[nodiscard]] constexpr bool is_continuation(char c) {
    return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U;
}

/// `text` with control characters made visible: no line of output ends where its author did not
/// mean it to.
[[nodiscard]] std::string printable(std::string_view text);

} // namespace llexec
