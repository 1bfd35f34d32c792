// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "slow_link.hpp"

#include "catch.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <utility>

namespace llexec::vmtest {

SlowLink::SlowLink(const fs::path& directory, const fs::path& target)
    : directory_(directory), target_(target), fuse_(::open("/dev/fuse", O_RDWR | O_CLOEXEC)) {
    REQUIRE(fuse_ >= 0);
    fs::create_directories(directory);
    const std::string options =
        "fd=" + std::to_string(fuse_) + ",rootmode=40755,user_id=0,group_id=0,allow_other";
    REQUIRE(::mount("slow", directory.c_str(), "fuse", MS_NODEV, options.c_str()) == 0);
    REQUIRE(next_is(FUSE_INIT));
    fuse_init_out init{};
    init.major = FUSE_KERNEL_VERSION;
    init.minor = FUSE_KERNEL_MINOR_VERSION;
    init.max_write = 4096;
    REQUIRE(reply(&init, sizeof(init)));
}

SlowLink::~SlowLink() {
    ::umount2(directory_.c_str(), MNT_DETACH);
    server_ = {};
    ::close(fuse_);
}

bool SlowLink::is_looked_up() {
    return next_is(FUSE_LOOKUP);
}

bool SlowLink::answer() {
    fuse_entry_out entry{};
    entry.nodeid = 2;
    entry.attr.ino = 2;
    entry.attr.mode = S_IFLNK | 0777;
    entry.attr.nlink = 1;
    return reply(&entry, sizeof(entry)) && next_is(FUSE_READLINK) &&
           reply(target_.data(), target_.size());
}

void SlowLink::refuse_all(int error) {
    serve([this, error](std::uint32_t opcode) {
        if (opcode != FUSE_GETATTR)
            return send(error, nullptr, 0);
        fuse_attr_out root{};
        root.attr.ino = FUSE_ROOT_ID;
        root.attr.mode = S_IFDIR | 0755;
        root.attr.nlink = 1;
        return reply(&root, sizeof(root));
    });
}

void SlowLink::refuse_second_looks(int error, uid_t owner) {
    const auto file = [owner] {
        fuse_attr attr{};
        attr.ino = 2;
        attr.mode = S_IFREG | 0755;
        attr.nlink = 1;
        attr.uid = owner;
        return attr;
    };
    // Neither entry nor attributes are kept: the kernel asks each time.
    serve([this, file, error, second = false](std::uint32_t opcode) mutable {
        if (opcode == FUSE_LOOKUP) {
            fuse_entry_out entry{};
            entry.nodeid = 2;
            entry.attr = file();
            return reply(&entry, sizeof(entry));
        }
        if (opcode == FUSE_GETATTR && node_ == 2 && second) {
            second = false;
            return send(error, nullptr, 0);
        }
        if (opcode == FUSE_GETATTR) {
            fuse_attr_out out{};
            out.attr = file();
            second = node_ == 2;
            if (node_ == FUSE_ROOT_ID) {
                out.attr.ino = FUSE_ROOT_ID;
                out.attr.mode = S_IFDIR | 0755;
            }
            return reply(&out, sizeof(out));
        }
        return opcode == FUSE_FORGET || opcode == FUSE_BATCH_FORGET || send(ENOSYS, nullptr, 0);
    });
}

void SlowLink::serve(std::function<bool(std::uint32_t)> answer) {
    // Catch's assertions are for one thread: none here. Whoever asked may have been killed, and
    // then waits for no answer.
    server_ = std::jthread([this, answer = std::move(answer)](const std::stop_token& end) {
        while (!end.stop_requested())
            if (const std::uint32_t opcode = next_request(100))
                (void)answer(opcode);
    });
}

std::uint32_t SlowLink::next_request(int timeout_ms) {
    std::array<char, FUSE_MIN_READ_BUFFER> buffer{};
    pollfd ready{.fd = fuse_, .events = POLLIN, .revents = 0};
    fuse_in_header header{};
    if (::poll(&ready, 1, timeout_ms) != 1 ||
        ::read(fuse_, buffer.data(), buffer.size()) < static_cast<ssize_t>(sizeof(header)))
        return 0;
    std::memcpy(&header, buffer.data(), sizeof(header));
    request_ = header.unique;
    node_ = header.nodeid;
    return header.opcode;
}

bool SlowLink::next_is(std::uint32_t opcode) {
    std::uint32_t next = 0;
    do
        next = next_request(10'000);
    while (next != 0 && next != opcode);
    return next == opcode;
}

bool SlowLink::send(int error, const void* data, std::size_t size) const {
    fuse_out_header header{};
    header.error = -error;
    header.len = static_cast<std::uint32_t>(sizeof(header) + size);
    header.unique = request_;
    const std::array<iovec, 2> parts{{{.iov_base = &header, .iov_len = sizeof(header)},
                                      {.iov_base = const_cast<void*>(data), .iov_len = size}}};
    return ::writev(fuse_, parts.data(), parts.size()) == static_cast<ssize_t>(header.len);
}

} // namespace llexec::vmtest
