// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What a confined program cannot do, what it can, and that it could do all of it before.
#include "catch.hpp"
#include "policies.hpp"

#include <csignal>
#include <fcntl.h>
#include <liburing.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

using namespace llexec::vmtest;

namespace {

std::string words_of(const Arguments& words) {
    std::string text;
    for (const std::string& word : words)
        text += word + " ";
    return text;
}

/// What a program is asked to do in `directory`; `here` is what was placed there for it.
Arguments file_words(const fs::path& directory) {
    const std::string at = directory.string() + "/";
    return {"read:" + at + "file",        "write:" + at + "file",
            "truncate:" + at + "file",    "list:" + at,
            "exec:" + at + "noop",        "create:" + at + "new",
            "mkdir:" + at + "made",       "symlink:" + at + "sym",
            "fifo:" + at + "pipe",        "mknod-char:" + at + "dev",
            "unix-bind:" + at + "socket", "unlink:" + at + "doomed",
            "rmdir:" + at + "doomed.d"};
}

/// The directory as file_words() need it, whatever they left there.
void prepare(const fs::path& directory) {
    for (const char* const name : {"new", "made", "sym", "pipe", "dev", "socket"})
        fs::remove(directory / name);
    write_file(directory / "file", "content\n");
    write_file(directory / "doomed", "");
    fs::create_directories(directory / "doomed.d");
    if (!fs::exists(directory / "noop"))
        place_program(directory / "noop");
}

void check_all(const fs::path& program, const Arguments& words, const std::string& expected) {
    Arguments arguments{program};
    arguments.insert(arguments.end(), words.begin(), words.end());
    const Ended ended = run(arguments);
    CAPTURE(words_of(words), ended.out, ended.err, ended.status);
    for (const std::string& word : words) {
        CAPTURE(word);
        CHECK(ended[word] == expected);
    }
}

/// The same words are allowed without a policy, and denied with it.
void check_denied(const World& world, const PolicySet& policies, const std::string& point,
                  const Arguments& words) {
    check_all(world.program, words, "allowed");
    load(policies, point);
    check_all(world.program, words, "denied");
}

class Confined {
  public:
    Confined() : point(GENERATE(committing, staged)), world(ext4()) {}

    [[nodiscard]] std::string ports(const std::string& rights, const std::string& rules) const {
        return match_exe(world.program) + "[[ruleset]]\nhandled_access_net = [" + rights + "]\n" +
               rules;
    }

    std::string point;
    World world;
};

/// A listening or bound socket of this process.
class Server {
  public:
    Server(int type, std::string name) : name_(std::move(name)), fd_(::socket(AF_UNIX, type, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        name_.copy(address.sun_path, name_.size());
        const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size() +
                                                   (name_.starts_with('\0') ? 0 : 1));
        REQUIRE(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), length) == 0);
        if (type == SOCK_STREAM)
            REQUIRE(::listen(fd_, 100) == 0);
    }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    ~Server() { ::close(fd_); }

  private:
    std::string name_;
    int fd_;
};

} // namespace

TEST_CASE("a confined program cannot use files that it was not granted") {
    const auto point = GENERATE(committing, staged);
    const Worlds worlds;
    for (const auto& world : worlds) {
        CAPTURE(point, world->file_system.name);
        prepare(world->closed);
        check_all(world->program, file_words(world->closed), "allowed");
        prepare(world->closed);
        prepare(world->open);
    }
    load(worlds.policies(), point);
    for (const auto& world : worlds) {
        CAPTURE(point, world->file_system.name);
        check_all(world->program, file_words(world->closed), "denied");
        check_all(world->program, file_words(world->open), "allowed");
    }
}

