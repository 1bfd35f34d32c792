// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/printable.hpp"

#include <fmt/format.h>

namespace llexec {

std::string printable(std::string_view text) {
    std::string result;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f)
            result += fmt::format("\\x{:02x}", byte);
        else
            result += c;
    }
    return result;
}

} // namespace llexec
