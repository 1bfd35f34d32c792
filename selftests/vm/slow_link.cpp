// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "slow_link.hpp"

#include "catch.hpp"

#include <array>
#include <cstring>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

namespace llexec::vmtest {

SlowLink::SlowLink(const fs::path& directory, const fs::path& target)
    : directory_(directory), target_(target), fuse_(::open("/dev/fuse", O_RDWR | O_CLOEXEC)) {
    REQUIRE(fuse_ >= 0);
    fs::create_directories(directory);
    const std::string options =
        "fd=" + std::to_string(fuse_) + ",rootmode=40755,user_id=0,group_id=0,allow_other";
    REQUIRE(::mount("slow", directory.c_str(), "fuse", MS_NODEV, options.c_str()) == 0);
    REQUIRE(next_request(FUSE_INIT));
    fuse_init_out init{};
    init.major = FUSE_KERNEL_VERSION;
    init.minor = FUSE_KERNEL_MINOR_VERSION;
    init.max_write = 4096;
    reply(&init, sizeof(init));
}

SlowLink::~SlowLink() {
    ::umount2(directory_.c_str(), MNT_DETACH);
    ::close(fuse_);
}

bool SlowLink::is_looked_up() {
    return next_request(FUSE_LOOKUP);
}

bool SlowLink::answer() {
    fuse_entry_out entry{};
    entry.nodeid = 2;
    entry.attr.ino = 2;
    entry.attr.mode = S_IFLNK | 0777;
    entry.attr.nlink = 1;
    reply(&entry, sizeof(entry));
    if (!next_request(FUSE_READLINK))
        return false;
    reply(target_.data(), target_.size());
    return true;
}

bool SlowLink::next_request(std::uint32_t opcode) {
    std::array<char, FUSE_MIN_READ_BUFFER> buffer{};
    pollfd ready{.fd = fuse_, .events = POLLIN, .revents = 0};
    while (::poll(&ready, 1, 10'000) == 1) {
        fuse_in_header header{};
        if (::read(fuse_, buffer.data(), buffer.size()) < static_cast<ssize_t>(sizeof(header)))
            return false;
        std::memcpy(&header, buffer.data(), sizeof(header));
        request_ = header.unique;
        if (header.opcode == opcode)
            return true;
    }
    return false;
}

void SlowLink::reply(const void* data, std::size_t size) const {
    fuse_out_header header{};
    header.len = static_cast<std::uint32_t>(sizeof(header) + size);
    header.unique = request_;
    const std::array<iovec, 2> parts{{{.iov_base = &header, .iov_len = sizeof(header)},
                                      {.iov_base = const_cast<void*>(data), .iov_len = size}}};
    REQUIRE(::writev(fuse_, parts.data(), parts.size()) == static_cast<ssize_t>(header.len));
}

} // namespace llexec::vmtest
