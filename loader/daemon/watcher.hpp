// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Changes of the world that policies are about: which files stand at the paths that they name.
#pragma once

#include "llexec/fd.hpp"
#include "llexec/result.hpp"

#include <cstdint>
#include <map>
#include <optional>
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

/// Identities of what stands at watched paths.
using Fingerprint = std::map<WatchedPath, std::string>;

/// What came of a call of Watcher::watch().
struct Watched {
    bool more = false; ///< contents are watched that were not: what was read of them before
                       ///< this may have changed, and nobody tells
    /// Some paths are not watched, or not as far as they lead: for a shortage that may pass; with
    /// ENOSPC if fs.inotify.max_user_watches is too low; or for something about these paths.
    std::optional<Error> error;
};

/// Watches the directories on the way to paths, through symbolic links; not the files themselves,
/// so files that are replaced or not there yet need nothing special.
class Watcher {
  public:
    /// Kind system: EMFILE if fs.inotify.max_user_instances is too low.
    [[nodiscard]] static Result<Watcher> create();
    /// One that watches nothing, for who has no other: it only knows the paths.
    [[nodiscard]] static Watcher blind() { return Watcher(UniqueFd()); }

    /// Watches these paths from now on, and no others. What changes while this is done is either
    /// seen by it or told by read().
    Watched watch(const std::vector<WatchedPath>& paths);

    /// What has changed since the last call, or a good part of it. Does not wait.
    [[nodiscard]] Result<Changes> read();

    /// Readable when read() has something to tell.
    [[nodiscard]] int fd() const { return inotify_.get(); }

    /// Of the watched paths, to see whether a mount has changed any.
    [[nodiscard]] Fingerprint fingerprint() const;
    /// Only of those that are watched for this.
    [[nodiscard]] Fingerprint fingerprint(Watch watch) const;

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
    Result<> walk_until_watched(const WatchedPath& path, Directories& directories);
    Result<int> add(int directory, const std::string& path);
    void note(const inotify_event& event, Changes& changes) const;
    [[nodiscard]] bool has_more_contents(const std::map<int, Directory>& directories) const;

    UniqueFd inotify_;
    std::map<int, Directory> directories_;
    std::vector<WatchedPath> paths_;
};

} // namespace llexec::daemon
