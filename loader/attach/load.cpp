// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/attach.hpp"

#include "attach/compile.hpp"
#include "attach/exe_files.hpp"
#include "attach/exec_object.hpp"
#include "attach/publish.hpp"
#include "kernel/requirements.hpp"
#include "llexec/landlock.hpp"
#include "llexec/off_switch.hpp"
#include "llexec/policy_file.hpp"
#include "llexec/ruleset_cache.hpp"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <sys/random.h>

namespace llexec {
namespace {

using namespace attach;

void append(std::vector<Diagnostic>& to, const std::vector<Diagnostic>& from) {
    to.insert(to.end(), from.begin(), from.end());
}

Result<> check_policies(std::span<const Policy> policies) {
    if (policies.empty())
        return failure(ErrorKind::policy, "there is no policy to load",
                       "`llexec unload` removes enforcement");
    Error error{.kind = ErrorKind::policy,
                .code = 0,
                .what = "policies cannot be attached at exec",
                .hint = {},
                .diagnostics = {}};
    for (const Policy& policy : policies)
        append(error.diagnostics, check_attachable(policy));
    if (error.diagnostics.empty())
        return {};
    return std::unexpected(std::move(error));
}

std::vector<Policy> in_layer_order(std::span<const Policy> policies) {
    std::vector<Policy> result(policies.begin(), policies.end());
    std::ranges::sort(result, {}, &Policy::name);
    return result;
}

/// The kernel objects of a set of policies, before anything is stored.
struct Rulesets {
    std::vector<int> fds; ///< one for each policy, the cache's; -1: it only observes
    std::vector<Diagnostic> notes;
};

Result<Rulesets> build_rulesets(std::span<const Policy> policies, RulesetCache& cache) {
    const auto support = query_kernel_support();
    if (!support)
        return std::unexpected(support.error());
    Rulesets result;
    cache.begin();
    for (const Policy& policy : policies) {
        if (policy.enforce.mode == Mode::observe) {
            result.fds.push_back(-1);
            continue;
        }
        const auto built = cache.build(policy, *support);
        if (!built) {
            cache.abandon();
            return std::unexpected(built.error());
        }
        append(result.notes, (*built)->notes);
        result.fds.push_back((*built)->fd.get());
    }
    cache.end();
    return result;
}

Result<std::uint64_t> random_seed() {
    std::uint64_t seed = 0;
    if (::getrandom(&seed, sizeof(seed), 0) != static_cast<ssize_t>(sizeof(seed)))
        return system_error(errno, "cannot get a random number");
    return seed;
}

struct Attached {
    Maps maps;
    UniqueFd identifier; ///< ExecObject::identifier() of the programs that will be attached
    bool fresh;          ///< nothing was loaded before
    /// If those that are pinned are another version: these are attached beside them.
    std::optional<ExecObject> successor;
    /// If those that are pinned have maps of another layout, or are not whole: all of this is
    /// beside them.
    bool beside = false;
};

/// Attaches programs with maps of their own, in staging_directory.
Result<Attached> attach_staged(const Lock& lock) {
    const auto seed = random_seed();
    if (!seed)
        return std::unexpected(seed.error());
    auto object = ExecObject::load(*seed);
    if (!object)
        return std::unexpected(std::move(object.error()));
    auto maps = object->attach_new(lock);
    if (!maps)
        return std::unexpected(std::move(maps.error()));
    auto identifier = object->identifier();
    if (!identifier)
        return std::unexpected(std::move(identifier.error()));
    return Attached{.maps = std::move(*maps),
                    .identifier = std::move(*identifier),
                    .fresh = false,
                    .successor = std::nullopt};
}

Result<Attached> attach_first(const Lock& lock) {
    auto attached = attach_staged(lock);
    if (!attached)
        return attached;
    if (auto installed = ExecObject::install(lock); !installed)
        return std::unexpected(std::move(installed.error()));
    // What had the name and was nothing that is loaded.
    static_cast<void>(remove_directory(staging_directory));
    attached->fresh = true;
    return attached;
}

/// What is loaded, by another version for instance, enforces until this one does.
Result<Attached> attach_beside(const Lock& lock) {
    auto attached = attach_staged(lock);
    if (attached)
        attached->beside = true;
    return attached;
}

/// Finds the programs attached, or attaches them.
Result<Attached> ensure_attached(const Lock& lock) {
    const auto loaded = is_loaded();
    if (!loaded)
        return std::unexpected(loaded.error());
    if (!*loaded)
        return attach_first(lock);

    const auto known = Maps::are_known();
    if (!known)
        return std::unexpected(known.error());
    if (!*known)
        return attach_beside(lock);
    auto maps = Maps::open_pinned();
    if (!maps)
        return std::unexpected(std::move(maps.error()));
    const auto info = maps->info();
    if (!info)
        return std::unexpected(info.error());
    Attached attached{
        .maps = std::move(*maps), .identifier = {}, .fresh = false, .successor = std::nullopt};
    if (info->programs == programs_digest()) {
        // Somebody took them apart: nothing would be enforced, or not by all of them.
        const auto whole = ExecObject::is_whole();
        if (!whole)
            return std::unexpected(whole.error());
        if (!*whole)
            return attach_beside(lock);
        auto identifier = open_pin(files_pin);
        if (!identifier)
            return std::unexpected(std::move(identifier.error()));
        attached.identifier = std::move(*identifier);
        return attached;
    }
    auto object = ExecObject::load(info->path_hash_seed, &attached.maps);
    if (!object)
        return std::unexpected(std::move(object.error()));
    auto identifier = object->identifier();
    if (!identifier)
        return std::unexpected(std::move(identifier.error()));
    attached.identifier = std::move(*identifier);
    if (auto beside = object->attach_successor(lock, attached.maps); !beside)
        return std::unexpected(std::move(beside.error()));
    attached.successor = std::move(*object);
    return attached;
}

/// Undoes ensure_attached().
void detach(const Lock& lock, Attached& attached) {
    // Best effort: what stays whole enforces nothing, and the next load finds it.
    if (attached.fresh)
        static_cast<void>(remove_loaded(lock));
    if (attached.successor)
        attached.successor->unpin_successor(lock, attached.maps);
}

/// Detaches what these programs replace. Only when they enforce: the others may know files in
/// another way than the new generation describes them.
Result<> detach_others(const Lock& lock, Attached& attached) {
    if (attached.successor)
        return attached.successor->take_over(lock, attached.maps);
    return remove_directory(staging_directory); // what install() has left there
}

Result<LoadReport> replace_generation(const Lock& lock, const Attached& attached,
                                      std::span<const Policy> policies, const Rulesets& rulesets,
                                      EnforceAt enforce_at) {
    const Maps& maps = attached.maps;
    const auto current = maps.current();
    if (!current)
        return std::unexpected(current.error());
    if (auto removed = remove_other_generations(lock, maps, *current); !removed)
        return std::unexpected(std::move(removed.error()));
    const auto info = maps.info();
    if (!info)
        return std::unexpected(info.error());
    auto files = identify_named_files(policies, {.program = attached.identifier.get(),
                                                 .suffixes = maps.fd(MapId::suffixes),
                                                 .seed = info->path_hash_seed});
    if (!files)
        return std::unexpected(std::move(files.error()));
    auto set = compile(policies, files->ids, *current + 1);
    if (!set)
        return std::unexpected(std::move(set.error()));
    if (auto published = publish(lock, maps, *set, rulesets.fds, enforce_at); !published)
        return std::unexpected(std::move(published.error()));

    LoadReport report{
        .generation = set->generation, .replaced = *current != 0, .notes = rulesets.notes};
    append(report.notes, files->notes);
    return report;
}

/// Of a load that has happened: what it replaces enforces still.
Diagnostic still_attached(const Error& error) {
    return {.severity = Severity::warning,
            .file = std::string(pin_directory),
            .position = {},
            .message = "the programs of another version are still attached, beside these: " +
                       error.message(),
            .advice = "they are detached when policies are loaded again"};
}

Result<> check_switched_on() {
    if (const auto off = switched_off())
        return failure(ErrorKind::system, "llexec is switched off by " + *off,
                       "nothing is attached until that is gone");
    return {};
}

} // namespace

std::string_view to_string(EnforceAt enforce_at) {
    return enforce_at == EnforceAt::bprm_creds_for_exec ? "bprm_creds_for_exec"
                                                        : "bprm_committing_creds";
}

std::optional<EnforceAt> enforce_at_from_string(std::string_view name) {
    for (const EnforceAt candidate :
         {EnforceAt::bprm_committing_creds, EnforceAt::bprm_creds_for_exec})
        if (name == to_string(candidate))
            return candidate;
    return std::nullopt;
}

Result<LoadReport> load(std::span<const Policy> policies, EnforceAt enforce_at, const Owner* owner,
                        RulesetCache* cache) {
    if (auto checked = check_policies(policies); !checked)
        return std::unexpected(std::move(checked.error()));
    if (auto on = check_switched_on(); !on)
        return std::unexpected(std::move(on.error()));
    // A kernel without the interface gets its answer before a verifier log.
    if (auto required = kernel::require_interface(); !required)
        return std::unexpected(std::move(required.error()));
    const std::vector<Policy> ordered = in_layer_order(policies);
    RulesetCache none;
    const auto rulesets = build_rulesets(ordered, cache == nullptr ? none : *cache);
    if (!rulesets)
        return std::unexpected(rulesets.error());
    const auto lock = Lock::acquire(owner);
    if (!lock)
        return std::unexpected(lock.error());
    // Whoever switched it off, and unloaded, while this waited.
    if (auto on = check_switched_on(); !on)
        return std::unexpected(std::move(on.error()));
    auto attached = ensure_attached(*lock);
    auto report = attached ? replace_generation(*lock, *attached, ordered, *rulesets, enforce_at)
                           : Result<LoadReport>(std::unexpected(attached.error()));
    if (report)
        report->attached = attached->fresh || attached->beside;
    if (report && attached->beside) {
        report->replaced = true;
        // Until then both enforce: more than needed, never less.
        if (auto installed = ExecObject::install(*lock); !installed)
            report = std::unexpected(std::move(installed.error()));
    }
    if (!report) {
        // Programs that enforce nothing would only slow executions down.
        if (attached)
            detach(*lock, *attached);
        static_cast<void>(remove_directory(staging_directory));
        return report;
    }
    // An error does not undo what is enforced by now.
    if (auto detached = detach_others(*lock, *attached); !detached)
        report->notes.push_back(still_attached(detached.error()));
    return report;
}

} // namespace llexec
