// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "program/file_tree.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <dirent.h>
#include <fcntl.h>
#include <limits>
#include <linux/openat2.h>
#include <memory>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace llexec::program {
namespace {

// A handle for what is open: the only way to open or name what an O_PATH descriptor stands for.
std::string descriptor_path(int fd) {
    return "/proc/self/fd/" + std::to_string(fd);
}

std::string read_link(int directory, const char* path) {
    std::array<char, PATH_MAX> text{};
    const ssize_t size = ::readlinkat(directory, path, text.data(), text.size());
    return size < 0 ? std::string() : std::string(text.data(), static_cast<std::size_t>(size));
}

bool mounted_with(int fd, unsigned long flag) {
    struct statvfs filesystem{};
    return ::fstatvfs(fd, &filesystem) == 0 && (filesystem.f_flag & flag) != 0;
}

} // namespace

bool FoundFile::executable() const {
    return regular() && (status.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) != 0 &&
           !mounted_with(fd.get(), ST_NOEXEC);
}

bool FoundFile::mounted_nosuid() const {
    return mounted_with(fd.get(), ST_NOSUID);
}

Result<FileTree> FileTree::open(const std::string& root) {
    if (root == "/")
        return FileTree(UniqueFd());
    UniqueFd fd(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!fd.valid())
        return system_error(errno, "cannot open the root directory " + root);
    return FileTree(std::move(fd));
}

UniqueFd FileTree::open_path(const std::string& path, int flags) const {
    // open(2) would stop at the NUL byte and find another file.
    if (path.empty() || path.find('\0') != std::string::npos) {
        errno = ENOENT;
        return {};
    }
    if (!root_.valid())
        return UniqueFd(::open(path.c_str(), flags | O_CLOEXEC));
    open_how how{};
    how.flags = static_cast<unsigned>(flags | O_CLOEXEC);
    how.resolve = RESOLVE_IN_ROOT;
    return UniqueFd(
        static_cast<int>(::syscall(SYS_openat2, root_.get(), path.c_str(), &how, sizeof(how))));
}

std::expected<FoundFile, int> FileTree::find(const std::string& path) const {
    FoundFile found;
    found.fd = open_path(path, O_PATH);
    if (!found.fd.valid() || ::fstat(found.fd.get(), &found.status) != 0)
        return std::unexpected(errno);
    return found;
}

std::expected<UniqueFd, int> FileTree::open_file(const FoundFile& file) const {
    if (!file.regular())
        return std::unexpected(EINVAL);
    UniqueFd fd(::open(descriptor_path(file.fd.get()).c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid())
        return std::unexpected(errno);
    return fd;
}

Result<std::string> FileTree::real_path(const FoundFile& file) const {
    std::string path = read_link(AT_FDCWD, descriptor_path(file.fd.get()).c_str());
    if (path.empty())
        return system_error(errno, "cannot read " + descriptor_path(file.fd.get()));
    if (!root_.valid())
        return path;
    const std::string root = read_link(AT_FDCWD, descriptor_path(root_.get()).c_str());
    if (path.starts_with(root + "/"))
        path.erase(0, root.size());
    return path;
}

std::string FileTree::absolute(const std::string& path) const {
    if (path.starts_with('/'))
        return path;
    std::array<char, PATH_MAX> current{};
    if (root_.valid() || ::getcwd(current.data(), current.size()) == nullptr)
        return "/" + path;
    const std::string directory = current.data();
    return directory == "/" ? directory + path : directory + "/" + path;
}

std::string FileTree::text(const std::string& path, std::size_t limit) const {
    const auto found = find(path);
    if (!found || found->status.st_size < 0 ||
        static_cast<std::uint64_t>(found->status.st_size) > limit)
        return {};
    const auto fd = open_file(*found);
    return fd ? read_at(fd->get(), 0, limit) : std::string();
}

std::vector<std::string> FileTree::names(const std::string& directory) const {
    std::vector<std::string> result;
    UniqueFd fd = open_path(directory, O_RDONLY | O_DIRECTORY);
    if (!fd.valid())
        return result;
    struct Close {
        void operator()(DIR* stream) const { ::closedir(stream); }
    };
    const std::unique_ptr<DIR, Close> stream(::fdopendir(fd.get()));
    if (stream == nullptr)
        return result;
    static_cast<void>(fd.release()); // the stream's from now on
    while (const dirent* const entry = ::readdir(stream.get()))
        if (const std::string name = entry->d_name; name != "." && name != "..")
            result.push_back(name);
    std::ranges::sort(result);
    return result;
}

std::string FileTree::link(const std::string& path) const {
    const UniqueFd fd = open_path(path, O_PATH | O_NOFOLLOW);
    return fd.valid() ? read_link(fd.get(), "") : std::string();
}

std::string read_at(int fd, std::uint64_t offset, std::size_t size) {
    std::string bytes;
    std::array<char, 16384> buffer{};
    while (bytes.size() < size) {
        if (offset > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max()) - bytes.size())
            return {};
        const std::size_t wanted = std::min(size - bytes.size(), buffer.size());
        const ssize_t got =
            ::pread(fd, buffer.data(), wanted, static_cast<off_t>(offset + bytes.size()));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return {};
        if (got == 0)
            break;
        bytes.append(buffer.data(), static_cast<std::size_t>(got));
    }
    return bytes;
}

} // namespace llexec::program
