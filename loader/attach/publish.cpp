// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "attach/publish.hpp"

#include <chrono>
#include <set>

namespace llexec::attach {
namespace {

/// Removes from a hash map what belongs to other generations.
template<class Key>
Result<> sweep(const Maps& maps, MapId id, std::uint64_t keep) {
    const auto keys = maps.keys<Key>(id);
    if (!keys)
        return std::unexpected(keys.error());
    for (const Key& key : *keys)
        if (key.generation != keep)
            if (auto erased = maps.erase(id, key); !erased)
                return erased;
    return {};
}

/// The slots that policies refer to. Every slot that was ever filled has a policy, because policies
/// are stored first and removed last.
Result<std::set<std::uint32_t>> used_slots(const Maps& maps) {
    const auto keys = maps.keys<llexec_id_key>(MapId::policies);
    if (!keys)
        return std::unexpected(keys.error());
    std::set<std::uint32_t> slots;
    for (const llexec_id_key& key : *keys) {
        const auto policy = maps.find<llexec_policy>(MapId::policies, key);
        if (!policy)
            return std::unexpected(policy.error());
        if (*policy && (*policy)->mode == LLEXEC_MODE_ENFORCE)
            slots.insert((*policy)->slot);
    }
    return slots;
}

Result<> sweep_policies(const Maps& maps, std::uint64_t keep) {
    const auto keys = maps.keys<llexec_id_key>(MapId::policies);
    if (!keys)
        return std::unexpected(keys.error());
    for (const llexec_id_key& key : *keys) {
        if (key.generation == keep)
            continue;
        const auto policy = maps.find<llexec_policy>(MapId::policies, key);
        if (!policy)
            return std::unexpected(policy.error());
        if (*policy && (*policy)->mode == LLEXEC_MODE_ENFORCE)
            if (auto erased = maps.erase(MapId::rulesets, (*policy)->slot); !erased)
                return erased;
        if (auto erased = maps.erase(MapId::policies, key); !erased)
            return erased;
    }
    return {};
}

Result<> store_policies(const Maps& maps, CompiledSet& set, std::span<const int> rulesets) {
    const auto used = used_slots(maps);
    if (!used)
        return std::unexpected(used.error());
    std::uint32_t slot = 0;
    for (std::size_t i = 0; i < set.policies.size(); ++i) {
        llexec_policy& policy = set.policies[i];
        const bool enforce = policy.mode == LLEXEC_MODE_ENFORCE;
        if (enforce) {
            while (used->contains(slot))
                ++slot;
            policy.slot = slot++;
        }
        const llexec_id_key key{
            .generation = set.generation, .id = static_cast<std::uint32_t>(i), .reserved = 0};
        if (auto stored = maps.store(MapId::policies, key, policy); !stored)
            return stored;
        if (!enforce)
            continue;
        const auto ruleset = static_cast<std::uint64_t>(rulesets[i]);
        if (auto stored = maps.store(MapId::rulesets, policy.slot, ruleset); !stored)
            return stored;
        const auto id = maps.find<std::uint64_t>(MapId::rulesets, policy.slot);
        if (!id)
            return std::unexpected(id.error());
        policy.ruleset_id = id->value_or(0);
        if (auto stored = maps.store(MapId::policies, key, policy); !stored)
            return stored;
    }
    return {};
}

Result<> store_rules(const Maps& maps, const CompiledSet& set) {
    std::uint32_t index = 0;
    for (const llexec_rule& rule : set.rules) {
        const llexec_id_key key{.generation = set.generation, .id = index++, .reserved = 0};
        if (auto stored = maps.store(MapId::rules, key, rule); !stored)
            return stored;
    }
    return {};
}

template<class Key>
Result<> store_ranges(const Maps& maps, MapId id, const Ranges<Key>& ranges) {
    for (const auto& [key, range] : ranges)
        if (auto stored = maps.store(id, key, range); !stored)
            return stored;
    return {};
}

Result<> store_generation(const Maps& maps, const CompiledSet& set, EnforceAt enforce_at) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const llexec_generation generation{
        .generation = set.generation,
        .loaded_at_s = static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::seconds>(now).count()),
        .enforce_at = enforce_at == EnforceAt::bprm_creds_for_exec
                          ? static_cast<std::uint32_t>(LLEXEC_AT_BPRM_CREDS_FOR_EXEC)
                          : static_cast<std::uint32_t>(LLEXEC_AT_BPRM_COMMITTING_CREDS),
        .policies = static_cast<std::uint32_t>(set.policies.size()),
        .by_user = set.by_user.empty() ? 0U : 1U,
        .by_group = set.by_group.empty() ? 0U : 1U,
        .cgroups = set.cgroups ? 1U : 0U,
        .directories = set.directories ? 1U : 0U};
    return maps.store(MapId::gens, static_cast<std::uint32_t>(set.generation % 2), generation);
}

Result<> store_all(const Maps& maps, CompiledSet& set, std::span<const int> rulesets,
                   EnforceAt enforce_at) {
    if (auto stored = store_policies(maps, set, rulesets); !stored)
        return stored;
    if (auto stored = store_rules(maps, set); !stored)
        return stored;
    if (auto stored = store_ranges(maps, MapId::by_inode, set.by_inode); !stored)
        return stored;
    if (auto stored = store_ranges(maps, MapId::by_path, set.by_path); !stored)
        return stored;
    if (auto stored = store_ranges(maps, MapId::by_place, set.by_place); !stored)
        return stored;
    if (auto stored = store_ranges(maps, MapId::by_user, set.by_user); !stored)
        return stored;
    if (auto stored = store_ranges(maps, MapId::by_group, set.by_group); !stored)
        return stored;
    return store_generation(maps, set, enforce_at);
}

} // namespace

Result<> remove_other_generations(const Lock&, const Maps& maps, std::uint64_t keep) {
    if (auto swept = sweep<llexec_inode_key>(maps, MapId::by_inode, keep); !swept)
        return swept;
    if (auto swept = sweep<llexec_path_key>(maps, MapId::by_path, keep); !swept)
        return swept;
    if (auto swept = sweep<llexec_place_key>(maps, MapId::by_place, keep); !swept)
        return swept;
    for (const MapId id : {MapId::by_user, MapId::by_group, MapId::rules})
        if (auto swept = sweep<llexec_id_key>(maps, id, keep); !swept)
            return swept;
    return sweep_policies(maps, keep);
}

Result<> publish(const Lock& lock, const Maps& maps, CompiledSet& set,
                 std::span<const int> rulesets, EnforceAt enforce_at) {
    const auto current = maps.current();
    if (!current)
        return std::unexpected(current.error());
    auto published = store_all(maps, set, rulesets, enforce_at);
    if (published)
        published = maps.set_current(set.generation);
    // Best effort: the next load sweeps again, and nothing of it is looked at until then.
    static_cast<void>(remove_other_generations(lock, maps, published ? set.generation : *current));
    return published;
}

} // namespace llexec::attach
