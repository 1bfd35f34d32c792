// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Connects to sockets, opens and executes files, from two threads, as it is or confined as llexecd
// is: it reads beneath /etc, writes beneath /run/llexec, and executes what is beside it.
//
//   confined_connect free|confined WORD...
//
// WORD is stream:PATH, dgram:PATH, tcp:PORT, read:PATH, write:PATH or execute:PATH.
#include "confinement.hpp"
#include "llexec/fd.hpp"

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <future>
#include <netinet/in.h>
#include <spawn.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace {

std::string verdict(bool allowed) {
    if (allowed)
        return "allowed";
    return errno == EACCES ? "denied" : std::strerror(errno);
}

std::string answer_tcp(const std::string& port) {
    const llexec::UniqueFd fd(::socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(port.c_str())));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return verdict(
        ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
}

std::string answer_execute(std::string path) {
    char* const arguments[] = {path.data(), nullptr};
    pid_t pid = -1;
    const int error = ::posix_spawn(&pid, path.c_str(), nullptr, nullptr, arguments, environ);
    if (error == 0)
        ::waitpid(pid, nullptr, 0);
    errno = error;
    return verdict(error == 0);
}

std::string answer(std::string_view word) {
    const auto colon = word.find(':');
    const std::string_view path = word.substr(colon + 1);
    const std::string name(path);
    if (word.starts_with("tcp:"))
        return answer_tcp(name);
    if (word.starts_with("execute:"))
        return answer_execute(name);
    if (word.starts_with("read:"))
        return verdict(llexec::UniqueFd(::open(name.c_str(), O_RDONLY | O_CLOEXEC)).valid());
    if (word.starts_with("write:"))
        return verdict(
            llexec::UniqueFd(::open(name.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)).valid());
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    if (path.size() >= sizeof(address.sun_path))
        return "long name";
    path.copy(address.sun_path, path.size());
    const llexec::UniqueFd fd(
        ::socket(AF_UNIX, word.starts_with("dgram:") ? SOCK_DGRAM : SOCK_STREAM, 0));
    return verdict(
        ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
}

void try_all(const char* thread, char** words) {
    for (; *words != nullptr; ++words)
        std::printf("%s %s\t%s\n", thread, *words, answer(*words).c_str());
}

/// Of a path with a slash in it.
std::string directory(const std::string& path) {
    return path.substr(0, path.rfind('/'));
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 3)
        return 2;
    // There before it is confined.
    std::promise<void> ready;
    std::thread other([&] {
        ready.get_future().wait();
        try_all("other", argv + 2);
    });
    bool confined = true;
    if (std::string_view(argv[1]) == "confined") {
        const auto done = llexec::daemon::confine_self({.read = {"/etc"},
                                                        .write = {"/run/llexec"},
                                                        .sockets = llexec::daemon::own_sockets(),
                                                        .programs = directory(argv[0])});
        if (!done)
            std::fprintf(stderr, "%s\n", done.error().message().c_str());
        confined = done.has_value();
    }
    try_all("main", argv + 2);
    ready.set_value();
    other.join();
    return confined ? 0 : 1;
}
