// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/attach.hpp"

#include "attach/exec_object.hpp"
#include "attach/maps.hpp"
#include "attach/pins.hpp"

namespace llexec {
namespace {

using namespace attach;

Result<PolicyStatus> policy_status(const Maps& maps, const llexec_policy& policy) {
    PolicyStatus status{.name = policy.name,
                        .mode = policy.mode == LLEXEC_MODE_OBSERVE ? Mode::observe : Mode::enforce,
                        .on_error = policy.on_error == LLEXEC_ON_ERROR_ALLOW ? OnError::allow
                                                                             : OnError::deny,
                        .slot = std::nullopt,
                        .ruleset_id = std::nullopt,
                        .matched = policy.matched,
                        .applied = policy.applied,
                        .nested = policy.nested,
                        .failed = policy.failed};
    if (status.mode == Mode::enforce) {
        status.slot = policy.slot;
        const auto id = maps.find<std::uint64_t>(MapId::rulesets, policy.slot);
        if (!id)
            return std::unexpected(id.error());
        status.ruleset_id = *id;
    }
    return status;
}

Result<> add_policies(const Maps& maps, const llexec_generation& generation, Status& status) {
    for (std::uint32_t index = 0; index < generation.policies; ++index) {
        const llexec_id_key key{.generation = generation.generation, .id = index, .reserved = 0};
        const auto policy = maps.find<llexec_policy>(MapId::policies, key);
        if (!policy)
            return std::unexpected(policy.error());
        if (!*policy) // replaced while we read
            continue;
        auto of_policy = policy_status(maps, **policy);
        if (!of_policy)
            return std::unexpected(std::move(of_policy.error()));
        status.policies.push_back(std::move(*of_policy));
    }
    return {};
}

/// While another version takes over, this may err on the side of telling too much.
Result<bool> is_whole(const Maps& maps) {
    const auto info = maps.info();
    if (!info)
        return std::unexpected(info.error());
    return info->programs == programs_digest() ? ExecObject::is_whole() : true;
}

Result<Status> status_of(const Maps& maps, std::uint64_t current) {
    Status status;
    const auto whole = is_whole(maps);
    if (!whole)
        return std::unexpected(whole.error());
    status.whole = *whole;
    status.generation = current;
    if (current != 0) {
        const auto generation =
            maps.find<llexec_generation>(MapId::gens, static_cast<std::uint32_t>(current % 2));
        if (!generation)
            return std::unexpected(generation.error());
        const llexec_generation values = generation->value_or(llexec_generation{});
        status.loaded_at = values.loaded_at_s;
        status.enforce_at = values.enforce_at == LLEXEC_AT_BPRM_CREDS_FOR_EXEC
                                ? EnforceAt::bprm_creds_for_exec
                                : EnforceAt::bprm_committing_creds;
        if (auto added = add_policies(maps, values, status); !added)
            return std::unexpected(std::move(added.error()));
    }
    const auto stats = maps.find<llexec_stats>(MapId::stats, std::uint32_t{0});
    if (!stats)
        return std::unexpected(stats.error());
    const auto counters = maps.kernel_id(MapId::stats);
    if (!counters)
        return std::unexpected(counters.error());
    status.counters = *counters;
    const llexec_stats values = stats->value_or(llexec_stats{});
    status.executions_matched = values.executions_matched;
    status.executions_refused = values.executions_refused;
    status.executions_killed = values.executions_killed;
    status.executions_allowed = values.executions_allowed;
    status.events_lost = values.events_lost;
    return status;
}

} // namespace

Result<std::optional<Status>> read_status() {
    const auto loaded = is_loaded();
    if (!loaded)
        return std::unexpected(loaded.error());
    if (!*loaded)
        return std::nullopt;
    const auto maps = Maps::open_pinned(PinAccess::read);
    if (!maps)
        return std::unexpected(maps.error());
    // A load that replaces the generation while we read makes us read again.
    constexpr int attempts = 8;
    for (int attempt = 0;; ++attempt) {
        const auto before = maps->current();
        if (!before)
            return std::unexpected(before.error());
        auto status = status_of(*maps, *before);
        if (!status)
            return std::unexpected(std::move(status.error()));
        const auto after = maps->current();
        if (!after)
            return std::unexpected(after.error());
        if (*before == *after || attempt == attempts)
            return std::optional<Status>(std::move(*status));
    }
}

} // namespace llexec
