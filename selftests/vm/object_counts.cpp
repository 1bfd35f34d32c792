// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "object_counts.hpp"

#include "catch.hpp"
#include "processes.hpp"

#include <chrono>
#include <fstream>
#include <linux/perf_event.h>
#include <string>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

namespace llexec::vmtest {
namespace {

constexpr std::array<const char*, 4> names{"create_ruleset", "free_ruleset", "create_domain",
                                           "free_domain"};

int open_counter(std::uint64_t event, int cpu) {
    perf_event_attr attributes{};
    attributes.type = PERF_TYPE_TRACEPOINT;
    attributes.size = sizeof(attributes);
    attributes.config = event;
    return static_cast<int>(
        ::syscall(SYS_perf_event_open, &attributes, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC));
}

} // namespace

ObjectCounts::ObjectCounts() {
    using namespace std::chrono_literals;
    // What an earlier test left to the kernel's workqueues is freed by then.
    std::this_thread::sleep_for(2s);
    for (std::size_t event = 0; event < names.size(); ++event) {
        std::ifstream file(std::string("/sys/kernel/tracing/events/landlock/landlock_") +
                           names[event] + "/id");
        std::uint64_t id = 0;
        REQUIRE(file >> id);
        for (int cpu = 0; cpu < ::sysconf(_SC_NPROCESSORS_ONLN); ++cpu) {
            const int counter = open_counter(id, cpu);
            REQUIRE(counter >= 0);
            counters_[event].push_back(counter);
        }
    }
}

ObjectCounts::~ObjectCounts() {
    for (const auto& counters : counters_)
        for (const int counter : counters)
            ::close(counter);
}

std::uint64_t ObjectCounts::count(Event event) const {
    std::uint64_t sum = 0;
    for (const int counter : counters_[event]) {
        std::uint64_t value = 0;
        REQUIRE(::read(counter, &value, sizeof(value)) == sizeof(value));
        sum += value;
    }
    return sum;
}

Balance ObjectCounts::rulesets() const {
    return {.made = count(create_ruleset), .freed = count(free_ruleset)};
}

Balance ObjectCounts::domains() const {
    return {.made = count(create_domain), .freed = count(free_domain)};
}

bool ObjectCounts::are_balanced() const {
    return eventually([&] {
        const Balance all_rulesets = rulesets();
        const Balance all_domains = domains();
        return all_rulesets.made == all_rulesets.freed && all_domains.made == all_domains.freed;
    });
}

} // namespace llexec::vmtest
