// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "kernel/bpf_filesystem.hpp"

#include <cerrno>
#include <cstdint>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>

namespace llexec::kernel {

Result<> check_bpf_filesystem() {
    constexpr const char* mount_point = "/sys/fs/bpf";
    struct statfs filesystem{};
    struct stat root{};
    if (::statfs(mount_point, &filesystem) != 0 || ::stat(mount_point, &root) != 0)
        return system_error(errno, "cannot look at /sys/fs/bpf",
                            "CONFIG_BPF_SYSCALL and sysfs are needed");
    if (static_cast<std::uint64_t>(filesystem.f_type) != BPF_FS_MAGIC)
        return failure(ErrorKind::unsupported, "no BPF filesystem is mounted on /sys/fs/bpf",
                       "mount -t bpf -o mode=700 bpf /sys/fs/bpf");
    // What mount(8) makes without that option.
    if (root.st_uid != 0 || (root.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return failure(ErrorKind::unsupported, "others than root can write to /sys/fs/bpf",
                       "chown root /sys/fs/bpf && chmod 700 /sys/fs/bpf");
    return {};
}

} // namespace llexec::kernel
