// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "fakes.hpp"

#include "catch.hpp"
#include "llexec/landlock_uapi.hpp"
#include "llexec/policy_dump.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <iterator>
#include <utility>

namespace llexec::testing {
namespace {

Result<std::optional<std::uint32_t>> look_up(const std::string& name) {
    if (name == "root")
        return 0U;
    if (name == "www-data")
        return 33U;
    if (name == "broken")
        return system_error(EIO, "looking up 'broken' failed");
    return std::nullopt;
}

std::uint32_t known_flags(int abi) {
    std::uint32_t flags = 0;
    if (abi >= 7)
        flags |= 7U;
    if (abi >= 8)
        flags |= uapi::restrict_self_tsync;
    if (abi >= 11)
        flags |= uapi::restrict_self_no_new_privs;
    if (abi >= 12)
        flags |= uapi::restrict_self_exectime;
    return flags;
}

int new_fd() {
    return ::open("/dev/null", O_PATH | O_CLOEXEC);
}

} // namespace

Result<std::optional<std::uint32_t>> FakeUsers::user_id(const std::string& name) {
    return look_up(name);
}

Result<std::optional<std::uint32_t>> FakeUsers::group_id(const std::string& name) {
    return look_up(name);
}

int FakeLandlock::create_ruleset(const RulesetAttr& wanted) {
    AccessMasks known = rights_of_abi(abi_);
    known.fs |= unnamed_rights;
    if (const int error = std::exchange(first_create_answer, 0); error != 0)
        return error;
    // The kernel's structure ends before what came with a later ABI.
    if ((wanted.handled_access_net != 0 && known.net == 0) ||
        (wanted.scoped != 0 && known.scoped == 0))
        return -E2BIG;
    if ((wanted.handled_access_fs & ~known.fs) != 0 ||
        (wanted.handled_access_net & ~known.net) != 0 || (wanted.scoped & ~known.scoped) != 0)
        return -EINVAL;
    if ((wanted.quiet_access_fs & ~wanted.handled_access_fs) != 0 ||
        (wanted.quiet_access_net & ~wanted.handled_access_net) != 0 ||
        (wanted.quiet_scoped & ~wanted.scoped) != 0)
        return -EINVAL;
    const bool quiet =
        (wanted.quiet_access_fs | wanted.quiet_access_net | wanted.quiet_scoped) != 0;
    if (quiet && abi_ < uapi::quiet_abi)
        return -E2BIG;
    if (wanted.handled_access_fs == 0 && wanted.handled_access_net == 0 && wanted.scoped == 0)
        return -ENOMSG;
    attr = wanted;
    return new_fd();
}

int FakeLandlock::add_path_rule(int, std::uint64_t access, int parent, std::uint32_t flags) {
    if (access == 0 && flags == 0)
        return -ENOMSG;
    if ((access & ~attr.handled_access_fs) != 0 || (flags != 0 && attr.quiet_access_fs == 0))
        return -EINVAL;
    if (objects.at(opened_.at(parent)) != Object::directory &&
        (access & ~(file_rights() | unnamed_file_rights)) != 0)
        return -EINVAL;
    path_rules[opened_.at(parent)] |= access;
    if (flags != 0)
        quiet_objects.push_back(opened_.at(parent));
    return 0;
}

int FakeLandlock::add_port_rule(int, std::uint64_t access, std::uint64_t port,
                                std::uint32_t flags) {
    if (access == 0 && flags == 0)
        return -ENOMSG;
    if ((access & ~attr.handled_access_net) != 0 || port > 65535 ||
        (flags != 0 && attr.quiet_access_net == 0))
        return -EINVAL;
    port_rules[port] |= access;
    if (flags != 0)
        quiet_objects.push_back(std::to_string(port));
    return 0;
}

int FakeLandlock::restrict_self(int, std::uint32_t flags) {
    constexpr std::uint32_t not_together = uapi::restrict_self_tsync | uapi::restrict_self_exectime;
    if ((flags & ~known_flags(abi_)) != 0 || (flags & not_together) == not_together)
        return -EINVAL;
    record(fmt::format("restrict {:#x}", flags));
    const std::size_t call = restrict_calls_++;
    return call < first_restrict_answers.size() ? first_restrict_answers[call] : restrict_answer;
}

Result<UniqueFd> FakeLandlock::open_path(const std::string& path) {
    if (const auto error = open_errors.find(path); error != open_errors.end())
        return system_error(-error->second, path);
    if (!objects.contains(path))
        return system_error(ENOENT, path);
    const int fd = new_fd();
    opened_[fd] = path;
    return UniqueFd(fd);
}

Result<FileKind> FakeLandlock::kind_of(int fd) {
    switch (objects.at(opened_.at(fd))) {
    case Object::directory:
        return FileKind::directory;
    case Object::bpf_pin:
        return FileKind::bpf_pin;
    case Object::file:
        return FileKind::other;
    case Object::unknown:
        break;
    }
    return system_error(EACCES, "cannot look at an object");
}

int FakeLandlock::set_no_new_privs() {
    record("no_new_privs");
    return no_new_privs_answer;
}

void FakeLandlock::record(std::string call) {
    calls.push_back(std::this_thread::get_id() == owner_ ? std::move(call) : "trial " + call);
}

ParsedPolicy parse(std::string_view text, std::string_view file) {
    FakeUsers users;
    return parse_policy(text, file, users);
}

Policy parse_valid(std::string_view text, std::string_view file) {
    ParsedPolicy parsed = parse(text, file);
    INFO(text);
    for (const Diagnostic& diagnostic : parsed.diagnostics)
        UNSCOPED_INFO(diagnostic.message);
    REQUIRE(parsed.policy.has_value());
    return std::move(*parsed.policy);
}

std::vector<std::string> findings(std::string_view text, std::string_view file) {
    std::vector<std::string> result;
    const ParsedPolicy parsed = parse(text, file);
    for (const Diagnostic& d : parsed.diagnostics)
        result.push_back(fmt::format("{}:{} {}: {}", d.position.line, d.position.column,
                                     to_string(d.severity), d.message));
    CHECK(parsed.policy.has_value() != has_errors(parsed.diagnostics));
    return result;
}

std::string meaning(const Policy& policy) {
    return *dump_policy(policy, DumpFormat::json);
}

std::size_t open_descriptors() {
    const std::filesystem::directory_iterator entries("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

} // namespace llexec::testing