TEST_CASE("a confined program cannot move files into or out of what it was granted") {
    const auto point = GENERATE(committing, staged);
    const Worlds worlds;
    const auto words_of_world = [](const World& world) {
        const std::string open = world.open.string() + "/";
        const std::string closed = world.closed.string() + "/";
        return Arguments{"rename:" + open + "a:" + closed + "x",
                         "rename:" + closed + "b:" + open + "y",
                         "link:" + open + "c:" + closed + "z"};
    };
    const auto place_files = [](const World& world) {
        for (const char* const name : {"x", "y", "z"})
            for (const fs::path& directory : {world.open, world.closed})
                fs::remove(directory / name);
        for (const char* const name : {"a", "b", "c", "d"})
            for (const fs::path& directory : {world.open, world.closed})
                write_file(directory / name, "");
    };
    for (const auto& world : worlds) {
        CAPTURE(point, world->file_system.name);
        place_files(*world);
        check_all(world->program, words_of_world(*world), "allowed");
        place_files(*world);
        fs::create_directory(world->open / "sub");
    }
    load(worlds.policies(), point);
    for (const auto& world : worlds) {
        CAPTURE(point, world->file_system.name);
        // EACCES, since rights to make and to remove files lack as well.
        check_all(world->program, words_of_world(*world), "errno 13");
        const std::string open = world->open.string() + "/";
        check_all(
            world->program,
            {"rename:" + open + "a:" + open + "sub/a", "link:" + open + "b:" + open + "sub/b"},
            "allowed");
    }
}

TEST_CASE("a confined program cannot reparent files without the right to") {
    const auto point = GENERATE(committing, staged);
    const Worlds worlds;
    PolicySet set;
    const auto words_of_world = [](const World& world, const std::string& number) {
        const std::string open = world.open.string() + "/";
        return Arguments{"rename:" + open + "a" + number + ":" + open + "sub/a" + number,
                         "link:" + open + "b" + number + ":" + open + "sub/b" + number};
    };
    for (const auto& world : worlds) {
        CAPTURE(point, world->file_system.name);
        fs::create_directory(world->open / "sub");
        for (const char* const name : {"a1", "b1", "a2", "b2"})
            write_file(world->open / name, "");
        check_all(world->program, words_of_world(*world, "1"), "allowed");
        // Everything but "refer".
        set[world->file_system.name] =
            match_exe(world->program) +
            "[[ruleset]]\nhandled_access_fs = [\"execute\", \"refer\"]\n"
            "[[path_beneath]]\nallowed_access = [\"execute\"]\nparent = [\"/\"]\n";
    }
    load(set, point);
    for (const auto& world : worlds) {
        CAPTURE(point, world->file_system.name);
        const std::string open = world->open.string() + "/";
        check_all(world->program, words_of_world(*world, "2"), "denied"); // EXDEV
        check_all(world->program, {"rename:" + open + "a2:" + open + "a3", world->read_closed},
                  "allowed");
    }
}

TEST_CASE_METHOD(Confined, "a confined program cannot control devices that it was not granted") {
    CAPTURE(point);
    const auto policy = [&](const std::string& device) {
        return match_exe(world.program) + "[[ruleset]]\nhandled_access_fs = [\"ioctl_dev\"]\n" +
               "[[path_beneath]]\nallowed_access = [\"ioctl_dev\"]\nparent = [\"" + device +
               "\"]\n";
    };
    check_denied(world, {{"p", policy("/dev/null")}}, point, {"ioctl:/dev/zero"});
    check_all(world.program, {"ioctl:/dev/null", "read:/dev/zero"}, "allowed");
}

TEST_CASE_METHOD(Confined, "a confined program cannot bind or connect TCP ports") {
    CAPTURE(point);
    const std::string rules = "[[net_port]]\nallowed_access = [\"bind_tcp\"]\nport = [4001]\n"
                              "[[net_port]]\nallowed_access = [\"connect_tcp\"]\nport = [4002]\n";
    // Nobody listens: ECONNREFUSED is as far as an allowed one gets.
    const Arguments words{"tcp-bind:4001", "tcp-bind:4002", "tcp-connect:4001", "tcp-connect:4002"};
    const auto look = [&] {
        Arguments arguments{world.program};
        arguments.insert(arguments.end(), words.begin(), words.end());
        return run(arguments);
    };
    const std::string refused = "errno 111";
    Ended ended = look();
    CHECK(ended["tcp-bind:4002"] == "allowed");
    CHECK(ended["tcp-connect:4001"] == refused);
    load({{"p", ports("\"abi.all\"", rules)}}, point);
    ended = look();
    CAPTURE(ended.out);
    CHECK(ended["tcp-bind:4001"] == "allowed");
    CHECK(ended["tcp-bind:4002"] == "denied");
    CHECK(ended["tcp-connect:4001"] == "denied");
    CHECK(ended["tcp-connect:4002"] == refused);
    // TCP is not UDP.
    check_all(world.program, {"udp-bind:4002", "udp-send:4001"}, "allowed");
}

