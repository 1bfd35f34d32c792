// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "steps.hpp"

#include "catch.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace llexec::vmtest {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr int any_command = -1;

struct Call {
    const char* name;
    std::uint32_t number;
    int command = any_command; ///< of bpf(2)
};

// Those that llexecd makes, and what a C library, libbpf or another way to do it might make of
// them. What only looks, or makes what ends with the process, is no step: to be killed in it is to
// be killed in the next one of these.
constexpr std::array<Call, 31> step_calls{
    {{"BPF_MAP_UPDATE_ELEM", SYS_bpf, BPF_MAP_UPDATE_ELEM},
     {"BPF_MAP_DELETE_ELEM", SYS_bpf, BPF_MAP_DELETE_ELEM},
     {"BPF_MAP_LOOKUP_AND_DELETE_ELEM", SYS_bpf, BPF_MAP_LOOKUP_AND_DELETE_ELEM},
     {"BPF_MAP_UPDATE_BATCH", SYS_bpf, BPF_MAP_UPDATE_BATCH},
     {"BPF_MAP_DELETE_BATCH", SYS_bpf, BPF_MAP_DELETE_BATCH},
     {"BPF_MAP_LOOKUP_AND_DELETE_BATCH", SYS_bpf, BPF_MAP_LOOKUP_AND_DELETE_BATCH},
     {"BPF_MAP_FREEZE", SYS_bpf, BPF_MAP_FREEZE},
     {"BPF_OBJ_PIN", SYS_bpf, BPF_OBJ_PIN},
     {"BPF_PROG_ATTACH", SYS_bpf, BPF_PROG_ATTACH},
     {"BPF_PROG_DETACH", SYS_bpf, BPF_PROG_DETACH},
     {"BPF_RAW_TRACEPOINT_OPEN", SYS_bpf, BPF_RAW_TRACEPOINT_OPEN},
     {"BPF_LINK_CREATE", SYS_bpf, BPF_LINK_CREATE},
     {"BPF_LINK_UPDATE", SYS_bpf, BPF_LINK_UPDATE},
     {"BPF_LINK_DETACH", SYS_bpf, BPF_LINK_DETACH},
     {"mkdir", SYS_mkdir},
     {"mkdirat", SYS_mkdirat},
     {"rmdir", SYS_rmdir},
     {"rename", SYS_rename},
     {"renameat", SYS_renameat},
     {"renameat2", SYS_renameat2},
     {"link", SYS_link},
     {"linkat", SYS_linkat},
     {"symlink", SYS_symlink},
     {"symlinkat", SYS_symlinkat},
     {"unlink", SYS_unlink},
     {"unlinkat", SYS_unlinkat},
     {"fsync", SYS_fsync},
     {"fdatasync", SYS_fdatasync},
     {"landlock_create_ruleset", SYS_landlock_create_ruleset},
     {"landlock_restrict_self", SYS_landlock_restrict_self},
     {"capset", SYS_capset}}};

/// Only by name.
constexpr std::array<Call, 2> other_calls{
    {{"bpf", SYS_bpf}, {"inotify_add_watch", SYS_inotify_add_watch}}};

int install_filter(const std::vector<Call>& calls) {
    // (of an argument the lower half, which comes first in little-endian)
    const sock_filter load_number =
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    const sock_filter load_command =
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args));
    const sock_filter notify = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
    std::vector<sock_filter> code{load_number};
    for (const Call& call : calls) {
        if (call.command == any_command) {
            code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call.number, 0, 1));
            code.push_back(notify);
            continue;
        }
        const auto command = static_cast<std::uint32_t>(call.command);
        code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call.number, 0, 4));
        code.push_back(load_command);
        code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, command, 0, 1));
        code.push_back(notify);
        code.push_back(load_number);
    }
    code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    const sock_fprog program{.len = static_cast<unsigned short>(code.size()),
                             .filter = code.data()};
    return static_cast<int>(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                                      SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
}

