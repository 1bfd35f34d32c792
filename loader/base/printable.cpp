// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/printable.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace llexec {
namespace {

/// The bytes of the character of UTF-8 that `text` begins with; 1 if it begins with none.
std::size_t character_size(std::string_view text) {
    const auto lead = static_cast<unsigned char>(text.front());
    const std::size_t size = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    const std::string_view rest = text.substr(1, size - 1);
    return rest.size() == size - 1 && std::ranges::all_of(rest, is_continuation) ? size : 1;
}

} // namespace

std::string printable(std::string_view text) {
    std::string result;
    while (!text.empty()) {
        std::size_t size = character_size(text);
        // U+0080 to U+009F, as UTF-8 or as bytes that are none: terminals obey them too.
        const bool starts_control = size == 2 && text[0] == '\xc2' && text[1] < '\xa0';
        const auto byte = static_cast<unsigned char>(text.front());
        if (starts_control)
            size = 1;
        if (byte < 0x20 || (byte >= 0x7f && byte < 0xa0) || starts_control)
            result += fmt::format("\\x{:02x}", byte);
        else
            result += text.substr(0, size);
        text.remove_prefix(size);
    }
    return result;
}

} // namespace llexec
