// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/trusted_files.hpp"

#include "llexec/path_walk.hpp"
#include "policy/file_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <utility>

namespace llexec {
namespace {

/// Whoever may write to a directory may replace what is in it. The bits of the group are also what
/// an access control list grants at most.
Result<> check_trusted(const std::string& path, const struct stat& status) {
    if (status.st_uid != 0)
        return failure(ErrorKind::policy,
                       fmt::format("{} belongs to user {}, not to root", path, status.st_uid),
                       fmt::format("chown root {}", path));
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return failure(ErrorKind::policy,
                       fmt::format("{} can be written to by others than root (mode {:04o})", path,
                                   status.st_mode & 07777U),
                       fmt::format("chmod go-w {}", path));
    return {};
}

Result<> check_step(const PathStep& step) {
    // A link is as trusted as the directory that it is in.
    if (step.entry == nullptr || S_ISLNK(step.entry->st_mode))
        return {};
    const std::string path = (step.path == "/" ? "" : step.path) + "/" + step.name;
    return check_trusted(path, *step.entry);
}

/// What a trusted path names, as O_PATH.
Result<UniqueFd> walk_trusted(const std::string& path) {
    auto end = walk_path(path, check_step);
    if (!end)
        return std::unexpected(std::move(end.error()));
    if (!end->below.empty())
        return system_error(ENOENT, "cannot open " + path);
    return std::move(end->fd);
}

Result<UniqueFd> reopen(const UniqueFd& path_fd, const std::string& path, int flags) {
    UniqueFd fd(::open(fmt::format("/proc/self/fd/{}", path_fd.get()).c_str(),
                       O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | flags));
    if (!fd.valid())
        return system_error(errno, "cannot open " + path);
    return fd;
}

} // namespace

Result<UniqueFd> open_trusted_file(const std::string& path) {
    const auto found = walk_trusted(path);
    if (!found)
        return std::unexpected(found.error());
    struct stat status{};
    if (::fstat(found->get(), &status) != 0)
        return system_error(errno, "cannot look at " + path);
    if (!S_ISREG(status.st_mode))
        return failure(ErrorKind::policy, path + " is not a regular file");
    return reopen(*found, path, 0);
}

Result<PolicyListing> list_trusted_policies(const std::string& directory) {
    const auto found = walk_trusted(directory);
    if (!found)
        return std::unexpected(found.error());
    auto fd = reopen(*found, directory, O_DIRECTORY);
    if (!fd)
        return std::unexpected(std::move(fd.error()));
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(fd->get()), ::closedir);
    if (!stream)
        return system_error(errno, "cannot list " + directory);
    static_cast<void>(fd->release()); // the stream's now
    PolicyListing listing;
    errno = 0;
    // One thread has this stream, which is all that readdir() asks for.
    while (const dirent* entry = ::readdir(stream.get())) { // NOLINT(concurrency-mt-unsafe)
        struct stat status{};
        if (is_policy_file(entry->d_name)) {
            std::string path = fmt::format("{}/{}", directory, entry->d_name);
            // One that cannot be looked at stays: not to be able to open it is an error then.
            if (::fstatat(::dirfd(stream.get()), entry->d_name, &status, 0) != 0 ||
                S_ISREG(status.st_mode))
                listing.paths.push_back(std::move(path));
            else
                listing.notes.push_back(ignored_entry(std::move(path)));
        }
        errno = 0;
    }
    if (errno != 0)
        return system_error(errno, "cannot list " + directory);
    std::ranges::sort(listing.paths);
    std::ranges::sort(listing.notes, {}, &Diagnostic::file);
    return listing;
}

Result<std::string> TrustedPolicyFiles::read(const std::string& path) {
    const auto fd = open_trusted_file(path);
    if (!fd)
        return std::unexpected(fd.error());
    return read_text(fd->get());
}

} // namespace llexec
