// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "attach/owner.hpp"

#include "attach/pins.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <sys/file.h>
#include <thread>

namespace llexec {
namespace {

constexpr const char* owner_file = "/run/llexec/owner";

/// False if somebody else has it. errno of an error otherwise, as a system error.
Result<bool> try_lock(const UniqueFd& fd, int operation) {
    while (::flock(fd.get(), operation | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            return false;
        if (errno != EINTR)
            return system_error(errno, fmt::format("cannot lock {}", owner_file));
    }
    return true;
}

} // namespace

Result<Owner> Owner::become() {
    using namespace std::chrono_literals;
    if (auto made = attach::make_lock_directory(); !made)
        return std::unexpected(std::move(made.error()));
    UniqueFd fd(::open(owner_file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd.valid())
        return system_error(errno, fmt::format("cannot open {}", owner_file));
    // Held for an instant by whoever looks, and by what a killed owner was about to execute.
    for (int i = 0; i < 10; ++i) {
        const auto locked = try_lock(fd, LOCK_EX);
        if (!locked)
            return std::unexpected(locked.error());
        if (*locked)
            return Owner(std::move(fd));
        std::this_thread::sleep_for(100ms);
    }
    return system_error(EBUSY, "another llexecd is running");
}

Result<> attach::check_owner(const Owner* self, std::string hint) {
    if (self != nullptr)
        return {};
    const UniqueFd fd(::open(owner_file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!fd.valid() && errno == ENOENT)
        return {};
    if (!fd.valid())
        return system_error(errno, fmt::format("cannot open {}", owner_file));
    const auto locked = try_lock(fd, LOCK_SH);
    if (!locked)
        return std::unexpected(locked.error());
    if (!*locked)
        return system_error(EBUSY, "llexecd is running, and keeps its policies enforced",
                            std::move(hint));
    return {};
}

} // namespace llexec
