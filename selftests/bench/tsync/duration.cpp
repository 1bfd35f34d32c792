// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "benchmarks.hpp"
#include "process.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <vector>

namespace tsync {
namespace {

constexpr std::size_t rules = 10;

long now() {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1'000'000'000L + time.tv_nsec;
}

/// Nanoseconds, or -1 if not all threads were restricted.
long measure_once(const Setup& setup, std::size_t threads, How how) {
    return in_process([&] {
               Threads all(threads);
               // Until the last one waits for its first job.
               const timespec pause{.tv_sec = 0, .tv_nsec = 20'000'000};
               ::nanosleep(&pause, nullptr);
               all.warm_up(how);
               const long start = now();
               const bool done = all.restrict_all(setup, how);
               const long end = now();
               return done && all.count_outside(setup) == 0 ? end - start : -1;
           })
        .value_or(-1);
}

struct Row {
    std::vector<long> tsync;
    std::vector<long> broadcast;
};

long median(std::vector<long> values) {
    std::ranges::sort(values);
    return values[values.size() / 2];
}

} // namespace

bool compare_durations(int rounds) {
    const Setup setup = make_setup(rules);
    std::printf(
        "microseconds to restrict all threads, median of %d (lowest to highest), ruleset of "
        "%zu rules\n%7s %28s %28s %16s\n",
        rounds, rules, "threads", "TSYNC", "broadcast", "broadcast/TSYNC");
    for (const std::size_t threads :
         {std::size_t{1}, std::size_t{10}, std::size_t{100}, std::size_t{1000}}) {
        Row row;
        // In turns, so that what else goes on meets both.
        for (int i = 0; i < rounds; ++i) {
            row.tsync.push_back(measure_once(setup, threads, How::tsync));
            row.broadcast.push_back(measure_once(setup, threads, How::broadcast));
        }
        std::printf("%7zu", threads);
        for (const std::vector<long>& times : {row.tsync, row.broadcast}) {
            const auto [lowest, highest] = std::ranges::minmax(times);
            if (lowest < 0) {
                std::printf("\nsome threads were not restricted\n");
                return false;
            }
            std::printf(" %9.1f (%.1f to %.1f)", static_cast<double>(median(times)) / 1000,
                        static_cast<double>(lowest) / 1000, static_cast<double>(highest) / 1000);
        }
        std::printf(" %10.2f\n", static_cast<double>(median(row.broadcast)) /
                                     static_cast<double>(median(row.tsync)));
        std::fflush(stdout);
    }
    return true;
}

} // namespace tsync
