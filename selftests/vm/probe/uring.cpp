// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// An io_uring instance that was inherited.
#include "probe.hpp"

#include <cerrno>
#include <fcntl.h>
#include <liburing.h>
#include <sys/types.h>
#include <unistd.h>

namespace probe {
namespace {

constexpr int ring_fd = 10;
constexpr int parameters_fd = 11; ///< a file of its struct io_uring_params

/// Mapped once, for all words: liburing counts from there on.
io_uring* inherited() {
    static io_uring ring{};
    static const bool mapped = [] {
        io_uring_params parameters{};
        return ::pread(parameters_fd, &parameters, sizeof(parameters), 0) ==
                   static_cast<ssize_t>(sizeof(parameters)) &&
               ::io_uring_queue_mmap(ring_fd, &parameters, &ring) == 0;
    }();
    return mapped ? &ring : nullptr;
}

} // namespace

std::optional<Answer> try_uring(const Word& word) {
    if (word.kind != "read-uring")
        return std::nullopt;
    io_uring* const ring = inherited();
    if (ring == nullptr)
        return Answer{.exit = not_tried, .text = "no io_uring"};
    io_uring_sqe* const entry = ::io_uring_get_sqe(ring);
    ::io_uring_prep_openat(entry, AT_FDCWD, word.second.c_str(), O_RDONLY | O_CLOEXEC, 0);
    entry->personality = static_cast<__u16>(number(word.first));
    io_uring_cqe* done = nullptr;
    if (::io_uring_submit(ring) != 1 || ::io_uring_wait_cqe(ring, &done) != 0)
        return Answer{.exit = not_tried, .text = "no answer"};
    const int result = done->res;
    ::io_uring_cqe_seen(ring, done);
    errno = result < 0 ? -result : 0;
    return judge(result, EACCES);
}

} // namespace probe
