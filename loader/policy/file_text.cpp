// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "policy/file_text.hpp"

#include "llexec/lint.hpp"
#include "llexec/policy_file.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <unistd.h>
#include <utility>

namespace llexec {

Result<std::string> read_text(int fd) {
    std::string text;
    std::string chunk(16UL * 1024, '\0');
    while (text.size() <= max_policy_file_size) {
        const ssize_t got = ::read(fd, chunk.data(), chunk.size());
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return system_error(errno, "read failed");
        if (got == 0)
            break;
        text.append(chunk, 0, static_cast<std::size_t>(got));
    }
    if (text.size() > max_policy_file_size)
        return failure(ErrorKind::policy,
                       fmt::format("larger than {} bytes", max_policy_file_size));
    return text;
}

Diagnostic ignored_entry(std::string path) {
    return make_finding("ignored-entry", std::move(path), {}, "not a regular file: ignored");
}

} // namespace llexec
