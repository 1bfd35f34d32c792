// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What restricting the process means for its io_uring instances: for what is asked of them from
// then on, it is who asks that counts, unless the instance has credentials of its own.
#include "catch.hpp"
#include "child.hpp"
#include "crew.hpp"
#include "llexec/landlock_uapi.hpp"
#include "rulesets.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <liburing.h>
#include <string>
#include <unistd.h>

using namespace llexec;
using namespace tsync;

namespace {

class Ring {
  public:
    explicit Ring(unsigned flags) : error_(::io_uring_queue_init(8, &ring_, flags)) {}
    Ring(const Ring&) = delete;
    Ring& operator=(const Ring&) = delete;
    ~Ring() {
        if (error_ == 0)
            ::io_uring_queue_exit(&ring_);
    }

    /// The errno value of not being there, 0 otherwise.
    [[nodiscard]] int error() const { return -error_; }
    /// Registers the calling thread's credentials.
    int personality() { return ::io_uring_register_personality(&ring_); }

    /// 0, or the errno value, of opening it. `flags`: IOSQE_*.
    int open(const std::string& path, unsigned flags = 0, int personality = 0) {
        io_uring_sqe* const entry = ::io_uring_get_sqe(&ring_);
        ::io_uring_prep_openat(entry, AT_FDCWD, path.c_str(), O_RDONLY | O_CLOEXEC, 0);
        entry->personality = static_cast<__u16>(personality);
        submit(entry, flags);
        const int fd = result();
        if (fd >= 0)
            ::close(fd);
        return fd >= 0 ? 0 : -fd;
    }

    /// Begins to read a byte; result() waits for it.
    void begin_read(int fd, char& byte, unsigned flags) {
        io_uring_sqe* const entry = ::io_uring_get_sqe(&ring_);
        ::io_uring_prep_read(entry, fd, &byte, 1, 0);
        submit(entry, flags);
    }

    /// What it returned, or a negative errno value.
    int result() {
        io_uring_cqe* done = nullptr;
        int result = 0;
        // A signal, or TSYNC, may have come first.
        do
            result = ::io_uring_wait_cqe(&ring_, &done);
        while (result == -EINTR);
        if (result != 0)
            return result;
        result = done->res;
        ::io_uring_cqe_seen(&ring_, done);
        return result;
    }

  private:
    void submit(io_uring_sqe* entry, unsigned flags) {
        entry->flags |= static_cast<__u8>(flags);
        ::io_uring_submit(&ring_);
    }

    io_uring ring_{};
    int error_;
};

/// Waits until a thread of this process other than the caller waits for something in the kernel.
bool another_thread_waits() {
    for (int i = 0; i < 1000; ++i) {
        for (const auto& task : std::filesystem::directory_iterator("/proc/self/task"))
            if (const pid_t thread = std::stoi(task.path().filename());
                thread != ::gettid() && is_asleep(thread))
                return true;
        ::usleep(10'000);
    }
    return false;
}

/// A kernel with TSYNC and io_uring. If not, says that the test is left out, and why.
bool can_be_tried() {
    if (!kernel_has(uapi::tsync_abi, "TSYNC"))
        return false;
    const int error = Ring(0).error();
    // In the machine, the kernel has it.
    if (error != 0 && std::getenv("VMTEST") != nullptr)
        FAIL("no io_uring here, errno " << error);
    if (error != 0)
        WARN("left out: no io_uring here, errno " << error);
    return error == 0;
}

} // namespace

TEST_CASE("what io_uring does from then on is restricted, also by its worker threads") {
    if (!can_be_tried())
        return;
    const Files files;
    const BuiltRuleset ruleset = files.without_a();
    const Facts facts = in_child([&](const Report& report) {
        Ring ring(0);
        report("before", ring.open(files.a()));
        report("worker before", ring.open(files.a(), IOSQE_ASYNC));
        report("enforced", enforce(ruleset) ? 0 : 1);
        report("after", ring.open(files.a()));
        report("worker after", ring.open(files.a(), IOSQE_ASYNC));
        report("elsewhere", ring.open(files.b()));
        report("worker elsewhere", ring.open(files.b(), IOSQE_ASYNC));
    });
    INFO(facts.text());
    for (const char* allowed : {"before", "worker before", "elsewhere", "worker elsewhere"})
        CHECK(facts[allowed] == 0);
    CHECK(facts["enforced"] == 0);
    for (const char* denied : {"after", "worker after"})
        CHECK(facts[denied] == EACCES);
}

TEST_CASE("a worker thread of io_uring that waits for something does not keep TSYNC waiting") {
    if (!can_be_tried())
        return;
    const Files files;
    const BuiltRuleset ruleset = files.without_a();
    const Facts facts = in_child([&](const Report& report) {
        Ring ring(0);
        std::array<int, 2> ends{};
        report.need(::pipe(ends.data()) == 0, "a pipe");
        char byte = 0;
        ring.begin_read(ends[0], byte, IOSQE_ASYNC);
        report.need(another_thread_waits(), "a worker thread");
        report("enforced", enforce(ruleset) ? 0 : 1);
        report.need(::write(ends[1], "x", 1) == 1, "a byte");
        report("read", ring.result());
        report("after", ring.open(files.a(), IOSQE_ASYNC));
    });
    INFO(facts.text());
    CHECK(facts["enforced"] == 0);
    CHECK(facts["read"] == 1);
    CHECK(facts["after"] == EACCES);
}

TEST_CASE("an io_uring instance with a polling thread keeps the credentials of its making") {
    if (!can_be_tried())
        return;
    const Files files;
    const BuiltRuleset ruleset = files.without_a();
    const Facts facts = in_child([&](const Report& report) {
        Ring from_before(IORING_SETUP_SQPOLL);
        report.need(from_before.error() == 0, "a polling thread");
        report("enforced", enforce(ruleset) ? 0 : 1);
        Ring from_after(IORING_SETUP_SQPOLL);
        report.need(from_after.error() == 0, "another polling thread");
        report("caller", read_file(files.a()));
        report("from before", from_before.open(files.a()));
        report("from after", from_after.open(files.a()));
    });
    INFO(facts.text());
    CHECK(facts["enforced"] == 0);
    CHECK(facts["caller"] == EACCES);
    CHECK(facts["from before"] == 0);
    CHECK(facts["from after"] == EACCES);
}

TEST_CASE("credentials that were registered with io_uring are as they were then") {
    if (!can_be_tried())
        return;
    const Files files;
    const BuiltRuleset ruleset = files.without_a();
    const Facts facts = in_child([&](const Report& report) {
        Ring ring(0);
        const int before = ring.personality();
        report("enforced", enforce(ruleset) ? 0 : 1);
        const int after = ring.personality();
        report.need(before > 0 && after > 0, "credentials");
        report("of before", ring.open(files.a(), 0, before));
        report("of after", ring.open(files.a(), 0, after));
        report("own", ring.open(files.a()));
    });
    INFO(facts.text());
    CHECK(facts["enforced"] == 0);
    CHECK(facts["of before"] == 0);
    CHECK(facts["of after"] == EACCES);
    CHECK(facts["own"] == EACCES);
}
