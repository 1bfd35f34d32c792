// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Following a path as the kernel does, one name at a time.
#pragma once

#include "llexec/fd.hpp"
#include "llexec/result.hpp"

#include <functional>
#include <string>
#include <sys/stat.h>

namespace llexec {

/// One name of a path, looked up in one directory. Symbolic links add names of their own.
struct PathStep {
    int directory = -1;                 ///< O_PATH descriptor, the walk's
    const std::string& path;            ///< of the directory, without symbolic links
    const std::string& name;            ///< of the entry; "" for the root directory itself
    const struct stat* entry = nullptr; ///< not followed if it is a symbolic link; nullptr if there
                                        ///< is none
};

/// Where a walk came to.
struct PathEnd {
    UniqueFd fd;       ///< O_PATH: what the path names, or the last directory on the way there
    std::string path;  ///< of `fd`, without symbolic links
    std::string below; ///< empty if the path exists; otherwise the names that are missing below
                       ///< `fd`, separated by slashes
    bool ends = true;  ///< false: what is missing leads out of the directory again ("..")
};

/// Walks an absolute path from the root directory, through at most 40 symbolic links and 512 names,
/// those of links included. `visit` sees each step, in order, and ends the walk with an error of
/// its own. It begins anew, twice, after a shortage, also one that `visit` met. What does not
/// exist, or stands where a directory should, is no error: it is `below`. Kind system: EINVAL for a
/// relative path, ELOOP, EACCES and the like.
///
/// It does not wait for an automount: what is beneath one that is not mounted is missing. Early at
/// boot, whoever would mount it may be waiting for the caller. (A name at the top of an indirect
/// automount of autofs(5) is the exception: to look it up mounts it.)
[[nodiscard]] Result<PathEnd> walk_path(const std::string& path,
                                        const std::function<Result<>(const PathStep&)>& visit = {});

/// stat(2) by walk_path(): waits for no automount. Kind system: ENOENT if nothing stands there.
[[nodiscard]] Result<struct stat> stat_path(const std::string& path);

/// walk_path() for what a policy names. Whoever owns a symbolic link can turn it to anything, so
/// one that belongs neither to root nor to the caller is followed only to what belongs to its
/// owner: an error of kind policy otherwise, also if there is nothing at its end. systemd does the
/// same for the paths of tmpfiles.d(5), and the kernel in sticky directories (protected_symlinks in
/// proc_sys_fs(5)). A shortage is doubted, see doubt_shortage().
[[nodiscard]] Result<PathEnd> walk_named(const std::string& path);

/// stat(2) by walk_named(). Kind system with ENOENT if nothing stands there.
[[nodiscard]] Result<struct stat> stat_named(const std::string& path);

/// What a policy names as O_PATH, links followed as walk_named() does, and those of procfs to what
/// the kernel says they lead to; a relative path starts at the working directory. Kind system with
/// ENOENT and the like if it cannot be opened; kind policy as walk_named().
[[nodiscard]] Result<UniqueFd> open_named(const std::string& path);

/// Whether opening something failed for want of descriptors or memory: that says nothing about what
/// was to be opened.
[[nodiscard]] bool is_shortage(const Error& error);

/// `error`, of what failed on a path that others may own. A file system in user space answers what
/// its owner likes. He must not pass off for a shortage of this process, which ends what it is in
/// the middle of, what is about his files alone: it is one if something else cannot be opened
/// either. Of kind policy, without a code, if it can.
[[nodiscard]] std::unexpected<Error> doubt_shortage(Error error);

} // namespace llexec
