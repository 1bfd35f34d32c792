// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "benchmarks.hpp"
#include "process.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <unistd.h>

namespace tsync {
namespace {

constexpr std::size_t threads = 100;
constexpr std::size_t rules = 10;
constexpr long plenty = 1L << 30;
constexpr std::array shares{5, 10, 25, 50, 75, 90, 95};

/// The kernel's injection of failures into slab allocations, for processes that ask for it: after
/// `space` bytes.
class FaultInjection {
  public:
    FaultInjection() {
        set("ignore-gfp-wait", "N"); // also those that could wait
        set("task-filter", "Y");
        set("verbose", "0");
        set("interval", "1");
        set("times", "-1");
        set("probability", "0");
        // Open beforehand: to open a file takes memory.
        probability_ = open_file("probability");
    }
    FaultInjection(const FaultInjection&) = delete;
    FaultInjection& operator=(const FaultInjection&) = delete;
    ~FaultInjection() {
        stop();
        ::close(space_);
        set("task-filter", "N");
    }

    /// `times`: how many allocations fail then; -1: all.
    void set_times(int times) const { set("times", std::to_string(times)); }

    /// The calling process is one of those from now on, with the threads that it makes.
    static void include_self() { write_file("/proc/self/make-it-fail", "1"); }

    void start(long space) {
        set("space", std::to_string(space));
        // Who is restricted cannot open it. A new one each time: it has no offset to go back to.
        ::close(space_);
        space_ = open_file("space");
        put(probability_, "100");
    }
    void stop() const { put(probability_, "0"); }
    /// What is left of the space, after stop(). To be asked for once.
    [[nodiscard]] long space() const {
        char text[32]{};
        const long size = ::read(space_, text, sizeof(text) - 1);
        return size > 0 ? std::atol(text) : -1;
    }

  private:
    static int open_path(const std::string& path) {
        const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
        if (fd < 0) {
            std::perror(path.c_str());
            std::fprintf(stderr, "a kernel with CONFIG_FAILSLAB and debugfs is needed: "
                                 "vmtest/kernel/build --debug\n");
            std::exit(2);
        }
        return fd;
    }
    static int open_file(const std::string& name) {
        return open_path("/sys/kernel/debug/failslab/" + name);
    }
    static void put(int fd, const std::string& value) {
        if (::write(fd, value.data(), value.size()) < 0) {
            std::perror("fault injection");
            std::exit(2);
        }
    }
    static void write_file(const std::string& path, const std::string& value) {
        const int fd = open_path(path);
        put(fd, value);
        ::close(fd);
    }
    static void set(const std::string& name, const std::string& value) {
        write_file("/sys/kernel/debug/failslab/" + name, value);
    }

    int probability_ = -1;
    int space_ = -1;
};

struct Case {
    const char* name;
    How how;
    bool diverged;
};
constexpr std::array cases{
    Case{.name = "TSYNC", .how = How::tsync, .diverged = false},
    Case{.name = "TSYNC, domains differ", .how = How::tsync, .diverged = true},
    Case{.name = "broadcast", .how = How::broadcast, .diverged = false}};

/// The bytes that restricting all threads takes, or -1.
long need_of(FaultInjection& faults, const Setup& setup, const Case& which) {
    faults.set_times(-1); // nothing is counted when none may fail
    return in_process([&] {
               FaultInjection::include_self();
               Threads all(threads);
               if (which.diverged)
                   all.diverge();
               faults.start(plenty);
               const bool done = all.restrict_all(setup, which.how);
               faults.stop();
               return done && all.count_outside(setup) == 0 ? plenty - faults.space() : -1;
           })
        .value_or(-1);
}

/// The threads that are left outside when memory ends after `space` bytes; -1 if the process died,
/// or was told by TSYNC what is not so.
long outside_after(FaultInjection& faults, const Setup& setup, const Case& which, long space) {
    return in_process([&] {
               FaultInjection::include_self();
               Threads all(threads);
               if (which.diverged)
                   all.diverge();
               faults.start(space);
               const bool done = all.restrict_all(setup, which.how);
               faults.stop();
               const auto outside = static_cast<long>(all.count_outside(setup));
               return which.how == How::tsync && done != (outside == 0) ? -1L : outside;
           })
        .value_or(-1);
}

/// One line of the table.
bool compare_one(FaultInjection& faults, const Setup& setup, const Case& which, int times) {
    // The first time takes more: files are read in, for instance.
    need_of(faults, setup, which);
    const long need = need_of(faults, setup, which);
    std::printf("%-22s %9ld", which.name, need);
    if (need <= 0) {
        std::printf(" nothing was measured\n");
        return false;
    }
    bool good = true;
    bool failed = false;
    for (const int share : shares) {
        faults.set_times(times); // the kernel counts them down
        const long outside = outside_after(faults, setup, which, need * share / 100);
        // Nobody inside is as good as everybody.
        const bool mixed = outside > 0 && outside < static_cast<long>(threads);
        good = good && outside >= 0 && (!mixed || which.how != How::tsync);
        failed = failed || outside > 0;
        if (outside < 0)
            std::printf("     ?");
        else if (outside == static_cast<long>(threads))
            std::printf("  none");
        else
            std::printf(" %4ld%%", outside * 100 / static_cast<long>(threads));
    }
    std::printf("\n");
    std::fflush(stdout);
    // Where no failure did anything, nothing was shown.
    return good && failed;
}

} // namespace

bool compare_failures() {
    const Setup setup = make_setup(rules);
    FaultInjection faults;
    bool good = true;
    for (const int times : {1, -1}) {
        std::printf("%s; threads left outside of %zu (none: no thread was restricted)\n"
                    "%-22s %9s",
                    times == 1 ? "one allocation fails after that share of the bytes needed"
                               : "memory ends after that share of the bytes needed",
                    threads, "", "bytes");
        for (const int share : shares)
            std::printf(" %4d%%", share);
        std::printf("\n");
        for (const Case& which : cases)
            good = compare_one(faults, setup, which, times) && good;
    }
    return good;
}

} // namespace tsync
