// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "cgroups.hpp"

#include "llexec/fd.hpp"

#include <fmt/format.h>

#include <array>
#include <climits>
#include <cstddef>
#include <cstring>
#include <fcntl.h>
#include <string_view>
#include <unistd.h>

namespace llexec::daemon {
namespace {

constexpr const char* mount_point = "/sys/fs/cgroup";
constexpr int fileid_kernfs = 0xfe; // include/linux/exportfs.h: the handle is the ID

} // namespace

std::string cgroup_path(std::uint64_t id) {
    const UniqueFd root(::open(mount_point, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    alignas(file_handle) std::array<std::byte, sizeof(file_handle) + sizeof(id)> storage{};
    auto* const handle = reinterpret_cast<file_handle*>(storage.data()); // NOLINT
    handle->handle_bytes = sizeof(id);
    handle->handle_type = fileid_kernfs;
    std::memcpy(handle->f_handle, &id, sizeof(id));
    const UniqueFd cgroup(::open_by_handle_at(root.get(), handle, O_PATH | O_CLOEXEC));
    if (!cgroup.valid())
        return {};
    std::string path(PATH_MAX, '\0');
    const ssize_t size =
        ::readlink(fmt::format("/proc/self/fd/{}", cgroup.get()).c_str(), path.data(), path.size());
    path.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    if (path == mount_point)
        return "/";
    return path.starts_with(mount_point) ? path.substr(std::string_view(mount_point).size()) : "";
}

} // namespace llexec::daemon
