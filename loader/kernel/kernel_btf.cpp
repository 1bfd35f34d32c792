// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "kernel/kernel_btf.hpp"

#include <bpf/btf.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <unistd.h>

namespace llexec::kernel {

void KernelBtf::Free::operator()(btf* pointer) const {
    btf__free(pointer);
}

Result<KernelBtf> KernelBtf::open() {
    btf* const pointer = btf__load_vmlinux_btf();
    if (pointer == nullptr) {
        Error error{.kind = ErrorKind::unsupported,
                    .code = errno,
                    .what = "cannot read the kernel's BTF, /sys/kernel/btf/vmlinux",
                    .hint = "a kernel built with CONFIG_DEBUG_INFO_BTF is needed",
                    .diagnostics = {}};
        return std::unexpected(std::move(error));
    }
    return KernelBtf(pointer);
}

std::optional<std::uint32_t> KernelBtf::map_type(const char* enumerator) const {
    const int id = btf__find_by_name_kind(btf_.get(), "bpf_map_type", BTF_KIND_ENUM);
    if (id < 0)
        return std::nullopt;
    const btf_type* const type = btf__type_by_id(btf_.get(), static_cast<std::uint32_t>(id));
    const auto* const enumerators = btf_enum(type);
    for (std::uint32_t i = 0; i < btf_vlen(type); ++i)
        if (std::strcmp(btf__name_by_offset(btf_.get(), enumerators[i].name_off), enumerator) == 0)
            return static_cast<std::uint32_t>(enumerators[i].val);
    return std::nullopt;
}

bool KernelBtf::has_function(const char* name) const {
    return btf__find_by_name_kind(btf_.get(), name, BTF_KIND_FUNC) > 0;
}

bool module_has_btf(const char* name) {
    return ::access((std::string("/sys/kernel/btf/") + name).c_str(), F_OK) == 0;
}

} // namespace llexec::kernel
