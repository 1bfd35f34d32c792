// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "policy/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <vector>

namespace llexec {
namespace {

// Longer words are not typing mistakes of ours, and the distance is quadratic.
constexpr std::size_t max_compared = 64;

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
        }
    }
    return row[b.size()];
}

} // namespace

std::optional<std::string_view> closest(std::string_view word,
                                        std::span<const std::string_view> candidates) {
    if (word.size() > max_compared)
        return std::nullopt;
    std::optional<std::string_view> best;
    std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
    for (const std::string_view candidate : candidates) {
        const std::size_t distance = edit_distance(word, candidate);
        if (distance < best_distance) {
            best_distance = distance;
            best = candidate;
        }
    }
    return best;
}

std::string normalize_path(std::string_view path) {
    std::string result;
    if (path.starts_with('/'))
        result.push_back('/');
    for (std::size_t begin = 0; begin < path.size();) {
        const std::size_t end = std::min(path.find('/', begin), path.size());
        const std::string_view component = path.substr(begin, end - begin);
        const bool leading_dot = component == "." && begin == 0;
        if (!component.empty() && (component != "." || leading_dot)) {
            if (!result.empty() && result.back() != '/')
                result += '/';
            result += component;
        }
        begin = end + 1;
    }
    return result;
}

bool has_component(std::string_view path, std::string_view component) {
    for (std::size_t begin = 0; begin <= path.size();) {
        const std::size_t end = std::min(path.find('/', begin), path.size());
        if (path.substr(begin, end - begin) == component)
            return true;
        begin = end + 1;
    }
    return false;
}

std::size_t next_character(std::string_view text, std::size_t at) {
    do
        ++at;
    while (at < text.size() && is_continuation(text[at]));
    return std::min(at, text.size());
}

std::string alternatives(std::span<const std::string_view> words) {
    std::string result;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (i > 0)
            result += i + 1 == words.size() ? " or " : ", ";
        result += fmt::format("'{}'", words[i]);
    }
    return result;
}

} // namespace llexec
