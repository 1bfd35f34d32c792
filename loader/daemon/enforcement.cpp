// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "enforcement.hpp"

#include "llexec/guard.hpp"
#include "llexec/lint.hpp"
#include "self_test.hpp"
#include "unconfined.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace llexec::daemon {
namespace {

void add_paths(const StoredSet& stored, std::vector<WatchedPath>& paths) {
    for (const auto& [path, text] : stored.texts)
        paths.push_back({.path = path, .watch = Watch::content});
    for (const Policy& policy : stored.set.policies) {
        for (const MatchBlock& block : policy.match) {
            for (const ExePath& exe : block.exes)
                paths.push_back({.path = exe.path});
            for (const DirectoryPath& directory : block.directories)
                paths.push_back({.path = directory.path});
        }
        for (const PathRule& rule : policy.paths)
            if (rule.path.starts_with('/'))
                paths.push_back({.path = rule.path});
    }
}

} // namespace

Result<> Enforcement::enforce(const StoredSet& stored) {
    setting_.journal.say(stored.set.diagnostics);
    auto applied = stored.set.ok()
                       ? apply(stored)
                       : failure(ErrorKind::policy, fmt::format("the policies in {} have errors",
                                                                setting_.store.directory()));
    setting_.counters.policies_valid = applied.has_value();
    if (applied) {
        refused_.reset();
        return settle();
    }
    ++setting_.counters.reloads_failed;
    refused_ = stored;
    if (active_) {
        setting_.journal.say(applied.error(), "nothing is changed");
        // What mends it may be in files that were not watched before.
        watch(current_);
        return {};
    }
    // What no other policies could make good.
    if (applied.error().kind == ErrorKind::system)
        return applied;
    return enforce_last_good(applied.error());
}

Result<> Enforcement::enforce_last_good(const Error& why) {
    const bool unsupported = why.kind == ErrorKind::unsupported;
    auto kept = setting_.store.last_good();
    if (!kept && unsupported)
        return std::unexpected(why); // a kernel without the interface: one message
    if (!kept) {
        setting_.journal.say(kept.error(), "there are no last good policies");
        return failure(ErrorKind::policy, why.message(),
                       "what was enforced before, if anything, still is");
    }
    if (auto applied = apply(*kept); !applied)
        return unsupported ? std::unexpected(why) : applied;
    setting_.journal.say(why, "the last good policies are used", Priority::critical);
    return settle();
}

/// What is done when a set has become the one that is enforced.
Result<> Enforcement::settle() {
    if (auto tested = run_self_test(setting_.self_test_program); !tested)
        return tested;
    if (auto kept = setting_.store.keep(current_); !kept)
        // Fail closed would be to enforce nothing.
        setting_.journal.say(kept.error(), "these policies are not kept for the next start");
    if (const auto count = say_unconfined(setting_.journal))
        setting_.counters.unconfined = *count;
    return {};
}

/// Makes a valid set the one that is enforced. On an error, what was enforced still is.
Result<> Enforcement::apply(const StoredSet& stored) {
    std::vector<Policy> policies = stored.set.policies;
    if (std::ranges::find(policies, self_test_name, &Policy::name) != policies.end())
        return failure(ErrorKind::policy,
                       fmt::format("the name '{}' is llexecd's own", self_test_name));
    policies.push_back(self_test_policy(setting_.self_test_program));
    // Before anything is looked at, so that no change is missed.
    watch(stored);
    const auto report = load(policies, setting_.settings.enforce_at, &setting_.owner, &rulesets_);
    if (!report)
        return std::unexpected(report.error());
    active_ = true;
    ++setting_.counters.reloads;
    setting_.journal.say(report->notes);
    setting_.journal.say(lint_rescue_shell(stored.set.policies));
    current_ = stored;
    fingerprint_ = setting_.watcher.fingerprint();
    setting_.journal.say(Priority::notice,
                         fmt::format("generation {}: {} policies enforced at {}",
                                     report->generation, stored.set.policies.size(),
                                     to_string(setting_.settings.enforce_at)),
                         {{"LLEXEC_GENERATION", std::to_string(report->generation)}});
    guard();
    loaded_(*report);
    return {};
}

void Enforcement::renew() {
    const StoredSet same = current_;
    if (auto applied = apply(same); !applied) {
        ++setting_.counters.reloads_failed;
        setting_.journal.say(applied.error(), "a change of files is not followed");
    }
}

Result<> Enforcement::switch_off() {
    watch({});
    const auto removed = unload(&setting_.owner);
    if (!removed && removed.error().kind != ErrorKind::unsupported)
        return std::unexpected(removed.error());
    active_ = false;
    return {};
}

void Enforcement::guard() const {
    const bool wanted = setting_.settings.protect;
    if (auto guarded = wanted ? protect(&setting_.owner) : unprotect(&setting_.owner); !guarded)
        // Enforcement does not depend on it.
        setting_.journal.say(guarded.error(),
                             wanted ? "what is loaded is not guarded"
                                    : "what is loaded is still guarded",
                             Priority::critical);
}

/// What the policies of a set are about, and those that were refused; and where they are.
void Enforcement::watch(const StoredSet& stored) {
    std::vector<WatchedPath> paths = setting_.also_watch;
    add_paths(stored, paths);
    if (refused_)
        add_paths(*refused_, paths);
    if (auto watched = setting_.watcher.watch(paths); !watched)
        // Fail-open would be not to enforce; this only means to follow changes later.
        setting_.journal.say(watched.error(), "some changes will not be followed");
}

bool Enforcement::mounted_over() const {
    return setting_.watcher.fingerprint() != fingerprint_;
}

} // namespace llexec::daemon
