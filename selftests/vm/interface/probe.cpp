// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// interface_probe ACTION...: does what its arguments say, and prints one number for each of them.
//
//   read PATH   0 or -errno
//   nnp         whether no_new_privs is set
//   euid        effective user ID
//   layers      how many Landlock layers the process has (fills up the others, so it comes last)
//   check PATH  execve with AT_EXECVE_CHECK: 0 or -errno
//   restrict    enforces a ruleset by which no file can be read: 0 or -errno
//   store       stores one by which all files can be read, for its next execution, with
//               no_new_privs: 0 or -errno
//   set-nnp     sets no_new_privs: 0 or -errno
//   profile P   changes to this profile of AppArmor: 0 or -errno
//   open PATH   opens it for what is executed: the descriptor, or -errno
//   fd N        reads a byte from this descriptor: 1, 0 at the end of the file, or -errno
//   exec PATH   executes PATH with the remaining arguments; prints -errno if that fails
#include "llexec/landlock_uapi.hpp"
#include "task.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <string_view>
#include <sys/prctl.h>
#include <unistd.h>

namespace {

constexpr std::uint64_t read_files = 1U << 2; // LANDLOCK_ACCESS_FS_READ_FILE
constexpr std::uint32_t set_no_new_privs = llexec::uapi::restrict_self_no_new_privs;
constexpr std::uint32_t exectime = llexec::uapi::restrict_self_exectime;

int change_profile(const std::string& name) {
    const int fd = ::open("/proc/self/attr/apparmor/current", O_WRONLY | O_CLOEXEC);
    const std::string command = "changeprofile " + name;
    const bool changed = fd >= 0 && ::write(fd, command.data(), command.size()) >= 0;
    const int result = changed ? 0 : -errno;
    ::close(fd);
    return result;
}

int open_inherited(const char* path) {
    const int fd = ::open(path, O_RDONLY);
    return fd >= 0 ? fd : -errno;
}

int read_byte(int fd) {
    char byte = 0;
    const auto size = ::read(fd, &byte, 1);
    return size >= 0 ? static_cast<int>(size) : -errno;
}

int store_exec() {
    const int ruleset = interface::create_ruleset(read_files);
    const int error = interface::add_path_rule(ruleset, read_files, "/");
    return error != 0 ? error : interface::restrict_self(ruleset, exectime | set_no_new_privs);
}

} // namespace

int main(int argc, char** argv) {
    using namespace interface;
    for (int i = 1; i < argc; ++i) {
        const std::string_view action = argv[i];
        int result = -EINVAL;
        if (action == "nnp")
            result = no_new_privs();
        else if (action == "euid")
            result = static_cast<int>(::geteuid());
        else if (action == "layers")
            result = count_layers();
        else if (action == "read" && i + 1 < argc)
            result = read_file(argv[++i]);
        else if (action == "check" && i + 1 < argc)
            result = check_execute(argv[++i]);
        else if (action == "restrict")
            result = restrict_self(create_ruleset(read_files));
        else if (action == "store")
            result = store_exec();
        else if (action == "set-nnp")
            result = ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : -errno;
        else if (action == "profile" && i + 1 < argc)
            result = change_profile(argv[++i]);
        else if (action == "open" && i + 1 < argc)
            result = open_inherited(argv[++i]);
        else if (action == "fd" && i + 1 < argc)
            result = read_byte(std::atoi(argv[++i]));
        else if (action == "exec" && i + 1 < argc) {
            ::execv(argv[i + 1], argv + i + 1);
            ::dprintf(1, "%d\n", -errno);
            return 1;
        }
        ::dprintf(1, "%d\n", result);
    }
    return 0;
}
