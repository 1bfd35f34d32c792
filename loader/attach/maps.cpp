// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "attach/maps.hpp"

#include "attach/pins.hpp"

#include <fmt/format.h>

#include <atomic>
#include <sys/mman.h>
#include <unistd.h>

namespace llexec::attach {
namespace {

constexpr std::uint32_t only = 0; // the key of a map with one element

std::unexpected<Error> other_version() {
    return failure(ErrorKind::system, "what is loaded was made by another version of llexec",
                   "`llexec load` replaces it, `llexec unload` removes it");
}

Result<bpf_map_info> look_at(int fd, const char* name) {
    bpf_map_info info{};
    std::uint32_t size = sizeof(info);
    if (bpf_obj_get_info_by_fd(fd, &info, &size) != 0)
        return system_error(errno, fmt::format("cannot ask for the layout of the map {}", name));
    return info;
}

/// Whether the map is what this version writes.
Result<bool> has_layout(int fd, const MapLayout& layout) {
    const auto info = look_at(fd, layout.name);
    if (!info)
        return std::unexpected(info.error());
    return layout.value_size == 0 ||
           (info->key_size == layout.key_size && info->value_size == layout.value_size);
}

/// The maps; nullopt if they do not have this version's layout: fail closed rather than misread.
Result<std::optional<Maps>> open_known(PinAccess access) {
    Maps maps;
    for (const MapLayout& layout : map_layouts) {
        auto fd = open_pin(layout.name, access);
        // llexec_info is what each version has.
        if (!fd && fd.error().code == ENOENT && layout.id != MapId::info)
            return std::nullopt;
        if (!fd)
            return std::unexpected(std::move(fd.error()));
        const auto known = has_layout(fd->get(), layout);
        if (!known)
            return std::unexpected(known.error());
        if (!*known)
            return std::nullopt;
        maps.set(layout.id, std::move(*fd));
    }
    const auto info = maps.info();
    if (!info)
        return std::unexpected(info.error());
    if (info->abi != LLEXEC_ABI)
        return std::nullopt;
    return maps;
}

} // namespace

const char* name_of(MapId id) {
    return map_layouts[static_cast<std::size_t>(id)].name;
}

std::unexpected<Error> Maps::store_error(MapId id, int code) {
    if (code == E2BIG)
        return system_error(code, fmt::format("the map {} is full", name_of(id)),
                            "the set of policies is larger than llexec can hold");
    return system_error(code, fmt::format("cannot write to the map {}", name_of(id)));
}

Result<Maps> Maps::open_pinned(PinAccess access) {
    auto maps = open_known(access);
    if (!maps)
        return std::unexpected(std::move(maps.error()));
    if (!*maps)
        return other_version();
    return std::move(**maps);
}

Result<bool> Maps::are_known() {
    const auto maps = open_known(PinAccess::read_write);
    if (!maps)
        return std::unexpected(maps.error());
    return maps->has_value();
}

Result<std::uint32_t> Maps::kernel_id(MapId id) const {
    const auto info = look_at(fd(id), name_of(id));
    if (!info)
        return std::unexpected(info.error());
    return info->id;
}

Result<llexec_info> Maps::info() const {
    auto info = find<llexec_info>(MapId::info, only);
    if (!info)
        return std::unexpected(std::move(info.error()));
    return info->value_or(llexec_info{});
}

Result<> Maps::set_programs(std::uint64_t digest) const {
    auto changed = info();
    if (!changed)
        return std::unexpected(std::move(changed.error()));
    changed->programs = digest;
    return store(MapId::info, only, *changed);
}

Result<std::uint64_t> Maps::current() const {
    auto current = find<llexec_current>(MapId::current, only);
    if (!current)
        return std::unexpected(std::move(current.error()));
    return current->value_or(llexec_current{}).generation;
}

Result<> Maps::set_current(std::uint64_t generation) const {
    // bpf(2) would copy the value byte by byte as far as the kernel promises; a mapping lets this
    // be a single store.
    const auto size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    void* const address =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd(MapId::current), 0);
    if (address == MAP_FAILED)
        return system_error(errno, "cannot map llexec_current");
    auto* const current = static_cast<llexec_current*>(address);
    static_assert(std::atomic_ref<decltype(current->generation)>::is_always_lock_free);
    std::atomic_ref(current->generation).store(generation, std::memory_order_seq_cst);
    ::munmap(address, size);
    return {};
}

} // namespace llexec::attach
