// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "audit.hpp"

#include "catch.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

namespace interface {
namespace {

// Linux 6.15; older headers do not have them.
constexpr unsigned landlock_access = 1423;
constexpr unsigned landlock_domain = 1424;

/// AUDIT_SET: 0 or -errno.
int set_auditing(bool on) {
    const llexec::UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT));
    if (!socket.valid())
        return -errno;
    struct {
        nlmsghdr header{};
        audit_status status{};
    } request;
    request.header.nlmsg_len = sizeof(request);
    request.header.nlmsg_type = AUDIT_SET;
    request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    request.status.mask = AUDIT_STATUS_ENABLED;
    request.status.enabled = on ? 1 : 0;
    sockaddr_nl kernel{};
    kernel.nl_family = AF_NETLINK;
    if (::sendto(socket.get(), &request, sizeof(request), 0, reinterpret_cast<sockaddr*>(&kernel),
                 sizeof(kernel)) < 0)
        return -errno;
    struct {
        nlmsghdr header{};
        nlmsgerr error{};
        std::array<char, 256> rest{};
    } answer;
    if (::recv(socket.get(), &answer, sizeof(answer), 0) < 0)
        return -errno;
    return answer.header.nlmsg_type == NLMSG_ERROR ? answer.error.error : -EPROTO;
}

} // namespace

Audit::Audit()
    : log_(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_AUDIT)) {
    REQUIRE(log_.valid());
    sockaddr_nl readers{};
    readers.nl_family = AF_NETLINK;
    readers.nl_groups = 1U << (AUDIT_NLGRP_READLOG - 1);
    REQUIRE(::bind(log_.get(), reinterpret_cast<sockaddr*>(&readers), sizeof(readers)) == 0);
    REQUIRE(set_auditing(true) == 0);
}

Audit::~Audit() {
    set_auditing(false);
}

const std::vector<std::string>& Audit::landlock_records() {
    std::array<char, 16384> buffer{};
    for (ssize_t size = 0; (size = ::recv(log_.get(), buffer.data(), buffer.size(), 0)) > 0;) {
        nlmsghdr header{};
        if (static_cast<std::size_t>(size) <= sizeof(header))
            continue;
        std::memcpy(&header, buffer.data(), sizeof(header));
        if (header.nlmsg_type == landlock_access || header.nlmsg_type == landlock_domain)
            records_.emplace_back(buffer.data() + NLMSG_HDRLEN,
                                  static_cast<std::size_t>(size) - NLMSG_HDRLEN);
    }
    INFO("a record that got lost: " << std::strerror(errno));
    REQUIRE(errno == EAGAIN);
    return records_;
}

std::string Audit::find(const std::string& domain, const std::string& text) {
    std::string found;
    for (const std::string& record : landlock_records())
        if (record.find("domain=" + domain + ' ') != std::string::npos &&
            record.find(text) != std::string::npos)
            found = record;
    return found;
}

} // namespace interface
