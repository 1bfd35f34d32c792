// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// [lint]: which lints a policy silences.
#include "llexec/lint.hpp"
#include "policy/parts.hpp"
#include "policy/text.hpp"

#include <fmt/format.h>

namespace llexec {

void read_lint(const Node& root, Reader& reader, Policy& policy) {
    const Member* member = root.find("lint");
    if (member == nullptr)
        return;
    const Node& table = member->value;
    if (table.kind != Node::Kind::table) {
        reader.error(
            member->position,
            fmt::format("'lint' is {}, not {}", reader.describe(table), reader.describe(Node{})),
            "there is one, with the keys in it");
        return;
    }
    reader.check_keys(table, Place::lint);
    const Member* allow = table.find("allow");
    if (allow == nullptr)
        return;
    for (const Node& item : reader.array(*allow, R"(["no-refer"])")) {
        const std::string* name = reader.string(item, "\"no-refer\"");
        if (name == nullptr)
            continue;
        if (find_lint(*name) != nullptr) {
            policy.allowed_lints.push_back(*name);
            continue;
        }
        std::vector<std::string_view> names;
        for (const Lint& lint : lints())
            names.push_back(lint.name);
        const auto meant = closest(*name, names);
        reader.error(item.position, fmt::format("there is no lint '{}'", printable(*name)),
                     meant ? fmt::format("did you mean '{}'?", *meant)
                           : fmt::format("the lints are {}", alternatives(names)));
    }
}

} // namespace llexec
