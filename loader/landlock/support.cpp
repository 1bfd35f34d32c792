// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/landlock.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdint>
#include <utility>

namespace llexec {
namespace {

/// Adds the rights that this version has no name for. The kernel's rights of a class have no holes:
/// the first that it refuses is past its last. Only EINVAL says so, or E2BIG that it has none of
/// the class: what failed for want of memory must not leave a right unrestricted.
Result<> add_unnamed(AccessMasks& rights, AccessClass access_class, LandlockSyscalls& syscalls) {
    // Shifted out in the end, it is 0.
    for (std::uint64_t bit = rights_of_abi(newest_known_abi()).of(access_class) + 1; bit != 0;
         bit <<= 1) {
        LandlockSyscalls::RulesetAttr attr{};
        (access_class == AccessClass::fs    ? attr.handled_access_fs
         : access_class == AccessClass::net ? attr.handled_access_net
                                            : attr.scoped) = bit;
        const int answer = syscalls.create_ruleset(attr);
        if (answer == -EINVAL || answer == -E2BIG)
            break;
        if (answer < 0)
            return system_error(-answer, fmt::format("cannot ask the kernel for {} right {:#x}",
                                                     to_string(access_class), bit));
        UniqueFd{answer}.reset();
        rights.of(access_class) |= bit;
    }
    return {};
}

} // namespace

Result<KernelSupport> query_kernel_support(LandlockSyscalls& syscalls) {
    const int abi = syscalls.abi_version();
    if (abi == -ENOSYS)
        return failure(
            ErrorKind::unsupported, "this kernel has no Landlock",
            "a kernel built with CONFIG_SECURITY_LANDLOCK=y is needed (Linux 5.13 or later)");
    if (abi == -EOPNOTSUPP)
        return failure(ErrorKind::unsupported, "this kernel has Landlock, but it is disabled",
                       "add landlock to the lsm= list on the kernel command line");
    if (abi < 0)
        return system_error(-abi, "cannot ask the kernel for its Landlock ABI version",
                            "a seccomp filter may refuse landlock_create_ruleset(2)");
    if (abi == 0)
        return failure(ErrorKind::unsupported, "this kernel reports Landlock ABI version 0");

    // Older kernels answer EINVAL: they cannot tell.
    const int errata = syscalls.errata();
    KernelSupport support{.abi = abi,
                          .errata = errata < 0 ? 0U : static_cast<std::uint32_t>(errata),
                          .rights = rights_of_abi(abi)};
    for (const AccessClass access_class : access_classes)
        if (Result<> added = add_unnamed(support.rights, access_class, syscalls); !added)
            return std::unexpected(std::move(added.error()));
    return support;
}

} // namespace llexec
