// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The one way a function of this library fails.
#pragma once

#include "llexec/diagnostic.hpp"

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace llexec {

/// Who has to act for the next attempt to succeed.
enum class ErrorKind {
    system,      ///< a system call or a resource failed
    unsupported, ///< the running kernel lacks something that is needed
    policy,      ///< a policy is wrong, or asks for what its own options then refuse
};

/// "system", "unsupported" or "policy".
[[nodiscard]] std::string_view to_string(ErrorKind kind);

struct Error {
    ErrorKind kind = ErrorKind::system;
    int code = 0;      ///< an errno value, or 0 if no system call failed
    std::string what;  ///< what was tried, and on which object
    std::string hint;  ///< what would help; may be empty
    std::string log{}; ///< lines from the kernel or a library, such as the BPF verifier's; may be
                       ///< empty
    std::vector<Diagnostic>
        diagnostics; ///< the findings behind it, where they have a place in a file

    /// `what`, followed by the text of `code` if there is one.
    [[nodiscard]] std::string message() const;
    /// Why it failed, without what was tried: the text of `code`, or `what` if there is none.
    [[nodiscard]] std::string reason() const;
};

template<class T = void>
using Result = std::expected<T, Error>;

/// An error of kind system for an errno value that the caller has saved.
[[nodiscard]] std::unexpected<Error> system_error(int code, std::string what,
                                                  std::string hint = {});

/// The same with lines from the kernel or a library.
[[nodiscard]] std::unexpected<Error> logged_error(int code, std::string what, std::string log);

/// An error of any kind without an errno value.
[[nodiscard]] std::unexpected<Error> failure(ErrorKind kind, std::string what,
                                             std::string hint = {});

} // namespace llexec
