// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "shortage.hpp"

#include "catch.hpp"

#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <thread>
#include <vector>

namespace llexec::testing {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr sock_filter load_number =
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
constexpr sock_filter load_first_argument =
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args));
constexpr sock_filter fail = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOMEM);
constexpr sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);

/// The filter is on that thread alone.
void in_thread(std::vector<sock_filter> code, const std::function<void()>& work) {
    bool filtered = false;
    std::thread([&] {
        const sock_fprog program{.len = static_cast<unsigned short>(code.size()),
                                 .filter = code.data()};
        filtered = ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                   ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
        if (filtered)
            work();
    }).join();
    REQUIRE(filtered);
}

} // namespace

void without_memory_for_names(const std::function<void()>& work) {
    in_thread({load_number, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3),
               load_first_argument,
               BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(AT_FDCWD), 1, 0),
               fail, allow},
              work);
}

void without_memory_for_watches(const std::function<void()>& work) {
    in_thread({load_number, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_inotify_add_watch, 0, 1), fail,
               allow},
              work);
}

} // namespace llexec::testing
