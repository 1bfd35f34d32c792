// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The only file that knows toml++.
#include "policy/document.hpp"

#include <toml++/toml.h>

#include <cstddef>
#include <string>

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
        const std::string fence(3, quote);
        const bool multi_line = text_.substr(at_).starts_with(fence);
        at_ += multi_line ? 3 : 1;
        while (at_ < text_.size()) {
            if (quote == '"' && text_[at_] == '\\' && at_ + 1 < text_.size()) {
                ++at_;
                advance();
                continue;
            }
            if (multi_line ? text_.substr(at_).starts_with(fence) : text_[at_] == quote) {
                at_ += multi_line ? 3 : 1;
                return;
            }
            if (!multi_line && text_[at_] == '\n')
                return;
            advance();
        }
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::uint32_t line_ = 1;
};

Node convert(const toml::node& source);

void convert_table(const toml::table& table, Node& node) {
    for (const auto& [key, value] : table)
        node.members.push_back(Member{.key = std::string(key.str()),
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
    const toml::parse_result parsed = toml::parse(text);
    if (!parsed) {
        report(position_of(parsed.error().source()),
               "TOML syntax: " + std::string(parsed.error().description()), {});
        return std::nullopt;
    }
    return convert(parsed.table());
}

} // namespace llexec