TEST_CASE_METHOD(Confined, "a confined program cannot bind, connect or send to UDP ports") {
    CAPTURE(point);
    const std::string rules =
        "[[net_port]]\nallowed_access = [\"bind_udp\"]\nport = [0, 4001]\n"
        "[[net_port]]\nallowed_access = [\"connect_send_udp\"]\nport = [4002]\n";
    check_denied(world, {{"p", ports("\"bind_udp\", \"connect_send_udp\"", rules)}}, point,
                 {"udp-bind:4002", "udp-connect:4001", "udp-send:4001"});
    check_all(world.program,
              {"udp-bind:4001", "udp-connect:4002", "udp-send:4002", "tcp-bind:4002"}, "allowed");
}

TEST_CASE_METHOD(Confined, "a confined program cannot reach Unix sockets outside") {
    CAPTURE(point);
    const std::string path = (world.closed / "stream").string();
    const std::string dgram = (world.closed / "dgram").string();
    const std::string granted = (world.open / "stream").string();
    const Server closed_stream(SOCK_STREAM, path);
    const Server closed_dgram(SOCK_DGRAM, dgram);
    const Server open_stream(SOCK_STREAM, granted);
    const Server abstract(SOCK_STREAM, std::string(1, '\0') + "llexec-test");
    std::string policy = world.policy();
    policy.replace(policy.find("[[ruleset]]\n"), 12,
                   "[[ruleset]]\nscoped = [\"abstract_unix_socket\"]\n");
    check_denied(
        world, {{"p", policy}}, point,
        {"unix-connect:" + path, "unix-send:" + dgram + ":dgram", "abstract-connect:llexec-test"});
    check_all(world.program, {"unix-connect:" + granted}, "allowed");
}

TEST_CASE_METHOD(Confined, "a confined program can use the files that it inherits open") {
    CAPTURE(point);
    load({{"p", world.policy()}}, point);
    constexpr int inherited = 9;
    const fs::path file = world.closed / "file";
    const Ended ended = run({world.program, "read-fd:9", world.read_closed},
                            [&] { ::dup2(::open(file.c_str(), O_RDONLY | O_CLOEXEC), inherited); });
    CAPTURE(ended.out, ended.err);
    CHECK(ended["read-fd:9"] == "allowed");
    CHECK(ended[world.read_closed] == "denied");
}

TEST_CASE_METHOD(Confined, "a confined program can use credentials that an io_uring brings along") {
    CAPTURE(point);
    // Run in the caller. As the probe expects it: the instance is 10, its parameters are in 11.
    const auto leave_ring = [] {
        io_uring_params parameters{};
        io_uring ring{};
        const int file = ::memfd_create("parameters", MFD_CLOEXEC);
        if (::io_uring_queue_init_params(4, &ring, &parameters) != 0 ||
            ::io_uring_register_personality(&ring) != 1 || ::dup2(ring.ring_fd, 10) != 10 ||
            ::write(file, &parameters, sizeof(parameters)) !=
                static_cast<ssize_t>(sizeof(parameters)) ||
            ::dup2(file, 11) != 11)
            ::_exit(126);
    };
    const std::string path = (world.closed / "file").string();
    const std::string own = "read-uring:0:" + path;
    const std::string brought = "read-uring:1:" + path;
    unload();
    Ended ended = run({world.program, own, brought, world.read_closed}, leave_ring);
    CAPTURE(ended.out, ended.err, ended.status);
    for (const std::string& word : {own, brought, world.read_closed})
        CHECK(ended[word] == "allowed");
    load({{"p", world.policy()}}, point);
    ended = run({world.program, own, brought, world.read_closed}, leave_ring);
    CAPTURE(ended.out, ended.err, ended.status);
    CHECK(ended[own] == "denied");
    CHECK(ended[brought] == "allowed");
    CHECK(ended[world.read_closed] == "denied");
}

