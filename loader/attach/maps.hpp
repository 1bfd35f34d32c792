// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The maps of the exec programs as the loader holds them. Their meaning is in bpf/maps.bpf.h.
#pragma once

#include "attach/pins.hpp"
#include "llexec/abi.h"
#include "llexec/fd.hpp"
#include "llexec/result.hpp"

#include <array>
#include <bpf/bpf.h>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace llexec::attach {

enum class MapId : std::uint8_t {
    info,
    current,
    gens,
    by_inode,
    by_path,
    by_place,
    by_user,
    by_group,
    rules,
    policies,
    rulesets,
    execs,
    places,
    confined,
    suffixes,
    events,
    stats,
};

struct MapLayout {
    MapId id;
    const char* name; ///< in the BPF object, in bpftool's output and of its pin
    std::uint32_t key_size;
    std::uint32_t value_size; ///< 0: not the loader's business
};

/// All of them, in the order of MapId.
inline constexpr std::array<MapLayout, 17> map_layouts{{
    {MapId::info, "llexec_info", 4, sizeof(llexec_info)},
    {MapId::current, "llexec_current", 4, sizeof(llexec_current)},
    {MapId::gens, "llexec_gens", 4, sizeof(llexec_generation)},
    {MapId::by_inode, "llexec_by_inode", sizeof(llexec_inode_key), sizeof(llexec_rule_range)},
    {MapId::by_path, "llexec_by_path", sizeof(llexec_path_key), sizeof(llexec_rule_range)},
    {MapId::by_place, "llexec_by_place", sizeof(llexec_place_key), sizeof(llexec_rule_range)},
    {MapId::by_user, "llexec_by_user", sizeof(llexec_id_key), sizeof(llexec_rule_range)},
    {MapId::by_group, "llexec_by_group", sizeof(llexec_id_key), sizeof(llexec_rule_range)},
    {MapId::rules, "llexec_rules", sizeof(llexec_id_key), sizeof(llexec_rule)},
    {MapId::policies, "llexec_policies", sizeof(llexec_id_key), sizeof(llexec_policy)},
    {MapId::rulesets, "llexec_rulesets", 4, 8},
    {MapId::execs, "llexec_execs", 4, 0},
    {MapId::places, "llexec_places", 4, 0},
    {MapId::confined, "llexec_confined", 4, sizeof(llexec_confined)},
    {MapId::suffixes, "llexec_suffixes", 4, sizeof(std::uint64_t)},
    {MapId::events, "llexec_events", 0, 0},
    {MapId::stats, "llexec_stats", 4, sizeof(llexec_stats)},
}};

[[nodiscard]] const char* name_of(MapId id);

/// Descriptors of all maps of one attached set of programs.
class Maps {
  public:
    /// Opens the pinned maps. Kind system: ENOENT if nothing is loaded, EPERM or EACCES without
    /// privileges; an error that names the map if it does not have this version's layout.
    [[nodiscard]] static Result<Maps> open_pinned(PinAccess access = PinAccess::read_write);

    /// Whether what is pinned has this version's layout. ENOENT if nothing is loaded.
    [[nodiscard]] static Result<bool> are_known();

    [[nodiscard]] int fd(MapId id) const { return fds_[static_cast<std::size_t>(id)].get(); }
    void set(MapId id, UniqueFd fd) { fds_[static_cast<std::size_t>(id)] = std::move(fd); }

    /// Stores an element, whether it exists or not. E2BIG: the map is full.
    template<class Key, class Value>
    [[nodiscard]] Result<> store(MapId id, const Key& key, const Value& value) const {
        if (bpf_map_update_elem(fd(id), &key, &value, BPF_ANY) != 0)
            return store_error(id, errno);
        return {};
    }

    /// An element; none if it does not exist.
    template<class Value, class Key>
    [[nodiscard]] Result<std::optional<Value>> find(MapId id, const Key& key) const {
        Value value{};
        if (bpf_map_lookup_elem(fd(id), &key, &value) == 0)
            return value;
        if (errno == ENOENT)
            return std::nullopt;
        return system_error(errno, std::string("cannot read the map ") + name_of(id));
    }

    /// Removes an element; not an error if it does not exist.
    template<class Key>
    [[nodiscard]] Result<> erase(MapId id, const Key& key) const {
        if (bpf_map_delete_elem(fd(id), &key) != 0 && errno != ENOENT)
            return system_error(errno, std::string("cannot remove from the map ") + name_of(id));
        return {};
    }

    /// All keys of a hash map that nobody else changes meanwhile.
    template<class Key>
    [[nodiscard]] Result<std::vector<Key>> keys(MapId id) const {
        std::vector<Key> result;
        Key key{};
        const Key* previous = nullptr;
        while (bpf_map_get_next_key(fd(id), previous, &key) == 0) {
            result.push_back(key);
            previous = &result.back();
        }
        if (errno != ENOENT)
            return system_error(errno, std::string("cannot list the map ") + name_of(id));
        return result;
    }

    /// By which the kernel knows a map; not given again until it has given all others.
    [[nodiscard]] Result<std::uint32_t> kernel_id(MapId id) const;

    [[nodiscard]] Result<llexec_info> info() const;
    /// Stores which programs are attached.
    [[nodiscard]] Result<> set_programs(std::uint64_t digest) const;

    /// The number of the generation that is enforced, or 0.
    [[nodiscard]] Result<std::uint64_t> current() const;
    /// Makes a generation the one that is enforced: one atomic store, seen by the next execution.
    [[nodiscard]] Result<> set_current(std::uint64_t generation) const;

  private:
    [[nodiscard]] static std::unexpected<Error> store_error(MapId id, int code);
    std::array<UniqueFd, map_layouts.size()> fds_;
};

} // namespace llexec::attach
