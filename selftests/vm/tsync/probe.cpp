// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
//     tsync_probe FD PREFIX A B
//
// Tells on descriptor FD, in lines "PREFIX NAME<TAB>VALUE", what this program may do: the errno
// values of reading A and B (0: none), no_new_privs, and the effective user ID.
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace {

int read_file(const char* path) {
    const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    ::close(fd);
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 5)
        return 200;
    const char* const prefix = argv[2];
    ::dprintf(std::atoi(argv[1]), "%s a\t%d\n%s b\t%d\n%s nnp\t%d\n%s euid\t%d\n", prefix,
              read_file(argv[3]), prefix, read_file(argv[4]), prefix,
              ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), prefix, static_cast<int>(::geteuid()));
    return 0;
}
