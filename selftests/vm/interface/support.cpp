// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "support.hpp"

#include "catch.hpp"
#include "kernel/kernel_btf.hpp"
#include "task.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace interface {
namespace {

constexpr std::uint64_t fs_read_file = 1U << 2;

UniqueFd ruleset_or_fail(int fd) {
    INFO("landlock_create_ruleset: " << fd);
    REQUIRE(fd >= 0);
    return UniqueFd(fd);
}

} // namespace

bpf_map_type ruleset_map_type() {
    static const auto type = [] {
        const auto btf = llexec::kernel::KernelBtf::open();
        return btf ? btf->map_type(llexec::kernel::ruleset_map_type) : std::nullopt;
    }();
    INFO("this kernel has no " << llexec::kernel::ruleset_map_type);
    REQUIRE(type.has_value());
    return static_cast<bpf_map_type>(*type);
}

int try_map(const MapShape& shape) {
    bpf_map_create_opts options{};
    options.sz = sizeof(options);
    options.map_flags = shape.flags;
    return bpf_map_create(ruleset_map_type(), "interface", shape.key_size, shape.value_size,
                          shape.entries, &options);
}

UniqueFd make_map(const MapShape& shape) {
    const int fd = try_map(shape);
    INFO("BPF_MAP_CREATE: " << fd);
    REQUIRE(fd >= 0);
    return UniqueFd(fd);
}

int update(const UniqueFd& map, std::uint32_t key, std::uint64_t value, std::uint64_t flags) {
    return bpf_map_update_elem(map.get(), &key, &value, flags);
}

int update(const UniqueFd& map, std::uint32_t key, const UniqueFd& ruleset) {
    return update(map, key, static_cast<std::uint64_t>(ruleset.get()));
}

int erase(const UniqueFd& map, std::uint32_t key) {
    return bpf_map_delete_elem(map.get(), &key);
}

int lookup(const UniqueFd& map, std::uint32_t key, std::uint64_t& value) {
    return bpf_map_lookup_elem(map.get(), &key, &value);
}

UniqueFd make_ruleset(const std::vector<std::string>& readable) {
    UniqueFd ruleset = ruleset_or_fail(create_ruleset(fs_read_file));
    for (const std::string& path : readable)
        REQUIRE(add_path_rule(ruleset.get(), fs_read_file, path.c_str()) == 0);
    return ruleset;
}

Directory::Directory() {
    std::array<char, 64> pattern{"/tmp/llexec-interface-XXXXXX"};
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern.data();
    REQUIRE(::chmod(path_.c_str(), 0755) == 0);
    for (const char* const name : {"a", "b", "both"}) {
        std::filesystem::create_directory(*this / name);
        std::ofstream(*this / name + "/text") << "text\n";
    }
    std::filesystem::copy(
        std::filesystem::read_symlink("/proc/self/exe").parent_path() / "interface_probe", probe());
}

Directory::~Directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::string Directory::write(const std::string& name, const std::string& content) const {
    const std::string path = *this / name;
    std::ofstream(path) << content;
    REQUIRE(::chmod(path.c_str(), 0755) == 0);
    return path;
}

Outcome in_child(const std::function<void(const Report&)>& body,
                 const std::function<void(int)>& ready) {
    std::array<int, 2> go{};
    std::array<int, 2> out{};
    REQUIRE(::pipe(go.data()) == 0);
    REQUIRE(::pipe(out.data()) == 0);
    const pid_t pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        char byte = 0;
        ::close(go[1]);
        ::dup2(out[1], 1);
        ::close(out[0]);
        ::close(out[1]);
        if (::read(go[0], &byte, 1) == 1)
            body([](int result) { ::dprintf(1, "%d\n", result); });
        ::_exit(0);
    }
    ::close(go[0]);
    ::close(out[1]);
    if (ready)
        ready(pid);
    const bool started = ::write(go[1], "", 1) == 1;
    ::close(go[1]);

    std::string text;
    std::array<char, 256> buffer{};
    for (ssize_t size = 0; (size = ::read(out[0], buffer.data(), buffer.size())) > 0;)
        text.append(buffer.data(), static_cast<std::size_t>(size));
    ::close(out[0]);
    Outcome outcome;
    ::waitpid(pid, &outcome.status, 0);
    REQUIRE(started);
    std::istringstream lines(text);
    for (int result = 0; lines >> result;)
        outcome.results.push_back(result);
    return outcome;
}

void execute_with(const std::string& path, std::vector<std::string> arguments) {
    std::vector<char*> argv;
    std::string name = path;
    argv.push_back(name.data());
    for (std::string& argument : arguments)
        argv.push_back(argument.data());
    argv.push_back(nullptr);
    ::execv(path.c_str(), argv.data());
    ::dprintf(1, "%d\n", -errno);
}

bool soon(const std::function<bool()>& condition) {
    using namespace std::chrono_literals;
    const char* const factor = std::getenv("VMTEST_TIMEOUT_FACTOR");
    const int tries = 200 * (factor != nullptr ? std::atoi(factor) : 1);
    for (int i = 0; i < tries; ++i) {
        if (condition())
            return true;
        std::this_thread::sleep_for(50ms);
    }
    return condition();
}

} // namespace interface
