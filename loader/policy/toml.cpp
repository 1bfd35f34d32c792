// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The only file that knows toml++.
#include "policy/document.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <utility>

namespace {

struct BrokenPrecondition {};

constexpr void require(bool condition) {
    if (!condition)
        throw BrokenPrecondition{};
}

} // namespace

// Malformed text can break the parser's own preconditions: up to version 3.4 the table header "[&"
// does. By default that is abort(), and undefined behaviour with NDEBUG. Here it is always checked,
// and guarded_parse() catches it.
#undef NDEBUG
#define TOML_ASSERT(condition) require(static_cast<bool>(condition))
#include <toml++/toml.h>

namespace llexec {
namespace {

// A policy needs no dotted key at all. The parser makes one nested table of each dot and frees them
// recursively, so without a limit a small file could exhaust the stack.
constexpr std::size_t max_dots = 512;

Position position_of(const toml::source_region& region) {
    return {.line = region.begin.line, .column = region.begin.column};
}

/// Counts dots outside strings and comments. Reads as much of TOML's quoting as that needs; where a
/// document is malformed, the parser stops at the place where this scan loses its way.
class DotScanner {
  public:
    explicit DotScanner(std::string_view text) : text_(text) {}

    /// The line of the first dot too many, or 0.
    std::uint32_t first_excess() {
        std::size_t dots = 0;
        while (at_ < text_.size()) {
            const char c = text_[at_];
            if (c == '.' && ++dots > max_dots)
                return line_;
            if (c == '#')
                skip_comment();
            else if (c == '"' || c == '\'')
                skip_string(c);
            else
                advance();
        }
        return 0;
    }

  private:
    void advance() { line_ += text_[at_++] == '\n' ? 1U : 0U; }

    void skip_comment() {
        while (at_ < text_.size() && text_[at_] != '\n')
            ++at_;
    }

    void skip_string(char quote) {
        const std::string fence(text_.substr(at_).starts_with(std::string(3, quote)) ? 3 : 1,
                                quote);
        const bool multi_line = fence.size() == 3;
        at_ += fence.size();
        while (at_ < text_.size()) {
            if (text_.substr(at_).starts_with(fence)) {
                at_ += fence.size();
                // A multi-line string may end in quotes of its own, which stand before the closing
                // three.
                for (int own = 0; multi_line && own < 2 && text_.substr(at_).starts_with(quote);
                     ++own)
                    ++at_;
                return;
            }
            if (!multi_line && text_[at_] == '\n')
                return;
            if (quote == '"' && text_[at_] == '\\' && at_ + 1 < text_.size())
                ++at_;
            advance();
        }
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::uint32_t line_ = 1;
};

/// nullopt if the parser lost its way.
std::optional<toml::parse_result> guarded_parse(std::string_view text) {
    try {
        return toml::parse(text);
    } catch (const BrokenPrecondition&) {
        return std::nullopt;
    }
}

/// Where the parser loses its way in a text for which guarded_parse() has no result: the end of the
/// shortest beginning for which it has none either.
Position find_break(std::string_view text) {
    std::size_t good = 0;
    std::size_t bad = text.size();
    while (bad - good > 1) {
        const std::size_t middle = good + (bad - good) / 2;
        (guarded_parse(text.substr(0, middle)) ? good : bad) = middle;
    }
    Position position{.line = 1, .column = 0};
    for (const char c : text.substr(0, bad)) {
        if (c == '\n')
            position = {.line = position.line + 1, .column = 0};
        else if ((static_cast<unsigned char>(c) & 0xc0U) != 0x80U) // not inside a UTF-8 sequence
            ++position.column;
    }
    return position;
}

Node convert(const toml::node& source);

void convert_table(const toml::table& table, Node& node) {
    for (const auto& [key, value] : table)
        node.members.push_back(Member{.key = std::string(key.str()),
                                      .spelling = std::string(key.str()),
                                      .position = position_of(key.source()),
                                      .value = convert(value)});
}

Node convert(const toml::node& source) {
    Node node;
    node.position = position_of(source.source());
    if (const auto* table = source.as_table()) {
        node.kind = Node::Kind::table;
        convert_table(*table, node);
    } else if (const auto* array = source.as_array()) {
        node.kind = Node::Kind::array;
        for (const toml::node& item : *array)
            node.items.push_back(convert(item));
    } else if (const auto* string = source.as_string()) {
        node.kind = Node::Kind::string;
        node.string = string->get();
    } else if (const auto* integer = source.as_integer()) {
        node.kind = Node::Kind::integer;
        node.integer = integer->get();
    } else if (const auto* boolean = source.as_boolean()) {
        node.kind = Node::Kind::boolean;
        node.boolean = boolean->get();
    } else if (source.is_floating_point()) {
        node.kind = Node::Kind::floating;
    } else {
        node.kind = Node::Kind::date;
    }
    return node;
}

} // namespace

std::optional<Node> parse_toml(std::string_view text, std::string_view file,
                               std::vector<Diagnostic>& diagnostics) {
    const auto report = [&](Position position, std::string message, std::string advice) {
        diagnostics.push_back(Diagnostic{.severity = Severity::error,
                                         .file = std::string(file),
                                         .position = position,
                                         .message = std::move(message),
                                         .advice = std::move(advice)});
    };
    if (const std::uint32_t line = DotScanner(text).first_excess(); line != 0) {
        report({.line = line, .column = 0}, "too many dotted keys", "a policy needs none");
        return std::nullopt;
    }
    const std::optional<toml::parse_result> parsed = guarded_parse(text);
    if (!parsed) {
        report(find_break(text), "TOML syntax: unexpected character", {});
        return std::nullopt;
    }
    if (!*parsed) {
        report(position_of(parsed->error().source()),
               "TOML syntax: " + std::string(parsed->error().description()), {});
        return std::nullopt;
    }
    return convert(parsed->table());
}

} // namespace llexec
