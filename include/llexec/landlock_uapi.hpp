// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The constants of Landlock's user space interface up to ABI 12. Kept here because a distribution's
// <linux/landlock.h> is often older than its kernel; this header must not be combined with that
// one's names.
#pragma once

#include <cstdint>

namespace llexec::uapi {

inline constexpr std::uint32_t create_ruleset_version = 1U << 0; // ABI 1
inline constexpr std::uint32_t create_ruleset_errata = 1U << 1;  // ABI 7, and stable backports

inline constexpr int rule_path_beneath = 1; // ABI 1
inline constexpr int rule_net_port = 2;     // ABI 4

inline constexpr std::uint32_t add_rule_quiet = 1U << 0; // ABI 10

inline constexpr std::uint32_t restrict_self_log_same_exec_off = 1U << 0;  // ABI 7
inline constexpr std::uint32_t restrict_self_log_new_exec_on = 1U << 1;    // ABI 7
inline constexpr std::uint32_t restrict_self_log_subdomains_off = 1U << 2; // ABI 7
inline constexpr std::uint32_t restrict_self_tsync = 1U << 3;              // ABI 8
inline constexpr std::uint32_t restrict_self_no_new_privs = 1U << 4;       // ABI 11
inline constexpr std::uint32_t restrict_self_exectime = 1U << 5;           // ABI 12

inline constexpr int log_flags_abi = 7;
inline constexpr int tsync_abi = 8;
inline constexpr int quiet_abi = 10;
inline constexpr int no_new_privs_abi = 11;
inline constexpr int exectime_abi = 12;
inline constexpr int max_layers = 16;

} // namespace llexec::uapi
