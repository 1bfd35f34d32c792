// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/path_walk.hpp"

#include <cerrno>
#include <deque>
#include <fcntl.h>
#include <limits.h>
#include <string_view>
#include <unistd.h>
#include <utility>

namespace llexec {
namespace {

constexpr int max_links = 40; // as the kernel has it

class Walk {
  public:
    Walk(const std::string& path, const std::function<Result<>(const PathStep&)>& visit)
        : path_(path), visit_(visit) {}

    Result<PathEnd> run() {
        if (!path_.starts_with('/'))
            return system_error(EINVAL, "not an absolute path: " + path_);
        prepend(path_);
        if (auto rooted = go_to_root(); !rooted)
            return std::unexpected(std::move(rooted.error()));
        while (!names_.empty()) {
            const std::string name = std::move(names_.front());
            names_.pop_front();
            const auto exists = step(name);
            if (!exists)
                return std::unexpected(exists.error());
            if (!*exists)
                return missing(name);
        }
        return PathEnd{.fd = std::move(fd_), .path = at_.empty() ? "/" : at_, .below = {}};
    }

  private:
    std::unexpected<Error> failed(int code) const {
        return system_error(code, "cannot follow the path " + path_);
    }

    void prepend(std::string_view path) {
        std::deque<std::string> names;
        while (!path.empty()) {
            const std::size_t slash = path.find('/');
            const std::string_view name = path.substr(0, slash);
            if (!name.empty() && name != ".")
                names.emplace_back(name);
            path = slash == std::string_view::npos ? "" : path.substr(slash + 1);
        }
        names_.insert(names_.begin(), names.begin(), names.end());
    }

    Result<> seen(const std::string& name, const struct stat* entry) const {
        if (!visit_)
            return {};
        const std::string& path = at_.empty() ? root_ : at_;
        return visit_({.directory = fd_.get(), .path = path, .name = name, .entry = entry});
    }

    Result<> go_to_root() {
        fd_ = UniqueFd(::open("/", O_PATH | O_CLOEXEC | O_DIRECTORY));
        at_.clear();
        struct stat status{};
        if (!fd_.valid() || ::fstat(fd_.get(), &status) != 0)
            return failed(errno);
        return seen("", &status);
    }

    /// Goes to an entry of the directory. False if it does not exist.
    Result<bool> step(const std::string& name) {
        UniqueFd next(::openat(fd_.get(), name.c_str(), O_PATH | O_CLOEXEC | O_NOFOLLOW));
        if (!next.valid() && errno != ENOENT && errno != ENOTDIR)
            return failed(errno);
        struct stat status{};
        if (next.valid() && ::fstat(next.get(), &status) != 0)
            return failed(errno);
        if (name == "..") {
            at_.resize(at_.empty() ? 0 : at_.rfind('/'));
            fd_ = std::move(next);
            return true;
        }
        if (auto visited = seen(name, next.valid() ? &status : nullptr); !visited)
            return std::unexpected(std::move(visited.error()));
        if (!next.valid())
            return false;
        if (S_ISLNK(status.st_mode))
            return follow(next.get());
        if (!names_.empty() && !S_ISDIR(status.st_mode))
            return false;
        at_ += "/" + name;
        fd_ = std::move(next);
        return true;
    }

    Result<bool> follow(int link) {
        if (++links_ > max_links)
            return failed(ELOOP);
        std::string target(PATH_MAX, '\0');
        const ssize_t size = ::readlinkat(link, "", target.data(), target.size());
        if (size < 0)
            return failed(errno);
        target.resize(static_cast<std::size_t>(size));
        prepend(target);
        if (target.starts_with('/'))
            if (auto rooted = go_to_root(); !rooted)
                return std::unexpected(std::move(rooted.error()));
        return true;
    }

    PathEnd missing(const std::string& name) {
        PathEnd end{.fd = std::move(fd_), .path = at_.empty() ? "/" : at_, .below = name};
        for (const std::string& next : names_) {
            end.below += "/" + next;
            end.ends = end.ends && next != "..";
        }
        return end;
    }

    const std::string& path_;
    const std::function<Result<>(const PathStep&)>& visit_;
    const std::string root_ = "/";
    std::deque<std::string> names_; ///< still to be looked up
    std::string at_;                ///< where fd_ is; empty for the root directory
    UniqueFd fd_;
    int links_ = 0;
};

} // namespace

Result<PathEnd> walk_path(const std::string& path,
                          const std::function<Result<>(const PathStep&)>& visit) {
    return Walk(path, visit).run();
}

} // namespace llexec
