// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "files.hpp"

#include "llexec/fd.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

namespace llexec::daemon {
namespace {

Result<> write_all(int fd, std::string_view text, const std::string& path) {
    while (!text.empty()) {
        const ssize_t written = ::write(fd, text.data(), text.size());
        if (written < 0 && errno != EINTR)
            return system_error(errno, "cannot write to " + path);
        if (written > 0)
            text.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

Result<> write_fresh(const std::string& path, const std::string& text, mode_t mode,
                     Durable durable) {
    // The directory may be somebody else's: nothing that stands there is written to.
    ::unlink(path.c_str());
    const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (!fd.valid())
        return system_error(errno, "cannot make the file " + path);
    // Whatever the umask is.
    if (::fchmod(fd.get(), mode) != 0)
        return system_error(errno, "cannot set the mode of " + path);
    if (auto written = write_all(fd.get(), text, path); !written)
        return written;
    if (durable == Durable::yes && ::fsync(fd.get()) != 0)
        return system_error(errno, "cannot write to " + path);
    return {};
}

} // namespace

Result<> replace_file(const std::string& path, const std::string& text, mode_t mode,
                      Durable durable) {
    const std::string fresh = path + ".new";
    if (auto written = write_fresh(fresh, text, mode, durable); !written) {
        ::unlink(fresh.c_str());
        return written;
    }
    if (::rename(fresh.c_str(), path.c_str()) != 0) {
        const int error = errno;
        ::unlink(fresh.c_str());
        return system_error(error, "cannot replace " + path);
    }
    if (durable == Durable::no)
        return {};
    const UniqueFd directory(
        ::open(path.substr(0, path.rfind('/') + 1).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory.valid() || ::fsync(directory.get()) != 0)
        return system_error(errno, "cannot write the directory of " + path);
    return {};
}

Result<std::string> read_file(int fd, const std::string& path) {
    std::string text;
    std::array<char, 16UL * 1024> chunk{};
    for (;;) {
        const ssize_t got = ::read(fd, chunk.data(), chunk.size());
        if (got < 0 && errno != EINTR)
            return system_error(errno, "cannot read " + path);
        if (got == 0)
            return text;
        if (got > 0)
            text.append(chunk.data(), static_cast<std::size_t>(got));
    }
}

} // namespace llexec::daemon
