// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "policy/template.hpp"

#include "policy/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace llexec {
namespace {

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_name_character(char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || c == '_';
}

std::size_t saturating_add(std::size_t a, std::size_t b) {
    std::size_t sum = 0;
    return __builtin_add_overflow(a, b, &sum) ? std::numeric_limits<std::size_t>::max() : sum;
}

std::size_t saturating_multiply(std::size_t a, std::size_t b) {
    std::size_t product = 0;
    return __builtin_mul_overflow(a, b, &product) ? std::numeric_limits<std::size_t>::max()
                                                  : product;
}

} // namespace

std::string_view name_fault(std::string_view name) {
    if (name.empty())
        return "the name is empty";
    if (!is_letter(name.front()))
        return "a name starts with an ASCII letter";
    if (!std::ranges::all_of(name, is_name_character))
        return "a name has only ASCII letters, digits and underscores";
    return {};
}

std::expected<Template, TemplateError> Template::parse(std::string_view text) {
    Template result;
    std::string literal;
    const auto end_literal = [&] {
        if (!literal.empty())
            result.tokens_.push_back({.is_reference = false, .text = std::move(literal)});
        literal.clear();
    };
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char next = at + 1 < text.size() ? text[at + 1] : '\0';
        if (text[at] != '$' || (next != '$' && next != '{')) {
            literal += text[at];
            continue;
        }
        if (next == '$') {
            literal += '$';
            ++at;
            continue;
        }
        const std::size_t end = text.find('}', at);
        if (end == std::string_view::npos)
            return std::unexpected(
                TemplateError{.offset = at, .message = "'${' without a '}' after it"});
        const std::string_view name = text.substr(at + 2, end - at - 2);
        if (const std::string_view fault = name_fault(name); !fault.empty())
            return std::unexpected(TemplateError{
                .offset = at,
                .message = fmt::format("'${{{}}}' is no variable: {}", printable(name), fault)});
        end_literal();
        result.tokens_.push_back({.is_reference = true, .text = std::string(name)});
        at = end;
    }
    end_literal();
    return result;
}

std::vector<std::string_view> Template::references() const {
    std::vector<std::string_view> result;
    for (const Token& token : tokens_)
        if (token.is_reference)
            result.emplace_back(token.text);
    return result;
}

Template::Extent Template::extent(const Variables& variables) const {
    constexpr std::size_t too_large = std::numeric_limits<std::size_t>::max();
    if (std::ranges::any_of(tokens_, [&](const Token& token) {
            return token.is_reference && variables.find(token.text)->second.empty();
        }))
        return {.strings = 0, .bytes = 0};
    Extent extent{.strings = 1, .bytes = 0};
    for (const Token& token : tokens_) {
        if (extent.strings == too_large)
            return {.strings = too_large, .bytes = too_large};
        std::size_t count = 1;
        std::size_t size = token.text.size();
        if (token.is_reference) {
            const std::vector<std::string>& values = variables.find(token.text)->second;
            count = values.size();
            size = 0;
            for (const std::string& value : values)
                size = saturating_add(size, value.size());
        }
        // Each string so far is written once for each value, and each value once for each string.
        extent.bytes = saturating_add(saturating_multiply(extent.bytes, count),
                                      saturating_multiply(extent.strings, size));
        extent.strings = saturating_multiply(extent.strings, count);
    }
    return extent;
}

std::vector<std::string> Template::expand(const Variables& variables) const {
    std::vector<std::string> result{std::string()};
    // One variable without values makes nothing of all that would be made before it.
    if (extent(variables).strings == 0)
        return {};
    for (const Token& token : tokens_) {
        if (!token.is_reference) {
            for (std::string& string : result)
                string += token.text;
            continue;
        }
        const std::vector<std::string>& values = variables.find(token.text)->second;
        std::vector<std::string> longer;
        longer.reserve(result.size() * values.size());
        for (const std::string& string : result)
            for (const std::string& value : values)
                longer.push_back(string + value);
        result = std::move(longer);
    }
    return result;
}

} // namespace llexec
