// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "kernel/requirements.hpp"

#include "kernel/bpf_filesystem.hpp"
#include "kernel/kernel_btf.hpp"
#include "kernel/lsm_list.hpp"
#include "llexec/fd.hpp"
#include "llexec/landlock.hpp"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace llexec::kernel {
namespace {

constexpr std::array<const char*, 3> kfuncs{
    "bpf_landlock_restrict_binprm", "bpf_landlock_binprm_has_ruleset", "bpf_landlock_put_ruleset"};
constexpr const char* patched_kernel =
    "boot a kernel with llexec's patch series (vmtest/kernel/patches); `llexec run` works without";

ProbeItem ok(ProbeItem item, std::string result) {
    item.status = ProbeStatus::ok;
    item.result = std::move(result);
    return item;
}

ProbeItem missing(ProbeItem item, std::string result, std::string advice) {
    item.status = ProbeStatus::missing;
    item.result = std::move(result);
    item.advice = std::move(advice);
    return item;
}

ProbeItem named(std::string name, std::string tried) {
    ProbeItem item;
    item.name = std::move(name);
    item.tried = std::move(tried);
    item.result = "not tried";
    return item;
}

std::string error_text(int code) {
    return std::strerror(code);
}

ProbeItem check_privileges() {
    ProbeItem item = named("privileges", "capget(2): CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN");
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    std::array<__user_cap_data_struct, 2> data{};
    if (::syscall(SYS_capget, &header, data.data()) != 0)
        return missing(std::move(item), error_text(errno), "run as root");
    const auto has = [&](unsigned capability) {
        return (data.at(capability / 32).effective & (1U << (capability % 32))) != 0;
    };
    if (has(CAP_SYS_ADMIN) || (has(CAP_BPF) && has(CAP_PERFMON)))
        return ok(std::move(item), "effective");
    return missing(std::move(item), "not effective", "run as root");
}

ProbeItem check_landlock() {
    ProbeItem item = named("landlock", "landlock_create_ruleset(2), version query");
    const auto support = query_kernel_support();
    if (support)
        return ok(std::move(item), fmt::format("ABI {}", support->abi));
    return missing(std::move(item), support.error().message(), support.error().hint);
}

ProbeItem check_bpf_lsm() {
    ProbeItem item = named("bpf-lsm", "list of active LSMs");
    const auto lsms = active_lsms();
    if (!lsms)
        return missing(std::move(item), lsms.error().message(), lsms.error().hint);
    item.tried = lsms->source;
    const std::string list = fmt::format("{}", fmt::join(lsms->names, ","));
    if (std::ranges::find(lsms->names, "bpf") != lsms->names.end())
        return ok(std::move(item), list);
    // Without this, programs would load and attach, and never be called.
    return missing(std::move(item), list,
                   "add bpf to lsm= on the kernel command line (needs CONFIG_BPF_LSM)");
}

ProbeItem check_pin_directory() {
    ProbeItem item = named("bpffs", "statfs(2) and stat(2) of /sys/fs/bpf");
    const auto checked = check_bpf_filesystem();
    if (!checked)
        return missing(std::move(item), checked.error().message(), checked.error().hint);
    return ok(std::move(item), "mounted, for root only");
}

ProbeItem check_map(const KernelBtf& btf, bool privileged) {
    ProbeItem item = named("ruleset-map", fmt::format("enum bpf_map_type: {}", ruleset_map_type));
    const auto type = btf.map_type(ruleset_map_type);
    if (!type)
        return missing(std::move(item), "not in the kernel's BTF", patched_kernel);
    item.tried = fmt::format("BPF_MAP_CREATE of type {}", *type);
    if (!privileged)
        return item;
    const UniqueFd map(bpf_map_create(static_cast<bpf_map_type>(*type), "llexec_probe",
                                      sizeof(std::uint32_t), sizeof(std::uint64_t), 1, nullptr));
    if (map.valid())
        return ok(std::move(item), "created");
    return missing(std::move(item), error_text(errno),
                   errno == EOPNOTSUPP
                       ? "Landlock is not active: add landlock to lsm= on the kernel command line"
                       : "see the kernel's log");
}

ProbeItem check_kfuncs(const KernelBtf& btf) {
    ProbeItem item = named("kfuncs", fmt::format("BTF functions {}", fmt::join(kfuncs, ", ")));
    std::vector<std::string_view> absent;
    for (const char* const kfunc : kfuncs)
        if (!btf.has_function(kfunc))
            absent.emplace_back(kfunc);
    if (absent.empty())
        return ok(std::move(item), "all there");
    return missing(std::move(item),
                   fmt::format("{} of {} not in the kernel's BTF", absent.size(), kfuncs.size()),
                   patched_kernel);
}

} // namespace

std::vector<ProbeItem> check_requirements() {
    std::vector<ProbeItem> items{check_privileges(), check_landlock(), check_bpf_lsm(),
                                 check_pin_directory()};
    const bool privileged = items.front().status == ProbeStatus::ok;
    ProbeItem btf_item = named("btf", "read /sys/kernel/btf/vmlinux");
    const auto btf = KernelBtf::open();
    if (!btf) {
        items.push_back(missing(std::move(btf_item), btf.error().message(), btf.error().hint));
        items.push_back(named("ruleset-map", "needs btf"));
        items.push_back(named("kfuncs", "needs btf"));
        return items;
    }
    items.push_back(ok(std::move(btf_item), "parsed"));
    items.push_back(check_map(*btf, privileged));
    items.push_back(check_kfuncs(*btf));
    return items;
}

Result<> require_interface() {
    for (const ProbeItem& item : check_requirements()) {
        if (item.status != ProbeStatus::missing)
            continue;
        const std::string what = fmt::format("policies cannot be attached: {}: {}: {}", item.name,
                                             item.tried, item.result);
        if (item.name == "privileges")
            return system_error(EPERM, what, item.advice);
        return failure(ErrorKind::unsupported, what, item.advice);
    }
    return {};
}

} // namespace llexec::kernel
