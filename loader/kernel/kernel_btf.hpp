// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What the running kernel's type information says about the interface.
#pragma once

#include "llexec/result.hpp"

#include <cstdint>
#include <memory>
#include <optional>

struct btf;

namespace llexec::kernel {

/// The running kernel's BTF.
class KernelBtf {
  public:
    /// Kind unsupported if the kernel has none (CONFIG_DEBUG_INFO_BTF).
    [[nodiscard]] static Result<KernelBtf> open();

    /// The number of a map type, by the name of its enumerator; none if this kernel does not know
    /// it. Numbers of types that are not upstream differ between kernels.
    [[nodiscard]] std::optional<std::uint32_t> map_type(const char* enumerator) const;

    [[nodiscard]] bool has_function(const char* name) const;

  private:
    struct Free {
        void operator()(btf* pointer) const;
    };
    explicit KernelBtf(btf* pointer) : btf_(pointer) {}
    std::unique_ptr<btf, Free> btf_;
};

/// Whether a module of this name is loaded and has type information of its own.
[[nodiscard]] bool module_has_btf(const char* name);

/// The enumerator of the map type that rulesets are stored in.
inline constexpr const char* ruleset_map_type = "BPF_MAP_TYPE_LANDLOCK_RULESET";

} // namespace llexec::kernel
