// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The first line is a template; each further one a variable: "name=value".
#include "check.hpp"
#include "policy/template.hpp"

#include <algorithm>

namespace {

using namespace llexec;

std::string_view take_line(std::string_view& text) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return line;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text(reinterpret_cast<const char*>(data), size);
    const std::string_view written = take_line(text);
    const auto parsed = Template::parse(written);
    if (!parsed) {
        fuzz::check(parsed.error().offset < written.size() &&
                    written[parsed.error().offset] == '$');
        return 0;
    }
    Variables variables;
    while (!text.empty()) {
        const std::string_view line = take_line(text);
        const std::size_t equals = std::min(line.find('='), line.size());
        if (name_fault(line.substr(0, equals)).empty())
            variables[std::string(line.substr(0, equals))].emplace_back(
                line.substr(std::min(equals + 1, line.size())));
    }
    for (const std::string_view name : parsed->references()) {
        fuzz::check(name_fault(name).empty());
        variables.try_emplace(std::string(name));
    }
    // What extent() says is what expand() makes; only then may a caller rely on it.
    const Template::Extent extent = parsed->extent(variables);
    if (extent.strings > 4096 || extent.bytes > 1U << 20U)
        return 0;
    const std::vector<std::string> expanded = parsed->expand(variables);
    std::size_t bytes = 0;
    for (const std::string& each : expanded)
        bytes += each.size();
    fuzz::check(expanded.size() == extent.strings && bytes == extent.bytes);
    return 0;
}
