// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// A parsed document, whatever its syntax: values with the place each was written at.
#pragma once

#include "llexec/diagnostic.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace llexec {

enum class Syntax { toml, json };

struct Member;

struct Node {
    /// `date` is TOML's only, `null` JSON's. A table is what JSON calls an object.
    enum class Kind { string, integer, boolean, floating, date, null, array, table };

    Kind kind = Kind::table;
    Position position{};
    std::string string{};
    std::int64_t integer = 0;
    bool boolean = false;
    std::vector<Node> items{};   ///< of an array
    std::vector<Member> members; ///< of a table; each key once

    /// The member of that key, or nullptr.
    [[nodiscard]] const Member* find(std::string_view key) const;
};

struct Member {
    std::string key;      ///< as TOML writes it: "path_beneath", for JSON's "pathBeneath" too
    std::string spelling; ///< as written
    Position position;    ///< of the key
    Node value;
};

/// How a document of that syntax spells a key: "path_beneath", "pathBeneath".
[[nodiscard]] std::string spell(Syntax syntax, std::string_view key);

/// "a string", "an integer" ...: for messages.
[[nodiscard]] std::string_view describe(Syntax syntax, Node::Kind kind);

/// Reads TOML 1.0. The root table, or nullopt and one error in `diagnostics`: after a syntax error
/// the rest of the document has no reliable meaning.
[[nodiscard]] std::optional<Node> parse_toml(std::string_view text, std::string_view file,
                                             std::vector<Diagnostic>& diagnostics);

/// Reads JSON, in the same way. Members whose value is null are left out.
[[nodiscard]] std::optional<Node> parse_json(std::string_view text, std::string_view file,
                                             std::vector<Diagnostic>& diagnostics);

} // namespace llexec
