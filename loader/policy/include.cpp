// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// include: other files whose rules a policy takes in.
#include "policy/parts.hpp"
#include "policy/text.hpp"

#include <fmt/format.h>

namespace llexec {

std::vector<Include> read_include(const Node& root, Reader& reader) {
    std::vector<Include> result;
    const Member* member = root.find("include");
    if (member == nullptr)
        return result;
    for (const Node& item : reader.array(*member, R"(["common.toml"])")) {
        const std::string* path = reader.string(item, "\"common.toml\"");
        if (path == nullptr)
            continue;
        if (path->empty() || path->find('\0') != std::string::npos)
            reader.error(item.position, fmt::format("'{}' names no file", printable(*path)));
        else
            result.push_back({.path = *path, .position = item.position});
    }
    return result;
}

} // namespace llexec
