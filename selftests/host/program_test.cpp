// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// This machine's own programs: inspection against ldd(1), which executes their ld.so.
#include "catch.hpp"
#include "llexec/program.hpp"

#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <unistd.h>

using namespace llexec;

namespace {

constexpr std::array programs{"/bin/sh",
                              "/bin/ls",
                              "/usr/bin/python3",
                              "/usr/bin/git",
                              "/usr/bin/ssh",
                              "/usr/bin/perl",
                              "/usr/sbin/nginx",
                              "/usr/bin/curl",
                              "/usr/bin/cmake",
                              "/usr/bin/clang-19",
                              "/usr/bin/qemu-system-x86_64"};

std::string output_of(const std::string& command) {
    struct Close {
        void operator()(FILE* stream) const { ::pclose(stream); }
    };
    const std::unique_ptr<FILE, Close> pipe(::popen(command.c_str(), "r"));
    REQUIRE(pipe != nullptr);
    std::string text;
    std::array<char, 4096> buffer{};
    while (const std::size_t size = std::fread(buffer.data(), 1, buffer.size(), pipe.get()))
        text.append(buffer.data(), size);
    return text;
}

std::string real(const std::string& path) {
    return std::filesystem::canonical(path);
}

/// The files that ldd names: "NAME => PATH (ADDRESS)" or "PATH (ADDRESS)".
std::set<std::string> told_by_ldd(const std::string& program) {
    std::set<std::string> files;
    std::istringstream lines(output_of("ldd " + program));
    for (std::string line; std::getline(lines, line);) {
        const std::size_t slash = line.find('/', line.contains("=> ") ? line.find("=> ") : 0);
        if (slash != std::string::npos)
            files.insert(real(line.substr(slash, line.find(' ', slash) - slash)));
    }
    return files;
}

std::set<std::string> inspected(const std::string& path) {
    const auto program = inspect_program(path);
    REQUIRE(program.has_value());
    CHECK(program->kind == ProgramKind::elf);
    CHECK(program->executable);
    CHECK(program->target == real(path));
    CHECK(program->missing.empty());
    std::set<std::string> files;
    for (const NeededFile& file : program->needs)
        if (file.use != FileUse::library_cache)
            files.insert(real(file.path));
    return files;
}

} // namespace

TEST_CASE("programs need what ldd says") {
    std::size_t compared = 0;
    for (const char* const program : programs) {
        if (::access(program, X_OK) != 0)
            continue;
        INFO(program);
        CHECK(inspected(program) == told_by_ldd(program));
        ++compared;
    }
    CHECK(compared >= 3);
}

TEST_CASE("this test program is what /proc says") {
    const auto program = inspect_program("/proc/self/exe");
    REQUIRE(program.has_value());
    CHECK(program->target == real("/proc/self/exe"));
    CHECK(program->kind == ProgramKind::elf);
}

TEST_CASE("a script of this machine needs its interpreter") {
    const auto program = inspect_program("/usr/bin/ldd");
    REQUIRE(program.has_value());
    CHECK(program->kind == ProgramKind::script);
    CHECK(program->missing.empty());
    REQUIRE_FALSE(program->needs.empty());
    CHECK(program->needs.front().use == FileUse::script_interpreter);
    CHECK(real(program->needs.front().path) == real("/bin/bash"));
}
