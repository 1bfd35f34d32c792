// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
//     tsync_bench time [ROUNDS]
//     tsync_bench failure
//
// Restricting a process of several threads: the kernel's TSYNC against a signal to each thread.
#include "benchmarks.hpp"

#include <cstdio>
#include <cstdlib>
#include <string_view>

int main(int argc, char** argv) {
    const std::string_view what = argc > 1 ? argv[1] : "";
    if (what == "time")
        return tsync::compare_durations(argc > 2 ? std::atoi(argv[2]) : 9) ? 0 : 1;
    if (what == "failure")
        return tsync::compare_failures() ? 0 : 1;
    std::fprintf(stderr, "usage: tsync_bench time [ROUNDS] | tsync_bench failure\n");
    return 2;
}