TEST_CASE_METHOD(Confined, "a confined program cannot signal or trace what is outside") {
    CAPTURE(point);
    const Process outside({"sleep", "100"});
    const std::string pid = std::to_string(outside.pid());
    const std::string signal = "[[ruleset]]\nscoped = [\"signal\"]\n";
    check_denied(world, {{"p", match_exe(world.program) + signal}}, point,
                 {"signal:" + pid, "ptrace:" + pid});
    // Any domain keeps its programs from tracing what is outside, but not from what is not handled.
    load({{"p", world.policy()}}, point);
    check_all(world.program, {"ptrace:" + pid}, "denied");
    check_all(world.program, {"signal:" + pid}, "allowed");
}

TEST_CASE_METHOD(Confined, "a confined program goes on to trace what its caller traced") {
    CAPTURE(point);
    const Process outside({"sleep", "100"});
    const Process other({"sleep", "100"});
    const std::string pid = std::to_string(outside.pid());
    const std::string other_pid = std::to_string(other.pid());
    load({{"p", world.policy()}}, point);
    const Ended ended =
        run({world.program, "traced:" + pid, "traced:" + other_pid, "ptrace:" + other_pid},
            [&] { ::ptrace(PTRACE_SEIZE, outside.pid(), nullptr, nullptr); });
    CAPTURE(ended.out, ended.err);
    CHECK(ended["traced:" + pid] == "allowed");
    CHECK(ended["traced:" + other_pid] == "denied");
    CHECK(ended["ptrace:" + other_pid] == "denied");
}

TEST_CASE_METHOD(Confined, "whoever is outside can signal and trace a confined program") {
    CAPTURE(point);
    load({{"p", world.policy()}}, point);
    const Process confined({world.program, "sleep:100"});
    REQUIRE(eventually([&] {
        return fs::read_symlink("/proc/" + std::to_string(confined.pid()) + "/exe") ==
               world.program;
    }));
    const std::string pid = std::to_string(confined.pid());
    check_all(launcher(), {"signal:" + pid, "ptrace:" + pid}, "allowed");
}

// Not by what its policy grants, but by what the caller holds open, this may give it more.
TEST_CASE_METHOD(Confined, "a program can trace its caller if the same policy confines it") {
    CAPTURE(point);
    load({{"p", match_exe(world.program) + only(world.open) +
                    "[[path_beneath]]\nallowed_access = [\"abi.read_execute\"]\nparent = [\"" +
                    world.program.parent_path().string() + "\"]\n"}},
         point);
    const auto traces_its_caller = [&](const fs::path& caller) {
        return run({caller, "via-repeat:1", "--", world.program, "ptrace:parent"})["ptrace:parent"];
    };
    CHECK(traces_its_caller(world.program) == "allowed");
    CHECK(traces_its_caller(launcher()) == "denied");
}

TEST_CASE_METHOD(Confined, "what a confined program starts is confined as well") {
    CAPTURE(point);
    const fs::path tool = world.open / "tool";
    place_program(tool);
    const std::string read_execute =
        "[[path_beneath]]\nallowed_access = [\"abi.read_execute\"]\nparent = [\"/usr\", \"/lib\", "
        "\"/lib64\", \"/bin\", \"/etc\"]\n";
    load({{"p", world.policy() + read_execute}}, point);
    CHECK(world.unconfined(run(world.look(tool))));
    const std::string line =
        tool.string() + " " + world.read_open + " " + world.read_closed + "; exit $?";
    const Ended ended = run({world.program, "--", "/bin/sh", "-c", line});
    CAPTURE(ended.out, ended.err);
    CHECK(world.confined(ended));
    const Ended child = run({world.program, "via-repeat:2", "--", tool, world.read_closed});
    CAPTURE(child.out);
    CHECK(child["exec"] == "allowed 0, denied 2, other 0, refused 0, killed 0");
}
