// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Connects to Unix sockets, from two threads, as it is or confined as llexecd is.
//
//   confined_connect free|confined stream:PATH|dgram:PATH...
#include "confinement.hpp"
#include "llexec/fd.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <future>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>

namespace {

std::string answer(std::string_view word) {
    const auto colon = word.find(':');
    const std::string_view path = word.substr(colon + 1);
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    if (path.size() >= sizeof(address.sun_path))
        return "long name";
    path.copy(address.sun_path, path.size());
    const llexec::UniqueFd fd(
        ::socket(AF_UNIX, word.starts_with("dgram:") ? SOCK_DGRAM : SOCK_STREAM, 0));
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0)
        return "allowed";
    return errno == EACCES ? "denied" : std::strerror(errno);
}

void try_all(const char* thread, char** words) {
    for (; *words != nullptr; ++words)
        std::printf("%s %s\t%s\n", thread, *words, answer(*words).c_str());
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
        const auto done = llexec::daemon::confine_self({.read = {},
                                                        .write = {},
                                                        .sockets = llexec::daemon::own_sockets(),
                                                        .program = argv[0]});
        if (!done)
            std::fprintf(stderr, "%s\n", done.error().message().c_str());
        confined = done.has_value();
    }
    try_all("main", argv + 2);
    ready.set_value();
    other.join();
    return confined ? 0 : 1;
}
