// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/result.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace llexec {

std::string_view to_string(ErrorKind kind) {
    switch (kind) {
    case ErrorKind::system:
        return "system";
    case ErrorKind::unsupported:
        return "unsupported";
    case ErrorKind::policy:
        return "policy";
    }
    return "system";
}

std::string Error::message() const {
    if (code == 0)
        return what;
    return fmt::format("{}: {}", what, std::generic_category().message(code));
}

std::string Error::reason() const {
    return code == 0 ? what : std::generic_category().message(code);
}

std::unexpected<Error> system_error(int code, std::string what, std::string hint) {
    // Wherever it is that descriptors run out, this is what to do about it.
    if (code == EMFILE && hint.empty())
        hint = "raise the limit of open files: `ulimit -n`, or LimitNOFILE= of a service";
    return std::unexpected(Error{.kind = ErrorKind::system,
                                 .code = code,
                                 .what = std::move(what),
                                 .hint = std::move(hint),
                                 .diagnostics = {}});
}

std::unexpected<Error> logged_error(int code, std::string what, std::string log) {
    return std::unexpected(Error{.kind = ErrorKind::system,
                                 .code = code,
                                 .what = std::move(what),
                                 .hint = {},
                                 .log = std::move(log),
                                 .diagnostics = {}});
}

std::unexpected<Error> failure(ErrorKind kind, std::string what, std::string hint) {
    return std::unexpected(Error{.kind = kind,
                                 .code = 0,
                                 .what = std::move(what),
                                 .hint = std::move(hint),
                                 .diagnostics = {}});
}

} // namespace llexec
