// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Small text functions of the policy reader.
#pragma once

#include "llexec/printable.hpp" // for messages

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace llexec {

/// The candidate that a typing mistake away from it most likely meant, or nullopt if none is close.
[[nodiscard]] std::optional<std::string_view> closest(std::string_view word,
                                                      std::span<const std::string_view> candidates);

/// A path in the form in which Landlock Config compares paths: repeated slashes, trailing slashes
/// and "." components after the first are dropped; a leading "." is kept ("./a" is not "a") and
/// ".." is never folded.
[[nodiscard]] std::string normalize_path(std::string_view path);

/// True if one component of `path` is `component`.
[[nodiscard]] bool has_component(std::string_view path, std::string_view component);

/// Where the character behind the one at `at` begins; the text's end if there is none.
[[nodiscard]] std::size_t next_character(std::string_view text, std::size_t at);

/// "'a', 'b' or 'c'".
[[nodiscard]] std::string alternatives(std::span<const std::string_view> words);

} // namespace llexec
