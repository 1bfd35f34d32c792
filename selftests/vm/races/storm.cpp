// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "storm.hpp"

#include "catch.hpp"

#include <chrono>
#include <csignal>
#include <new>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace llexec::vmtest {
namespace {

using namespace std::chrono_literals;

constexpr long workers_for_each_cpu = 2;

void stay_on(long cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<std::size_t>(cpu), &set);
    if (::sched_setaffinity(0, sizeof(set), &set) != 0)
        ::_exit(1);
}

void count(Counts& counts, const Execution& execution) {
    if (execution.error != 0) {
        counts.last_error = execution.error;
        ++counts.refused;
    } else if (execution.signal == SIGKILL) {
        ++counts.killed;
    } else if (execution.signal != 0) {
        ++counts.other_signal;
    } else {
        ++counts.read[static_cast<std::size_t>(execution.files) & 127];
    }
}

void work(Counts& counts, const std::filesystem::path& program,
          const std::vector<std::string>& files, std::uint64_t executions) {
    Launcher launcher(program, files);
    while (!counts.go)
        std::this_thread::sleep_for(1ms);
    while (counts.begun < executions || !counts.enough) {
        ++counts.begun;
        count(counts, launcher.run());
    }
}

/// Whether all of them have ended.
bool all_ended(std::vector<pid_t>& processes) {
    std::erase_if(processes,
                  [](pid_t process) { return ::waitpid(process, nullptr, WNOHANG) == process; });
    return processes.empty();
}

} // namespace

Storm::Storm(const std::filesystem::path& program, const std::vector<std::string>& files,
             std::uint64_t executions)
    : executions_(executions) {
    void* const memory =
        ::mmap(nullptr, sizeof(Counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(memory != MAP_FAILED);
    counts_ = new (memory) Counts{};
    const long cpus = ::sysconf(_SC_NPROCESSORS_ONLN);
    for (long i = 0; i < cpus * workers_for_each_cpu; ++i)
        workers_.push_back(start([&, this] {
            stay_on(i % cpus);
            // So that what happens meanwhile happens often.
            if (::nice(10) < 0)
                ::_exit(1);
            work(*counts_, program, files, executions_);
        }));
}

Storm::~Storm() {
    for (const auto& processes : {workers_, disturbers_}) {
        for (const pid_t process : processes) {
            ::kill(process, SIGKILL);
            ::waitpid(process, nullptr, 0);
        }
    }
    ::munmap(counts_, sizeof(Counts));
}

pid_t Storm::start(const std::function<void()>& body) {
    const pid_t process = ::fork();
    REQUIRE(process >= 0);
    if (process == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        body();
        ::_exit(0);
    }
    return process;
}

void Storm::disturb_by(const std::function<void(Counts&)>& body) {
    disturbers_.push_back(start([&, this] {
        while (!counts_->stop)
            body(*counts_);
    }));
}

void Storm::run(const std::function<bool()>& meanwhile) {
    counts_->go = true;
    while (!all_ended(workers_))
        counts_->enough = meanwhile();
    counts_->stop = true;
    while (!all_ended(disturbers_))
        std::this_thread::sleep_for(1ms);
}

std::uint64_t Storm::ended() const {
    std::uint64_t sum = counts_->refused + counts_->killed + counts_->other_signal;
    for (const auto& read : counts_->read)
        sum += read;
    return sum;
}

bool Storm::complete() const {
    return ended() == counts_->begun && ended() >= executions_;
}

std::string Storm::text() const {
    std::string text = std::to_string(ended()) +
                       " executions: " + std::to_string(counts_->refused) + " refused, " +
                       std::to_string(counts_->killed) + " killed";
    if (counts_->refused != 0)
        text += ", last errno " + std::to_string(counts_->last_error);
    if (counts_->other_signal != 0)
        text += ", " + std::to_string(counts_->other_signal) + " by other signals";
    for (std::size_t files = 0; files < counts_->read.size(); ++files)
        if (counts_->read[files] != 0)
            text += ", " + std::to_string(counts_->read[files]) + " read " + std::to_string(files);
    return text;
}

} // namespace llexec::vmtest
