// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "fault.hpp"

#include "catch.hpp"

#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <unistd.h>

namespace llexec::vmtest {
namespace {

namespace fs = std::filesystem;

constexpr const char* fault_file = "/proc/thread-self/fail-nth";
const fs::path debugfs = "/sys/kernel/debug";

std::string content(const fs::path& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

bool write_to(const fs::path& path, const std::string& text) {
    std::ofstream file(path);
    file << text << std::flush;
    return file.good();
}

struct Range {
    std::uint64_t start = 0;
    std::uint64_t end = 0;
};

/// From the function to whatever comes behind it.
Range addresses_of(const std::string& function) {
    std::ifstream symbols("/proc/kallsyms");
    std::vector<std::uint64_t> all;
    Range range;
    for (std::string line; std::getline(symbols, line);) {
        std::istringstream words(line);
        std::string type;
        std::string name;
        std::uint64_t address = 0;
        words >> std::hex >> address >> type >> name;
        all.push_back(address);
        if (name == function)
            range.start = address;
    }
    for (const std::uint64_t address : all)
        if (address > range.start && (range.end == 0 || address < range.end))
            range.end = address;
    CAPTURE(function);
    REQUIRE(range.start != 0);
    return range;
}

std::string hexadecimal(std::uint64_t number) {
    std::ostringstream text;
    text << "0x" << std::hex << number;
    return text.str();
}

} // namespace

bool faults_are_possible() {
    const char* missing = nullptr;
    if (::access(fault_file, W_OK) != 0)
        missing = "no fail-nth: the kernel has no fault injection (vmtest/run --kernel debug)";
    else if (!fs::exists(debugfs / "failslab") || !fs::exists(debugfs / "fail_page_alloc"))
        missing = "the kernel cannot make allocations fail (FAILSLAB, FAIL_PAGE_ALLOC)";
    if (missing != nullptr)
        std::printf("skipped: %s\n", missing);
    return missing == nullptr;
}

FaultSettings::FaultSettings() {
    for (const std::string kind : {"failslab/", "fail_page_alloc/"}) {
        set(kind + "ignore-gfp-wait", "N");
        set(kind + "verbose", "0");
    }
    set("fail_page_alloc/ignore-gfp-highmem", "N");
    set("fail_page_alloc/min-order", "0");
}

FaultSettings::~FaultSettings() {
    for (auto setting = settings_.rbegin(); setting != settings_.rend(); ++setting)
        write_to(debugfs / setting->file, setting->before);
}

void FaultSettings::only_below(const std::string& function) {
    const Range range = addresses_of(function);
    for (const std::string kind : {"failslab/", "fail_page_alloc/"}) {
        set(kind + "stacktrace-depth", "64");
        set(kind + "require-start", hexadecimal(range.start));
        set(kind + "require-end", hexadecimal(range.end));
    }
}

void FaultSettings::set(const std::string& file, const std::string& value) {
    CAPTURE(file, value);
    settings_.push_back({.file = file, .before = content(debugfs / file)});
    REQUIRE(write_to(debugfs / file, value));
}

Fault::Fault() : file_(::open(fault_file, O_RDWR | O_CLOEXEC)) {
    if (file_ < 0) // because of a fault that is armed: it comes once
        file_ = ::open(fault_file, O_RDWR | O_CLOEXEC);
}

Fault::~Fault() {
    ::close(file_);
}

void Fault::arm(unsigned nth) const {
    char text[16];
    const int size = std::snprintf(text, sizeof(text), "%u", nth);
    if (::pwrite(file_, text, static_cast<std::size_t>(size), 0) != size)
        ::_exit(99);
}

bool Fault::take_back() const {
    char left[16]{};
    const bool known = ::pread(file_, left, sizeof(left) - 1, 0) > 0;
    arm(0);
    return !known || left[0] == '0';
}

void report(const std::string& operation, const Totals& totals) {
    std::printf("faults %-58s %4u allocations failed: %u refused, %u killed, %u done all the same, "
                "%u unrestricted, %u strange\n",
                operation.c_str(), totals.failed, totals.refused, totals.killed, totals.done,
                totals.unrestricted, totals.strange);
    std::fflush(stdout);
}

} // namespace llexec::vmtest
