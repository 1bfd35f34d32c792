// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Keys whose value is one of some words, and the words of [enforce].
#pragma once

#include "llexec/landlock_uapi.hpp"
#include "llexec/policy.hpp"
#include "policy/reader.hpp"
#include "policy/text.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace llexec {

template<class Value>
using Choice = std::pair<std::string_view, Value>;

inline constexpr std::array modes{Choice<Mode>{"enforce", Mode::enforce},
                                  Choice<Mode>{"observe", Mode::observe}};
inline constexpr std::array error_actions{Choice<OnError>{"deny", OnError::deny},
                                          Choice<OnError>{"allow", OnError::allow}};
inline constexpr std::array compat_levels{Choice<Compat>{"best-effort", Compat::best_effort},
                                          Choice<Compat>{"strict", Compat::strict}};
inline constexpr std::array missing_paths{Choice<MissingPaths>{"warn", MissingPaths::warn},
                                          Choice<MissingPaths>{"error", MissingPaths::error}};
inline constexpr std::array log_modes{
    Choice<std::uint32_t>{"new-exec", uapi::restrict_self_log_new_exec_on},
    Choice<std::uint32_t>{"none", uapi::restrict_self_log_same_exec_off},
    Choice<std::uint32_t>{"subdomains-off", uapi::restrict_self_log_new_exec_on |
                                                uapi::restrict_self_log_subdomains_off}};
/// The kernel's own names, for any set of them.
inline constexpr std::array log_flags{
    Choice<std::uint32_t>{"log_same_exec_off", uapi::restrict_self_log_same_exec_off},
    Choice<std::uint32_t>{"log_new_exec_on", uapi::restrict_self_log_new_exec_on},
    Choice<std::uint32_t>{"log_subdomains_off", uapi::restrict_self_log_subdomains_off}};

/// Puts into `value` what the word of a member stands for, or reports that it is none of them.
template<class Value>
void read_choice(const Member& member, Reader& reader, std::span<const Choice<Value>> choices,
                 Value& value) {
    const Node& node = member.value;
    std::vector<std::string_view> words;
    for (const auto& [word, choice] : choices) {
        if (node.kind == Node::Kind::string && node.string == word) {
            value = choice;
            return;
        }
        words.push_back(word);
    }
    const std::string all = fmt::format("one of {}", alternatives(words));
    if (node.kind != Node::Kind::string) {
        reader.error(
            node.position,
            fmt::format("'{}' is {}, not a string", member.spelling, reader.describe(node)), all);
        return;
    }
    const auto meant = closest(node.string, words);
    reader.error(node.position,
                 fmt::format("'{}' cannot be '{}'", member.spelling, printable(node.string)),
                 meant ? fmt::format("did you mean '{}'?", *meant) : all);
}

template<class Choices, class Value>
[[nodiscard]] constexpr std::string_view word_for(const Choices& choices, Value value) {
    for (const auto& [word, meaning] : choices)
        if (meaning == value)
            return word;
    return {};
}

} // namespace llexec
