// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Changes of the world that policies are about: which files stand at the paths that they name.
#pragma once

#include "llexec/fd.hpp"
#include "llexec/result.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <sys/inotify.h>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace llexec::daemon {

/// Why a path is watched.
enum class Watch : std::uint8_t {
    object = 1,  ///< another file stands there, or none: what policies name
    content = 2, ///< also what is in it, or, of a directory, in which files: what policies are in
};

struct WatchedPath {
    std::string path;
    Watch watch = Watch::object;

    friend auto operator<=>(const WatchedPath&, const WatchedPath&) = default;
};

/// What has changed.
struct Changes {
    bool objects = false;  ///< something at a path watched as object
    bool contents = false; ///< something at or in a path watched as content
};

/// Watches the directories on the way to paths, through symbolic links; not the files themselves,
/// so files that are replaced or not there yet need nothing special.
class Watcher {
  public:
    [[nodiscard]] static Result<Watcher> create();

    /// Watches these paths from now on, and no others. What changes while this is done is either
    /// seen by it or told by read(). True if it watches contents that it did not watch before: what
    /// was read of them before this may have changed, and nobody tells. Kind system: ENOSPC if
    /// fs.inotify.max_user_watches is too low; then some are not watched.
    [[nodiscard]] Result<bool> watch(const std::vector<WatchedPath>& paths);

    /// What has changed since the last call. Does not wait.
    [[nodiscard]] Result<Changes> read();

    /// Readable when read() has something to tell.
    [[nodiscard]] int fd() const { return inotify_.get(); }

    /// Identities of what stands at the watched paths, by path, to see whether a mount changed any.
    [[nodiscard]] std::map<std::string, std::string> fingerprint() const;

  private:
    explicit Watcher(UniqueFd inotify) : inotify_(std::move(inotify)) {}

    struct Directory {
        std::map<std::string, std::uint8_t> names; ///< Watch flags, by entry
        std::uint8_t all = 0;                      ///< of any entry
    };
    /// Those that one call of watch() watches.
    struct Directories {
        std::map<int, Directory> by_wd;
        std::map<std::pair<dev_t, ino_t>, int> by_inode; ///< watch descriptors
    };

    Result<bool> walk(const WatchedPath& path, Directories& directories);
    Result<int> add(int directory, const std::string& path);
    void note(const inotify_event& event, Changes& changes) const;
    [[nodiscard]] bool has_more_contents(const std::map<int, Directory>& directories) const;

    UniqueFd inotify_;
    std::map<int, Directory> directories_;
    std::vector<WatchedPath> paths_;
};

} // namespace llexec::daemon
