// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The first line of a script, as the kernel and env(1) read it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace llexec::program {

/// BINPRM_BUF_SIZE: what the kernel sees of a file to tell what it is.
inline constexpr std::size_t exec_buffer_size = 256;

/// How many scripts may be interpreters of one another in one execve(2).
inline constexpr int max_scripts = 5;

struct Shebang {
    std::string interpreter; ///< may be empty: execve(2) then fails with ENOENT
    std::string argument;    ///< the rest of the line; may be empty

    friend bool operator==(const Shebang&, const Shebang&) = default;
};

/// `head`: the first 256 bytes of a file. None if the kernel does not take it for a script.
[[nodiscard]] std::optional<Shebang> parse_shebang(std::string_view head);

struct EnvProgram {
    std::string name;
    std::optional<std::string> path; ///< PATH for the look-up, if env sets it; nothing: the default

    friend bool operator==(const EnvProgram&, const EnvProgram&) = default;
};

/// What env(1) executes with this one argument. None if that is not known: it depends on the
/// environment, or is not a program.
[[nodiscard]] std::optional<EnvProgram> parse_env(std::string_view argument);

} // namespace llexec::program
