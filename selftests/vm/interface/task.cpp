// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "task.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace interface {
namespace {

constexpr std::uint64_t fs_make_sock = 1U << 9;
constexpr int execve_check = 0x10000; // AT_EXECVE_CHECK, Linux 6.14

int checked(long value) {
    return value < 0 ? -errno : static_cast<int>(value);
}

} // namespace

int create_ruleset(std::uint64_t handled_access_fs) {
    return checked(
        ::syscall(SYS_landlock_create_ruleset, &handled_access_fs, sizeof(handled_access_fs), 0));
}

int add_path_rule(int ruleset, std::uint64_t access, const char* path) {
    struct [[gnu::packed]] {
        std::uint64_t allowed_access;
        std::int32_t parent_fd;
    } attr{access, ::open(path, O_PATH | O_CLOEXEC)};
    if (attr.parent_fd < 0)
        return -errno;
    const int result = checked(::syscall(SYS_landlock_add_rule, ruleset, 1, &attr, 0));
    ::close(attr.parent_fd);
    return result;
}

int restrict_self(int ruleset, std::uint32_t flags) {
    return checked(::syscall(SYS_landlock_restrict_self, ruleset, flags));
}

int stack_layers(int count) {
    const int ruleset = create_ruleset(fs_make_sock);
    if (ruleset < 0)
        return ruleset;
    int result = 0;
    for (int i = 0; i < count && result == 0; ++i)
        result = restrict_self(ruleset);
    ::close(ruleset);
    return result;
}

int count_layers() {
    int added = 0;
    while (added < max_layers && stack_layers(1) == 0)
        ++added;
    return max_layers - added;
}

int read_file(const char* path) {
    const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ::close(fd);
    return 0;
}

int no_new_privs() {
    return checked(::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
}

int execute(const char* path) {
    ::execl(path, path, nullptr);
    return -errno;
}

int check_execute(const char* path) {
    const char* const argv[] = {path, nullptr};
    const char* const envp[] = {nullptr};
    return checked(::syscall(SYS_execveat, AT_FDCWD, path, argv, envp, execve_check));
}

} // namespace interface
