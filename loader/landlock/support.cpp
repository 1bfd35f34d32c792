// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/landlock.hpp"

#include <cerrno>

namespace llexec {

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
    return KernelSupport{.abi = abi,
                         .errata = errata < 0 ? 0U : static_cast<std::uint32_t>(errata),
                         .rights = rights_of_abi(abi)};
}

} // namespace llexec
