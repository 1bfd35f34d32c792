// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "kernel/lsm_list.hpp"

#include <array>
#include <cerrno>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <sys/syscall.h>
#include <unistd.h>

namespace llexec::kernel {
namespace {

constexpr const char* securityfs_list = "/sys/kernel/security/lsm";

// linux/lsm.h, which Debian 12 does not have yet: IDs are numbered from LSM_ID_CAPABILITY on.
constexpr std::uint64_t first_id = 100;
constexpr std::array<const char*, 14> names_by_id{
    "capability", "selinux",  "smack", "tomoyo",   "apparmor", "yama", "loadpin",
    "safesetid",  "lockdown", "bpf",   "landlock", "ima",      "evm",  "ipe"};
#ifdef SYS_lsm_list_modules
constexpr long lsm_list_modules = SYS_lsm_list_modules;
#else
constexpr long lsm_list_modules = 461; // the same on every architecture
#endif

Result<LsmList> ask_kernel() {
    std::array<std::uint64_t, 64> ids{};
    std::uint32_t size = sizeof(ids);
    const long count = ::syscall(lsm_list_modules, ids.data(), &size, 0U);
    if (count < 0)
        return system_error(errno, "cannot tell which LSMs are active",
                            "mount -t securityfs securityfs /sys/kernel/security");
    LsmList list{.names = {}, .source = "lsm_list_modules(2)"};
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i)
        list.names.emplace_back(ids.at(i) >= first_id && ids.at(i) - first_id < names_by_id.size()
                                    ? names_by_id.at(ids.at(i) - first_id)
                                    : "?");
    return list;
}

} // namespace

Result<LsmList> active_lsms() {
    std::ifstream file(securityfs_list);
    std::string line;
    if (!file || !std::getline(file, line))
        return ask_kernel();
    LsmList list{.names = {}, .source = std::string("read ") + securityfs_list};
    std::istringstream stream(line);
    for (std::string name; std::getline(stream, name, ',');)
        list.names.push_back(name);
    return list;
}

} // namespace llexec::kernel