/// A message of one byte, and room for one descriptor beside it.
struct Message {
    char byte = 0;
    iovec part{.iov_base = &byte, .iov_len = 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr header{.msg_name = nullptr,
                  .msg_namelen = 0,
                  .msg_iov = &part,
                  .msg_iovlen = 1,
                  .msg_control = control.data(),
                  .msg_controllen = control.size(),
                  .msg_flags = 0};
};

bool send_descriptor(int socket, int fd) {
    Message message;
    cmsghdr* const about = CMSG_FIRSTHDR(&message.header);
    about->cmsg_level = SOL_SOCKET;
    about->cmsg_type = SCM_RIGHTS;
    about->cmsg_len = CMSG_LEN(sizeof(fd));
    std::memcpy(CMSG_DATA(about), &fd, sizeof(fd));
    return ::sendmsg(socket, &message.header, 0) == 1;
}

int receive_descriptor(int socket) {
    Message message;
    int fd = -1;
    if (::recvmsg(socket, &message.header, MSG_CMSG_CLOEXEC) == 1)
        if (const cmsghdr* const about = CMSG_FIRSTHDR(&message.header); about != nullptr)
            std::memcpy(&fd, CMSG_DATA(about), sizeof(fd));
    return fd;
}

std::vector<Call> calls_of(const std::string& only) {
    std::vector<Call> calls(step_calls.begin(), step_calls.end());
    if (only.empty())
        return calls;
    calls.insert(calls.end(), other_calls.begin(), other_calls.end());
    std::erase_if(calls, [&](const Call& call) { return call.name != only; });
    return calls;
}

void let_go(int listener, std::uint64_t id) {
    seccomp_notif_resp answer{
        .id = id, .val = 0, .error = 0, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    // Who was killed meanwhile does not need it.
    ::ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

} // namespace

Steps::Steps(std::string only) : only_(std::move(only)) {
    std::array<int, 2> sockets{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets.data()) == 0);
    here_ = sockets[0];
    there_ = sockets[1];
}

Steps::~Steps() {
    for (const int fd : {here_, there_, listener_})
        ::close(fd);
}

InChild Steps::in_child() const {
    return [socket = there_, calls = calls_of(only_)] {
        const int listener = install_filter(calls);
        if (listener < 0 || !send_descriptor(socket, listener))
            ::_exit(126);
    };
}

void Steps::watch(pid_t pid) {
    pid_ = pid;
    ::close(there_); // so that a child that has failed does not leave us waiting
    there_ = -1;
    listener_ = receive_descriptor(here_);
    REQUIRE(listener_ >= 0);
}

std::optional<std::string> Steps::next() {
    pollfd ready{.fd = listener_, .events = POLLIN, .revents = 0};
    if (::poll(&ready, 1, 20) != 1 || (ready.revents & POLLIN) == 0)
        return std::nullopt;
    seccomp_notif call{};
    if (::ioctl(listener_, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0)
        return std::nullopt; // killed meanwhile
    if (call.pid != static_cast<std::uint32_t>(pid_)) {
        let_go(listener_, call.id);
        return std::nullopt;
    }
    stopped_ = call.id;
    const auto calls = calls_of(only_);
    const auto known = std::ranges::find_if(calls, [&](const Call& one) {
        return one.number == static_cast<std::uint32_t>(call.data.nr) &&
               (one.command == any_command || static_cast<std::uint32_t>(one.command) ==
                                                  static_cast<std::uint32_t>(call.data.args[0]));
    });
    return known != calls.end() ? known->name : "(unknown)";
}

void Steps::go_on() {
    let_go(listener_, stopped_);
}

void Steps::fail(int error) {
    seccomp_notif_resp answer{.id = stopped_, .val = 0, .error = -error, .flags = 0};
    ::ioctl(listener_, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

} // namespace llexec::vmtest
