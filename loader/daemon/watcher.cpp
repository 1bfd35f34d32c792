// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "watcher.hpp"

#include "llexec/path_walk.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <linux/limits.h>
#include <optional>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

namespace llexec::daemon {
namespace {

constexpr std::uint32_t events = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
                                 IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;
/// What can mean that another file stands at a path.
constexpr std::uint32_t object_events =
    IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF;

/// Each name of a path may bring a directory.
constexpr int max_walks = 100;

/// Whoever makes changes all the time keeps nobody from SIGHUP.
constexpr int max_reads = 64;

constexpr std::uint8_t bit(Watch watch) {
    return static_cast<std::uint8_t>(watch);
}

/// Of several errors the one is told that something can be done about.
int weight(const Error& error) {
    return is_shortage(error) ? 2 : error.code == ENOSPC ? 1 : 0;
}

} // namespace

Result<Watcher> Watcher::create() {
    UniqueFd inotify(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (!inotify.valid())
        return system_error(errno, "cannot watch files",
                            errno == EMFILE ? "raise the sysctl fs.inotify.max_user_instances"
                                            : "");
    return Watcher(std::move(inotify));
}

Result<int> Watcher::add(int directory, const std::string& path) {
    const int wd = ::inotify_add_watch(
        inotify_.get(), fmt::format("/proc/self/fd/{}", directory).c_str(), events | IN_ONLYDIR);
    if (wd < 0 && errno == ENOSPC)
        return system_error(errno, "cannot watch the directory " + path,
                            "raise the sysctl fs.inotify.max_user_watches");
    if (wd < 0)
        return system_error(errno, "cannot watch the directory " + path);
    return wd;
}

/// True if that watched a directory that was not watched before.
Result<bool> Watcher::walk(const WatchedPath& path, Directories& directories) {
    bool fresh = false;
    const auto watch = [&](int fd, const std::string& of) -> Result<Directory*> {
        // Not by its path: another one may stand there by now.
        struct stat status{};
        if (::fstat(fd, &status) != 0)
            return system_error(errno, "cannot look at the directory " + of);
        const std::pair inode{status.st_dev, status.st_ino};
        if (const auto known = directories.by_inode.find(inode);
            known != directories.by_inode.end())
            return &directories.by_wd[known->second];
        const auto wd = add(fd, of);
        if (!wd)
            return std::unexpected(wd.error());
        fresh = true;
        directories.by_inode.emplace(inode, *wd);
        return &directories.by_wd[*wd];
    };
    const auto end = walk_path(path.path, [&](const PathStep& step) -> Result<> {
        if (step.name.empty())
            return {}; // the root directory stays
        const auto directory = watch(step.directory, step.path);
        if (!directory)
            return std::unexpected(directory.error());
        (*directory)->names[step.name] |= bit(path.watch);
        return {};
    });
    if (!end)
        return std::unexpected(end.error());
    struct stat status{};
    if (path.watch != Watch::content || !end->below.empty() ||
        ::fstat(end->fd.get(), &status) != 0 || !S_ISDIR(status.st_mode))
        return fresh;
    const auto directory = watch(end->fd.get(), end->path);
    if (!directory)
        return std::unexpected(directory.error());
    (*directory)->all |= bit(Watch::content);
    return fresh;
}

/// Once more where directories were not watched yet: what happened between looking a name up and
/// watching its directory is seen then. Who makes new ones all the time is not waited for.
Result<> Watcher::walk_until_watched(const WatchedPath& path, Directories& directories) {
    for (int walks = 0; walks < max_walks; ++walks) {
        const auto walked = walk(path, directories);
        if (!walked)
            return std::unexpected(walked.error());
        if (!*walked)
            return {};
    }
    return failure(ErrorKind::system, "directories on the way of " + path.path +
                                          " are replaced all the time: it is not followed");
}

/// Than what is watched now.
bool Watcher::has_more_contents(const std::map<int, Directory>& directories) const {
    static const Directory none;
    const auto adds = [](std::uint8_t flags, std::uint8_t before) {
        return (flags & ~before & bit(Watch::content)) != 0;
    };
    return std::ranges::any_of(directories, [&](const auto& watched) {
        const auto& [wd, directory] = watched;
        const auto known = directories_.find(wd);
        const Directory& before = known != directories_.end() ? known->second : none;
        return adds(directory.all, before.all) ||
               std::ranges::any_of(directory.names, [&](const auto& entry) {
                   const auto name = before.names.find(entry.first);
                   return adds(entry.second, name != before.names.end() ? name->second : 0);
               });
    });
}

Watched Watcher::watch(const std::vector<WatchedPath>& paths) {
    Directories directories;
    Watched result;
    paths_ = paths;
    // Many policies name the same directories.
    std::ranges::sort(paths_);
    paths_.erase(std::ranges::unique(paths_).begin(), paths_.end());
    if (!inotify_.valid())
        return result;
    for (const WatchedPath& path : paths_) {
        auto walked = walk_until_watched(path, directories);
        // What policies name may belong to others; where policies are is root's. To watch asks the
        // file system for permission, too.
        if (!walked && path.watch == Watch::object)
            walked = doubt_shortage(std::move(walked.error()));
        // What cannot be followed (a loop of links) does not keep the rest from being watched.
        if (!walked && (!result.error || weight(walked.error()) > weight(*result.error)))
            result.error = std::move(walked.error());
    }
    for (const auto& [wd, directory] : directories_)
        if (!directories.by_wd.contains(wd))
            ::inotify_rm_watch(inotify_.get(), wd);
    result.more = has_more_contents(directories.by_wd);
    directories_ = std::move(directories.by_wd);
    return result;
}

void Watcher::note(const inotify_event& event, Changes& changes) const {
    if ((event.mask & IN_Q_OVERFLOW) != 0) {
        // Nobody knows what was lost.
        changes = {.objects = true, .contents = true};
        return;
    }
    const auto found = directories_.find(event.wd);
    if (found == directories_.end())
        return; // not watched any more
    std::uint8_t flags = found->second.all;
    if ((event.mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT)) != 0)
        for (const auto& [name, of_name] : found->second.names)
            flags |= of_name;
    else if (event.len != 0)
        if (const auto name = found->second.names.find(event.name);
            name != found->second.names.end())
            flags |= name->second;
    if ((flags & bit(Watch::object)) != 0 &&
        (event.mask & (object_events | IN_IGNORED | IN_UNMOUNT)) != 0)
        changes.objects = true;
    if ((flags & bit(Watch::content)) != 0)
        changes.contents = true;
}

Result<Changes> Watcher::read() {
    Changes changes;
    if (!inotify_.valid())
        return changes;
    alignas(inotify_event) std::array<char, 64 * (sizeof(inotify_event) + NAME_MAX + 1)> buffer{};
    for (int reads = 0; reads < max_reads; ++reads) {
        const ssize_t size = ::read(inotify_.get(), buffer.data(), buffer.size());
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0 && errno == EAGAIN)
            return changes;
        if (size < 0)
            return system_error(errno, "cannot read what has changed");
        for (std::size_t at = 0; at < static_cast<std::size_t>(size);) {
            // The kernel aligns them so.
            const auto* const event =
                reinterpret_cast<const inotify_event*>(buffer.data() + at); // NOLINT
            note(*event, changes);
            at += sizeof(inotify_event) + event->len;
        }
    }
    return changes;
}

namespace {

/// Waits for no automount, and mounts none again that has been given up.
std::string identity(const std::string& path) {
    const auto status = stat_path(path);
    return status ? fmt::format("{}:{}", status->st_dev, status->st_ino)
                  : fmt::format("errno {}", status.error().code);
}

} // namespace

Fingerprint Watcher::fingerprint() const {
    Fingerprint result;
    for (const WatchedPath& path : paths_)
        result.emplace(path, identity(path.path));
    return result;
}

Fingerprint Watcher::fingerprint(Watch watch) const {
    Fingerprint result;
    for (const WatchedPath& path : paths_)
        if (path.watch == watch)
            result.emplace(path, identity(path.path));
    return result;
}

} // namespace llexec::daemon
