// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Whom llexecd can talk to: the journal and databases of users, and nobody who does things for it.
#include "catch.hpp"
#include "policies.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

using namespace llexec::vmtest;

namespace {

/// A socket that somebody listens at, in directories of its own where those are missing.
class Listener {
  public:
    explicit Listener(const std::string& word)
        : path_(word.substr(word.find(':') + 1)),
          fd_(::socket(AF_UNIX, word.starts_with("dgram:") ? SOCK_DGRAM : SOCK_STREAM, 0)) {
        for (fs::path directory = path_.parent_path(); !fs::exists(directory);
             directory = directory.parent_path())
            made_ = directory;
        fs::create_directories(path_.parent_path());
        sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
        path_.native().copy(address.sun_path, sizeof(address.sun_path) - 1);
        REQUIRE(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
        if (word.starts_with("stream:"))
            REQUIRE(::listen(fd_, 16) == 0);
    }
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    ~Listener() {
        ::close(fd_);
        std::error_code ignored;
        fs::remove(path_, ignored);
        if (!made_.empty())
            fs::remove_all(made_, ignored);
    }

  private:
    fs::path path_;
    fs::path made_;
    int fd_;
};

fs::path confined_connect() {
    return fs::read_symlink("/proc/self/exe").parent_path() / "confined_connect";
}

/// Somebody who listens at a port of this machine.
class Port {
  public:
    Port() : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
        REQUIRE(::listen(fd_, 16) == 0);
        socklen_t size = sizeof(address);
        REQUIRE(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
        number = ntohs(address.sin_port);
    }
    Port(const Port&) = delete;
    Port& operator=(const Port&) = delete;
    ~Port() { ::close(fd_); }

    int number = 0;

  private:
    int fd_;
};

} // namespace

TEST_CASE("llexecd has no files, programs and networks but its own") {
    const World world(ext4());
    fs::create_directories("/run/llexec");
    const Port port;
    const Arguments granted{"read:/etc/passwd", "read:/run/llexec", "write:/run/llexec/test-file"};
    const Arguments others{world.read_open, "write:" + (world.open / "file").string(),
                           "write:/etc/llexec-test-file", "execute:" + world.program.string(),
                           "tcp:" + std::to_string(port.number)};
    for (const std::string how : {"free", "confined"}) {
        Arguments arguments{confined_connect(), how};
        arguments.insert(arguments.end(), granted.begin(), granted.end());
        arguments.insert(arguments.end(), others.begin(), others.end());
        const Ended ended = run(arguments);
        CAPTURE(ended.out, ended.err);
        CHECK(ended.code() == 0);
        for (const std::string thread : {"main ", "other "}) {
            for (const std::string& word : granted)
                CHECK(ended[thread + word] == "allowed");
            for (const std::string& word : others)
                CHECK(ended[thread + word] == (how == "free" ? "allowed" : "denied"));
        }
    }
    fs::remove("/run/llexec/test-file");
    fs::remove("/etc/llexec-test-file");
}

TEST_CASE("llexecd reaches the journal and databases of users, and no other sockets of /run") {
    const Arguments granted{
        "dgram:/run/systemd/journal/socket", "stream:/run/systemd/userdb/io.systemd.Multiplexer",
        "stream:/run/nscd/socket",           "stream:/run/nslcd/socket",
        "stream:/run/samba/winbindd/pipe",   "stream:/var/lib/sss/pipes/nss",
    };
    const Arguments others{
        "stream:/run/systemd/private",
        "stream:/run/dbus/system_bus_socket",
        "stream:/run/systemd/io.systemd.ManagedOOM",
        "dgram:/run/systemd/notify",
        "stream:/run/other",
        "stream:/var/lib/sss/other",
    };
    std::vector<std::unique_ptr<Listener>> listeners;
    Arguments words;
    for (const Arguments* const some : {&granted, &others})
        for (const std::string& word : *some) {
            listeners.push_back(std::make_unique<Listener>(word));
            words.push_back(word);
        }
    const auto connect = [&](const std::string& how) {
        Arguments arguments{confined_connect(), how};
        arguments.insert(arguments.end(), words.begin(), words.end());
        return run(arguments);
    };
    const Ended free = connect("free");
    const Ended confined = connect("confined");
    CAPTURE(confined.err);
    CHECK(confined.code() == 0);
    // Threads that were there before, too.
    for (const std::string thread : {"main ", "other "}) {
        for (const std::string& word : words) {
            CAPTURE(thread, word);
            CHECK(free[thread + word] == "allowed");
        }
        for (const std::string& word : granted) {
            CAPTURE(thread, word);
            CHECK(confined[thread + word] == "allowed");
        }
        for (const std::string& word : others) {
            CAPTURE(thread, word);
            CHECK(confined[thread + word] == "denied");
        }
    }
}
