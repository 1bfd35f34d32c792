// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Tries one access and says how it ended.
//
//   host-probe ACCESS ARGUMENT
//
// Exit code: 0 allowed, 1 denied as Landlock denies it, 2 could not be tried, 3 failed in another
// way.

#include <arpa/inet.h>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace {

enum Outcome { allowed = 0, denied = 1, not_tried = 2, failed = 3 };

/// `denial` is the errno value with which Landlock refuses this kind of access.
Outcome outcome(long result, int denial) {
    if (result >= 0)
        return allowed;
    const int code = errno;
    std::fprintf(stderr, "host-probe: %s\n", std::strerror(code));
    return code == denial ? denied : failed;
}

Outcome tcp(std::string_view access, const char* port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return not_tried;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<in_port_t>(std::atoi(port)));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    if (access == "bind-tcp")
        return outcome(::bind(fd, generic, sizeof(address)), EACCES);
    return outcome(::connect(fd, generic, sizeof(address)), EACCES);
}

Outcome abstract_unix(std::string_view name) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return not_tried;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (name.size() >= sizeof(address.sun_path))
        return not_tried;
    name.copy(address.sun_path + 1, name.size()); // a leading NUL byte makes it abstract
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    return outcome(::connect(fd, reinterpret_cast<const sockaddr*>(&address), length), EPERM);
}

Outcome try_access(std::string_view access, const char* argument) {
    if (access == "read")
        return outcome(::open(argument, O_RDONLY | O_CLOEXEC), EACCES);
    if (access == "write")
        return outcome(::open(argument, O_WRONLY | O_CLOEXEC), EACCES);
    if (access == "create")
        return outcome(::open(argument, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), EACCES);
    if (access == "truncate")
        return outcome(::truncate(argument, 0), EACCES);
    if (access == "list")
        return outcome(::open(argument, O_RDONLY | O_DIRECTORY | O_CLOEXEC), EACCES);
    if (access == "bind-tcp" || access == "connect-tcp")
        return tcp(access, argument);
    if (access == "abstract-unix")
        return abstract_unix(argument);
    if (access == "signal")
        return outcome(::kill(static_cast<pid_t>(std::atoi(argument)), 0), EPERM);
    if (access == "read-fd") {
        char byte = 0;
        return outcome(::read(std::atoi(argument), &byte, 1), EACCES);
    }
    return not_tried;
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 3)
        return not_tried;
    return try_access(argv[1], argv[2]);
}
