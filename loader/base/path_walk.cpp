// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/path_walk.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <deque>
#include <fcntl.h>
#include <filesystem>
#include <limits.h>
#include <linux/magic.h>
#include <string_view>
#include <sys/vfs.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace llexec {
namespace {

constexpr int max_links = 40; // as the kernel has it

/// In each link there is room for 2,000: whoever owns some could have 80,000 directories looked at.
constexpr int max_names = 512;

/// How a link of procfs is followed. The kernel knows where it leads; its text need not be a path,
/// or is one of another process's root.
enum class ProcLinks { by_text, by_kernel };

class Walk {
  public:
    Walk(const std::string& path, const std::function<Result<>(const PathStep&)>& visit,
         ProcLinks proc_links)
        : path_(path), visit_(visit), proc_links_(proc_links) {}

    Result<PathEnd> run() {
        if (!path_.starts_with('/'))
            return system_error(EINVAL, "not an absolute path: " + path_);
        prepend(path_);
        if (auto rooted = go_to_root(); !rooted)
            return std::unexpected(std::move(rooted.error()));
        for (int count = 0; !names_.empty(); ++count) {
            if (count == max_names)
                return system_error(
                    ELOOP, fmt::format("more than {} names are on the path {}", max_names, path_));
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
    [[nodiscard]] std::unexpected<Error> failed(int code) const {
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
            // Above what a link of procfs led to is not what stands before it in the path.
            if (proc_links_ == ProcLinks::by_kernel)
                at_ += "/..";
            else
                at_.resize(at_.empty() ? 0 : at_.rfind('/'));
            fd_ = std::move(next);
            return true;
        }
        if (auto visited = seen(name, next.valid() ? &status : nullptr); !visited)
            return std::unexpected(std::move(visited.error()));
        if (!next.valid())
            return false;
        if (S_ISLNK(status.st_mode)) {
            if (++links_ > max_links)
                return failed(ELOOP);
            if (proc_links_ == ProcLinks::by_text || !is_on_procfs())
                return follow(next.get());
            // By its path, and without descriptors of the walk: it may name one of this process.
            next.reset();
            fd_.reset();
            next.reset(::open((at_ + "/" + name).c_str(), O_PATH | O_CLOEXEC));
            if (!next.valid() && errno == ENOENT)
                return false;
            if (!next.valid() || ::fstat(next.get(), &status) != 0)
                return failed(errno);
        }
        if (!names_.empty() && !S_ISDIR(status.st_mode))
            return false;
        at_ += "/" + name;
        fd_ = std::move(next);
        return true;
    }

    [[nodiscard]] bool is_on_procfs() const {
        struct statfs status{};
        return ::fstatfs(fd_.get(), &status) == 0 && status.f_type == PROC_SUPER_MAGIC;
    }

    Result<bool> follow(int link) {
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
    const ProcLinks proc_links_;
    const std::string root_ = "/";
    std::deque<std::string> names_; ///< still to be looked up
    std::string at_;                ///< where fd_ is; empty for the root directory
    UniqueFd fd_;
    int links_ = 0;
};

/// Memory may be short for a moment only.
Result<PathEnd> walk(const std::string& path, const std::function<Result<>(const PathStep&)>& visit,
                     ProcLinks proc_links) {
    constexpr int attempts = 3;
    for (int attempt = 1;; ++attempt) {
        auto end = Walk(path, visit, proc_links).run();
        if (end || !is_shortage(end.error()) || attempt == attempts)
            return end;
    }
}

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

Result<PathEnd> walk_checked(const std::string& path, ProcLinks proc_links) {
    OtherOwners owners;
    const std::function<Result<>(const PathStep&)> see = [&](const PathStep& step) {
        return owners.see(step);
    };
    auto end = walk(path, see, proc_links);
    if (!end)
        return doubt_shortage(std::move(end.error()));
    if (auto checked = owners.check(*end); !checked)
        return doubt_shortage(std::move(checked.error()));
    return end;
}

Result<struct stat> stat_end(const Result<PathEnd>& end, const std::string& path) {
    if (!end)
        return std::unexpected(end.error());
    struct stat status{};
    if (!end->below.empty() || ::fstat(end->fd.get(), &status) != 0)
        return system_error(end->below.empty() ? errno : ENOENT, "cannot look at " + path);
    return status;
}

} // namespace

Result<PathEnd> walk_path(const std::string& path,
                          const std::function<Result<>(const PathStep&)>& visit) {
    return walk(path, visit, ProcLinks::by_text);
}

Result<struct stat> stat_path(const std::string& path) {
    return stat_end(walk_path(path), path);
}

Result<struct stat> stat_named(const std::string& path) {
    return stat_end(walk_named(path), path);
}

Result<PathEnd> walk_named(const std::string& path) {
    return walk_checked(path, ProcLinks::by_text);
}

Result<UniqueFd> open_named(const std::string& path) {
    std::string absolute = path;
    if (!path.starts_with('/')) {
        std::error_code error;
        absolute = std::filesystem::current_path(error) / path;
        if (error)
            return system_error(error.value(), "cannot open " + path);
    }
    auto end = walk_checked(absolute, ProcLinks::by_kernel);
    if (!end)
        return std::unexpected(std::move(end.error()));
    if (!end->below.empty())
        return system_error(ENOENT, "cannot open " + path);
    return std::move(end->fd);
}

bool is_shortage(const Error& error) {
    return error.code == EMFILE || error.code == ENFILE || error.code == ENOMEM;
}

std::unexpected<Error> doubt_shortage(Error error) {
    if (is_shortage(error) && UniqueFd(::open("/", O_PATH | O_CLOEXEC)).valid())
        return failure(ErrorKind::policy, error.message());
    return std::unexpected(std::move(error));
}

} // namespace llexec
