// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Accesses that Landlock can deny.
#include "probe.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace probe {

Answer judge(long result, int denial) {
    if (result >= 0)
        return {.exit = allowed, .text = "allowed"};
    if (errno == denial)
        return {.exit = denied, .text = "denied"};
    return {.exit = failed, .text = "errno " + std::to_string(errno)};
}

namespace {

Answer network(const Word& word) {
    const bool tcp = word.kind.starts_with("tcp");
    const int type = tcp ? SOCK_STREAM : SOCK_DGRAM;
    const int fd = ::socket(AF_INET, type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return {.exit = not_tried, .text = "no socket"};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<in_port_t>(number(word.first)));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    if (word.kind.ends_with("bind"))
        return judge(::bind(fd, generic, sizeof(address)), EACCES);
    if (word.kind.ends_with("send"))
        return judge(::sendto(fd, "x", 1, 0, generic, sizeof(address)), EACCES);
    return judge(::connect(fd, generic, sizeof(address)), EACCES);
}

Answer execution(const std::string& path) {
    const pid_t child = ::fork();
    if (child == 0) {
        char name[] = "noop";
        char* arguments[] = {name, nullptr};
        char* environment[] = {nullptr};
        ::execve(path.c_str(), arguments, environment);
        ::_exit(errno);
    }
    int status = 0;
    if (child < 0 || ::waitpid(child, &status, 0) != child)
        return {.exit = not_tried, .text = "no child"};
    if (!WIFEXITED(status))
        return {.exit = failed, .text = "signal " + std::to_string(WTERMSIG(status))};
    errno = WEXITSTATUS(status);
    return judge(errno == 0 ? 0 : -1, EACCES);
}

Answer device(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return {.exit = not_tried, .text = "open: errno " + std::to_string(errno)};
    int dummy = 0;
    // No device knows this one, but those which are not restricted say so with ENOTTY or EINVAL.
    if (::ioctl(fd, 0x1234, &dummy) == 0 || errno == ENOTTY || errno == EINVAL)
        return {.exit = allowed, .text = "allowed"};
    return judge(-1, EACCES);
}

Answer trace(pid_t pid) {
    const Answer result = judge(::ptrace(PTRACE_ATTACH, pid, nullptr, nullptr), EPERM);
    if (result.exit == allowed) {
        ::waitpid(pid, nullptr, __WALL);
        ::ptrace(PTRACE_DETACH, pid, nullptr, nullptr);
    }
    return result;
}

std::optional<Answer> make(const Word& word) {
    const char* const path = word.first.c_str();
    if (word.kind == "create")
        return judge(::open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644), EACCES);
    if (word.kind == "mkdir")
        return judge(::mkdir(path, 0755), EACCES);
    if (word.kind == "symlink")
        return judge(::symlink("target", path), EACCES);
    if (word.kind == "fifo")
        return judge(::mkfifo(path, 0644), EACCES);
    if (word.kind == "mknod-char")
        return judge(::mknod(path, S_IFCHR | 0600, makedev(1, 3)), EACCES);
    if (word.kind == "unlink")
        return judge(::unlink(path), EACCES);
    if (word.kind == "rmdir")
        return judge(::rmdir(path), EACCES);
    return std::nullopt;
}

} // namespace

std::optional<Answer> try_access(const Word& word) {
    const char* const path = word.first.c_str();
    if (word.kind == "read")
        return judge(::open(path, O_RDONLY | O_CLOEXEC), EACCES);
    if (word.kind == "write")
        return judge(::open(path, O_WRONLY | O_CLOEXEC), EACCES);
    if (word.kind == "list")
        return judge(::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), EACCES);
    if (word.kind == "truncate")
        return judge(::truncate(path, 0), EACCES);
    if (word.kind == "read-fd") {
        char byte = 0;
        return judge(::pread(number(word.first), &byte, 1, 0), EACCES);
    }
    if (word.kind == "rename")
        return judge(::rename(path, word.second.c_str()), EXDEV);
    if (word.kind == "link")
        return judge(::link(path, word.second.c_str()), EXDEV);
    if (word.kind == "exec")
        return execution(word.first);
    if (word.kind == "ioctl")
        return device(word.first);
    if (word.kind.starts_with("tcp-") || word.kind.starts_with("udp-"))
        return network(word);
    if (word.kind == "signal")
        return judge(::kill(number(word.first), 0), EPERM);
    if (word.kind == "traced")
        return judge(::ptrace(PTRACE_INTERRUPT, number(word.first), nullptr, nullptr), ESRCH);
    if (word.kind == "ptrace")
        return trace(word.first == "parent" ? ::getppid() : number(word.first));
    return make(word);
}

std::optional<Answer> try_unix_socket(const Word& word) {
    const bool abstract = word.kind.starts_with("abstract-");
    if (!abstract && !word.kind.starts_with("unix-"))
        return std::nullopt;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (word.first.size() + 2 > sizeof(address.sun_path))
        return Answer{.exit = not_tried, .text = "long name"};
    // A leading NUL byte makes it abstract.
    word.first.copy(address.sun_path + (abstract ? 1 : 0), word.first.size());
    const auto length =
        static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + word.first.size());
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    const int type = word.second == "dgram" ? SOCK_DGRAM : SOCK_STREAM;
    const int fd = ::socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    const int denial = abstract ? EPERM : EACCES;
    if (fd < 0)
        return Answer{.exit = not_tried, .text = "no socket"};
    if (word.kind.ends_with("bind"))
        return judge(::bind(fd, generic, length), denial);
    if (word.kind.ends_with("send"))
        return judge(::sendto(fd, "x", 1, 0, generic, length), denial);
    return judge(::connect(fd, generic, length), denial);
}

} // namespace probe
