// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/path_walk.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <deque>
#include <fcntl.h>
#include <filesystem>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string_view>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <utility>
#include <vector>

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

/// The owners of symbolic links who could turn them against whoever wrote the policy.
class OtherOwners {
  public:
    Result<> see(const PathStep& step) {
        if (step.entry == nullptr || !S_ISLNK(step.entry->st_mode) || step.entry->st_uid == 0 ||
            step.entry->st_uid == ::geteuid())
            return {};
        owners_.push_back(step.entry->st_uid);
        return {};
    }

    [[nodiscard]] bool empty() const { return owners_.empty(); }

    /// Fail closed: what is refused is neither selected nor granted.
    [[nodiscard]] Result<> check(const PathEnd& end) const {
        struct stat status{};
        if (!owners_.empty() && ::fstat(end.fd.get(), &status) != 0)
            return system_error(errno, "cannot look at " + end.path);
        for (const uid_t owner : owners_) {
            if (!end.below.empty())
                return failure(ErrorKind::policy,
                               fmt::format("a symbolic link of user {} leads to nothing", owner));
            if (status.st_uid != owner)
                return failure(ErrorKind::policy,
                               fmt::format("a symbolic link of user {} leads to {}, which belongs "
                                           "to user {}",
                                           owner, end.path, status.st_uid));
        }
        return {};
    }

  private:
    std::vector<uid_t> owners_;
};

/// A link of procfs can lead to what has no path, and is root's or of whose process it is.
bool is_on_procfs(const PathStep& step) {
    struct statfs status{};
    return ::fstatfs(step.directory, &status) == 0 && status.f_type == PROC_SUPER_MAGIC;
}

Result<UniqueFd> opened(long fd, const std::string& path) {
    if (fd < 0)
        return system_error(errno, "cannot open " + path);
    return UniqueFd(static_cast<int>(fd));
}

} // namespace

Result<PathEnd> walk_path(const std::string& path,
                          const std::function<Result<>(const PathStep&)>& visit) {
    return Walk(path, visit).run();
}

Result<PathEnd> walk_named(const std::string& path) {
    OtherOwners owners;
    auto end = walk_path(path, [&](const PathStep& step) { return owners.see(step); });
    if (!end)
        return end;
    if (auto checked = owners.check(*end); !checked)
        return std::unexpected(std::move(checked.error()));
    return end;
}

Result<UniqueFd> open_named(const std::string& path) {
    // Mostly there is no link on the way.
    const open_how without_links{
        .flags = O_PATH | O_CLOEXEC, .mode = 0, .resolve = RESOLVE_NO_SYMLINKS};
    auto fd = opened(
        ::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &without_links, sizeof(without_links)),
        path);
    if (fd || (fd.error().code != ELOOP && fd.error().code != ENOSYS && fd.error().code != EPERM))
        return fd;
    std::string absolute = path;
    if (!path.starts_with('/')) {
        std::error_code error;
        absolute = std::filesystem::current_path(error) / path;
        if (error)
            return system_error(error.value(), "cannot open " + path);
    }
    OtherOwners owners;
    bool by_kernel = false;
    auto end = walk_path(absolute, [&](const PathStep& step) -> Result<> {
        by_kernel = owners.empty() && step.entry != nullptr && S_ISLNK(step.entry->st_mode) &&
                    is_on_procfs(step);
        if (by_kernel)
            return failure(ErrorKind::system, "only the kernel can follow this");
        return owners.see(step);
    });
    if (by_kernel)
        return opened(::open(path.c_str(), O_PATH | O_CLOEXEC), path);
    if (!end)
        return std::unexpected(std::move(end.error()));
    if (auto checked = owners.check(*end); !checked)
        return std::unexpected(std::move(checked.error()));
    if (!end->below.empty())
        return system_error(ENOENT, "cannot open " + path);
    return std::move(end->fd);
}

bool is_shortage(const Error& error) {
    return error.code == EMFILE || error.code == ENFILE || error.code == ENOMEM;
}

} // namespace llexec
