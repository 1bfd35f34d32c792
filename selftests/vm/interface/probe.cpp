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
//   exec PATH   executes PATH with the remaining arguments; prints -errno if that fails
#include "task.hpp"

#include <cerrno>
#include <cstdio>
#include <string_view>
#include <unistd.h>

namespace {
constexpr std::uint64_t read_files = 1U << 2; // LANDLOCK_ACCESS_FS_READ_FILE
}

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
        else if (action == "exec" && i + 1 < argc) {
            ::execv(argv[i + 1], argv + i + 1);
            ::dprintf(1, "%d\n", -errno);
            return 1;
        }
        ::dprintf(1, "%d\n", result);
    }
    return 0;
}
