// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// In the place of the self-test's program: what it does is in a file beside it, of the same name
// and ".how". "fail": says that it is not confined. "hang": says nothing. Otherwise it does what
// the program does.
#include <cerrno>
#include <csignal>
#include <fstream>
#include <string>
#include <unistd.h>

int main(int, char** argv) {
    std::string how;
    std::ifstream(std::string(argv[0]) + ".how") >> how;
    if (how == "fail")
        return 1;
    while (how == "hang")
        ::pause();
    return ::kill(::getppid(), 0) != 0 && errno == EPERM ? 0 : 1;
}
