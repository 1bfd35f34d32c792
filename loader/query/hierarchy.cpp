// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "query/hierarchy.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace llexec {
namespace {

Result<> add_place(const std::string& path, Hierarchy& hierarchy) {
    struct statx status{};
    if (::statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
                STATX_TYPE | STATX_MODE | STATX_INO | STATX_MNT_ID, &status) < 0)
        return system_error(errno, fmt::format("cannot stat '{}'", path));
    if (hierarchy.places.empty())
        hierarchy.mode = status.stx_mode;
    hierarchy.places.push_back(
        {.object = {.device = makedev(status.stx_dev_major, status.stx_dev_minor),
                    .inode = status.stx_ino},
         .path = path,
         .mount = status.stx_mnt_id});
    return {};
}

/// Of a path without symbolic links.
Result<Hierarchy> hierarchy_of_real(std::string path) {
    Hierarchy hierarchy;
    for (;; path = directory_of(path)) {
        if (Result<> added = add_place(path, hierarchy); !added)
            return std::unexpected(std::move(added.error()));
        if (path == "/")
            return hierarchy;
    }
}

} // namespace

std::string directory_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

std::string without_trailing_slashes(std::string path) {
    while (path.size() > 1 && path.ends_with('/'))
        path.pop_back();
    return path;
}

std::optional<std::string> real_path(const std::string& path) {
    const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr),
                                                           std::free);
    return real ? std::optional<std::string>(real.get()) : std::nullopt;
}

Result<Hierarchy> hierarchy_of(std::string path) {
    bool exists = true;
    for (;;) {
        if (const auto real = real_path(path)) {
            Result<Hierarchy> hierarchy = hierarchy_of_real(*real);
            if (hierarchy)
                hierarchy->exists = exists;
            return hierarchy;
        }
        if (errno != ENOENT || path == "/")
            return system_error(errno, fmt::format("cannot find '{}'", path));
        exists = false;
        path = directory_of(without_trailing_slashes(path));
    }
}

Result<Hierarchy> hierarchy_of_entry(const std::string& path) {
    const std::string trimmed = without_trailing_slashes(path);
    const auto directory = real_path(directory_of(trimmed));
    if (!directory)
        return system_error(errno, fmt::format("cannot find '{}'", directory_of(trimmed)));
    return hierarchy_of_real((*directory == "/" ? "" : *directory) +
                             trimmed.substr(trimmed.rfind('/')));
}

} // namespace llexec
