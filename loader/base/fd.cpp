// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/fd.hpp"

#include <cerrno>
#include <fstream>
#include <sys/resource.h>
#include <unistd.h>

namespace llexec {

void UniqueFd::reset(int fd) noexcept {
    const int old = std::exchange(fd_, fd < 0 ? -1 : fd);
    if (old < 0 || old == fd_)
        return;
    const int saved = errno;
    // Never retried: on Linux the descriptor is gone even if close() says EINTR.
    ::close(old);
    errno = saved;
}

void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    // The hard limit is 4096 where no service manager has raised it.
    rlim_t most = 0;
    if (std::ifstream("/proc/sys/fs/nr_open") >> most && most > limit.rlim_max) {
        const rlimit raised{.rlim_cur = most, .rlim_max = most};
        if (::setrlimit(RLIMIT_NOFILE, &raised) == 0)
            return;
    }
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

} // namespace llexec
