// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/printable.hpp"

#include <fmt/format.h>

namespace llexec {
namespace {

bool is_continuation(char c) {
    return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U;
}

} // namespace

std::string printable(std::string_view text) {
    std::string result;
    int expected = 0; // bytes that a character of UTF-8 still has
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (expected > 0 && is_continuation(text[i])) {
            --expected;
            result += text[i];
            continue;
        }
        // U+0080 to U+009F, as UTF-8 or as bytes that are none: terminals obey them too.
        const bool starts_control = byte == 0xc2 && i + 1 < text.size() &&
                                    is_continuation(text[i + 1]) && text[i + 1] < '\xa0';
        if (byte < 0x20 || (byte >= 0x7f && byte < 0xa0) || starts_control)
            result += fmt::format("\\x{:02x}", byte);
        else
            result += text[i];
        expected = starts_control || byte < 0xc0 ? 0 : byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    }
    return result;
}

} // namespace llexec
