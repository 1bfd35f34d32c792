// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "policy/document.hpp"

#include <algorithm>

namespace llexec {

const Member* Node::find(std::string_view key) const {
    const auto found = std::ranges::find(members, key, &Member::key);
    return found == members.end() ? nullptr : &*found;
}

std::string spell(Syntax syntax, std::string_view key) {
    std::string result;
    bool after_underscore = false;
    for (const char c : key) {
        if (syntax == Syntax::json && c == '_') {
            after_underscore = true;
            continue;
        }
        result += after_underscore && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
        after_underscore = false;
    }
    return result;
}

std::string_view describe(Syntax syntax, Node::Kind kind) {
    switch (kind) {
    case Node::Kind::string:
        return "a string";
    case Node::Kind::integer:
        return "an integer";
    case Node::Kind::boolean:
        return "a boolean";
    case Node::Kind::floating:
        return "a floating-point number";
    case Node::Kind::date:
        return "a date or time";
    case Node::Kind::null:
        return "null";
    case Node::Kind::array:
        return "an array";
    case Node::Kind::table:
        return syntax == Syntax::json ? "an object" : "a table";
    }
    return "a value";
}

} // namespace llexec
