// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The words of [enforce].
#pragma once

#include "llexec/landlock_uapi.hpp"
#include "llexec/policy.hpp"

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

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

template<class Choices, class Value>
[[nodiscard]] constexpr std::string_view word_for(const Choices& choices, Value value) {
    for (const auto& [word, meaning] : choices)
        if (meaning == value)
            return word;
    return {};
}

} // namespace llexec
