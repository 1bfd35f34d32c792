// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Whom llexecd can talk to: the journal and databases of users, and nobody who does things for it.
#include "catch.hpp"
#include "policies.hpp"

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

} // namespace

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
        Arguments arguments{fs::read_symlink("/proc/self/exe").parent_path() / "confined_connect",
                            how};
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
