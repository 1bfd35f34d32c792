// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/landlock.hpp"
#include "llexec/landlock_uapi.hpp"

#include <cerrno>

namespace llexec {
namespace {

constexpr std::uint32_t log_flags = uapi::restrict_self_log_same_exec_off |
                                    uapi::restrict_self_log_new_exec_on |
                                    uapi::restrict_self_log_subdomains_off;

std::string_view hint_for(int code) {
    switch (code) {
    case EPERM:
        return "no_new_privs = true in [enforce], or CAP_SYS_ADMIN, is needed";
    case E2BIG:
        return "this thread already has 16 Landlock layers, the kernel's limit";
    default:
        return {};
    }
}

} // namespace

std::uint32_t restrict_flags(const Enforce& enforce) {
    return enforce.log | (enforce.no_new_privs ? uapi::restrict_self_no_new_privs : 0U);
}

Result<> restrict_self(const BuiltRuleset& ruleset, const KernelSupport& support,
                       std::uint32_t flags, LandlockSyscalls& syscalls) {
    if ((flags & uapi::restrict_self_no_new_privs) != 0) {
        if (const int error = syscalls.set_no_new_privs(); error < 0)
            return system_error(-error, "cannot set no_new_privs");
        flags &= ~uapi::restrict_self_no_new_privs;
    }
    if (support.abi < uapi::log_flags_abi)
        flags &= ~log_flags;
    if (const int error = syscalls.restrict_self(ruleset.fd.get(), flags); error < 0)
        return system_error(-error, "landlock_restrict_self failed", std::string(hint_for(-error)));
    return {};
}

} // namespace llexec
