// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What llexecd executes to see whether executions are confined. Exits with 0 if it may not send its
// parent a signal, and with 1 if it may. Static: it needs nothing that a policy could keep from it.
#include <cerrno>
#include <csignal>
#include <unistd.h>

int main() {
    return ::kill(::getppid(), 0) != 0 && errno == EPERM ? 0 : 1;
}
