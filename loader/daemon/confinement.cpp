// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "confinement.hpp"

#include "llexec/landlock.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <sys/capability.h>
#include <sys/prctl.h>

namespace llexec::daemon {
namespace {

std::uint64_t fs_rights(std::initializer_list<std::string_view> names) {
    std::uint64_t rights = 0;
    for (const std::string_view name : names)
        rights |= find_access_right(AccessClass::fs, name)->bit;
    return rights;
}

void grant(Policy& policy, const std::string& path, std::uint64_t access) {
    const auto known = std::ranges::find(policy.paths, path, &PathRule::path);
    if (known != policy.paths.end())
        known->access |= access & policy.handled.fs;
    else
        policy.paths.push_back({.path = path, .access = access & policy.handled.fs});
}

struct FreeCapabilities {
    void operator()(cap_t capabilities) const { ::cap_free(capabilities); }
};

} // namespace

std::vector<std::string> own_sockets() {
    // Directories: a service that is started again makes another socket. One that is not there when
    // llexecd confines itself is left out.
    return {"/run/systemd/journal", // sd_journal_sendv(3)
            "/run/systemd/userdb",  // nss-systemd(8)
            "/run/nscd",            // the C library
            "/run/nslcd",           // libnss-ldapd
            "/run/samba/winbindd",  // libnss-winbind
            "/var/lib/sss/pipes"};  // libnss-sss
}

Policy own_policy(const OwnPlaces& places, int abi) {
    Policy policy;
    policy.name = "llexecd";
    policy.file = "(llexecd)";
    policy.handled = rights_of_abi(abi);
    // Its parent starts and stops it, and the journal and systemd are asked through sockets, which
    // may be abstract ones.
    policy.handled.scoped &= ~find_access_right(AccessClass::scope, "abstract_unix_socket")->bit;
    for (const std::string& path : places.read)
        grant(policy, path, fs_rights({"read_file", "read_dir"}));
    for (const std::string& path : places.write)
        grant(policy, path,
              fs_rights({"read_file", "read_dir", "write_file", "truncate", "make_reg", "make_dir",
                         "remove_file", "remove_dir"}));
    // execve(2) opens what it executes to read it. The directory: an upgrade puts another file
    // there.
    grant(policy, places.programs, fs_rights({"execute", "read_file"}));
    for (const std::string& path : places.sockets)
        grant(policy, path, fs_rights({"read_file", "read_dir", "resolve_unix"}));
    std::ranges::sort(policy.paths, {}, &PathRule::path);
    return policy;
}

Result<> confine_self(const OwnPlaces& places) {
    const auto support = query_kernel_support();
    if (!support)
        return std::unexpected(support.error());
    const auto ruleset = build_ruleset(own_policy(places, support->abi), *support);
    if (!ruleset)
        return std::unexpected(ruleset.error());
    const Restriction restriction{
        .ruleset = &*ruleset, .flags = restrict_flags(own_policy(places, support->abi).enforce)};
    if (const auto reach = enforce_on_self(std::span(&restriction, 1), *support); !reach)
        return std::unexpected(reach.error());
    return {};
}

Result<> drop_capabilities() {
    // Each has its reason in docs/deployment.md.
    constexpr std::array kept{CAP_SYS_ADMIN, CAP_DAC_READ_SEARCH};
    const std::unique_ptr<std::remove_pointer_t<cap_t>, FreeCapabilities> now(::cap_get_proc());
    const std::unique_ptr<std::remove_pointer_t<cap_t>, FreeCapabilities> wanted(::cap_init());
    if (!now || !wanted)
        return system_error(errno, "cannot look at capabilities");
    for (const cap_value_t capability : kept) {
        cap_flag_value_t has = CAP_CLEAR;
        if (::cap_get_flag(now.get(), capability, CAP_PERMITTED, &has) != 0 || has == CAP_CLEAR)
            continue;
        for (const cap_flag_t set : {CAP_PERMITTED, CAP_EFFECTIVE})
            if (::cap_set_flag(wanted.get(), set, 1, &capability, CAP_SET) != 0)
                return system_error(errno, "cannot name a capability");
    }
    // All that this kernel has, known to the headers or not. Of root, a program that is executed
    // gets what is in the bounding set. (Without CAP_SETPCAP the service manager has to have
    // bounded it.)
    for (cap_value_t capability = 0; capability < cap_max_bits(); ++capability)
        if (std::ranges::find(kept, capability) == kept.end())
            ::cap_drop_bound(capability);
    if (::cap_set_proc(wanted.get()) != 0)
        return system_error(errno, "cannot drop capabilities");
    return {};
}

} // namespace llexec::daemon
