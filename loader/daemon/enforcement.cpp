// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "enforcement.hpp"

#include "llexec/guard.hpp"
#include "llexec/lint.hpp"
#include "llexec/path_walk.hpp"
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
    for (const std::string& path : stored.unread)
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

void Enforcement::begin() {
    // What cannot be watched is said when policies are.
    setting_.watcher.watch(setting_.also_watch);
}

Result<> Enforcement::enforce(const StoredSet& stored) {
    const Journal::Topic about(setting_.journal, "policies");
    setting_.journal.say(stored.set.diagnostics);
    auto applied = stored.hindered ? Result<>(std::unexpected(*stored.hindered))
                   : stored.set.ok()
                       ? apply(stored, stored.set.policies)
                       : failure(ErrorKind::policy, fmt::format("the policies in {} have errors",
                                                                setting_.store.directory()));
    setting_.counters.policies_valid = applied.has_value();
    if (applied) {
        refused_.reset();
        return settle();
    }
    ++setting_.counters.reloads_failed;
    refused_ = {.stored = stored, .why = applied.error()};
    // What mends it may be in files that were not watched before.
    fingerprint_.merge(watch({}));
    if (active_) {
        setting_.journal.say(applied.error(), "nothing is changed");
        return {};
    }
    // Also if it is not for the policies: they may be more than the machine can take.
    return enforce_last_good(applied.error());
}

Result<> Enforcement::enforce_last_good(const Error& why) {
    const bool for_policies = why.kind == ErrorKind::policy;
    auto kept = setting_.store.last_good();
    if (!kept && !for_policies)
        return std::unexpected(why); // one message, for a kernel without the interface above all
    if (!kept) {
        setting_.journal.say(kept.error(), "there are no last good policies");
        return failure(ErrorKind::policy, why.message(),
                       "what was enforced before, if anything, still is");
    }
    if (auto applied = apply_what_there_is(*kept); !applied)
        return for_policies ? applied : std::unexpected(why);
    setting_.journal.say(why, "the last good policies are used", Priority::critical);
    return settle();
}

/// What is done when a set has become the one that is enforced.
Result<> Enforcement::settle() {
    auto tested = run_self_test(setting_.self_test_program);
    setting_.counters.self_test_passed = tested.has_value();
    if (!tested) {
        untested_ = tested.error();
        return tested;
    }
    untested_.reset();
    if (auto kept = setting_.store.keep(current_); !kept)
        // Fail closed would be to enforce nothing.
        setting_.journal.say(kept.error(), "these policies are not kept for the next start");
    if (const auto count = say_unconfined(setting_.journal))
        setting_.counters.unconfined = *count;
    return {};
}

/// Makes a valid set the one that is enforced, its policies as they are here. On an error, what was
/// enforced still is.
Result<> Enforcement::apply(const StoredSet& stored, std::vector<Policy> policies) {
    if (std::ranges::find(policies, self_test_name, &Policy::name) != policies.end())
        return failure(ErrorKind::policy,
                       fmt::format("the name '{}' is llexecd's own", self_test_name));
    policies.push_back(self_test_policy(setting_.self_test_program));
    // Before anything is looked at, so that no change is missed, nor a mount.
    Fingerprint fingerprint = watch(stored);
    const auto report = load(policies, setting_.settings.enforce_at, &setting_.owner, &rulesets_);
    if (!report) {
        // Of what is enforced, it is still the one before that counts.
        fingerprint_.merge(fingerprint);
        return std::unexpected(report.error());
    }
    active_ = true;
    behind_.reset();
    ++setting_.counters.reloads;
    {
        const Journal::Topic about(setting_.journal, "load");
        setting_.journal.say(report->notes);
        setting_.journal.say(lint_rescue_shell(stored.set.policies));
    }
    current_ = stored;
    fingerprint_ = std::move(fingerprint);
    setting_.journal.say(Priority::notice,
                         fmt::format("generation {}: {} policies enforced at {}",
                                     report->generation, stored.set.policies.size(),
                                     to_string(setting_.settings.enforce_at)),
                         {{"LLEXEC_GENERATION", std::to_string(report->generation)}});
    guard();
    loaded_(*report);
    return {};
}

/// Of a set that was enforced before. What is missing by now may be the work of whoever owns that
/// path: with missing_paths = "error", he could keep all policies from being enforced. To leave it
/// out fails closed where it is granted something. A program that is missing is selected by its
/// path; one that cannot be looked at is not, which is said (identify_named_files()).
Result<> Enforcement::apply_what_there_is(const StoredSet& stored) {
    auto applied = apply(stored, stored.set.policies);
    if (applied || applied.error().kind != ErrorKind::policy)
        return applied;
    std::vector<Policy> policies = stored.set.policies;
    for (Policy& policy : policies)
        policy.enforce.missing_paths = MissingPaths::warn;
    if (auto again = apply(stored, std::move(policies)); !again)
        return again;
    setting_.journal.say(applied.error(),
                         "what is missing is left out, although missing_paths = \"error\"",
                         Priority::critical);
    return {};
}

void Enforcement::renew() {
    const Journal::Topic about(setting_.journal, "renewal");
    const StoredSet same = current_;
    if (auto applied = apply_what_there_is(same); !applied) {
        ++setting_.counters.reloads_failed;
        setting_.journal.say(applied.error(), "a change of files is not followed");
        behind_ = applied.error();
    }
}

void Enforcement::stay(const Fingerprint& contents) {
    watch({});
    for (const auto& [path, identity] : contents)
        fingerprint_[path] = identity;
}

Result<> Enforcement::switch_off() {
    const auto removed = unload(&setting_.owner);
    active_ = false;
    refused_.reset();
    behind_.reset();
    untested_.reset();
    const bool failed = !removed && removed.error().kind != ErrorKind::unsupported;
    if (failed) {
        // Without its pins it cannot be gone on with, whoever still holds what: the next set is
        // attached anew.
        const auto status = read_status();
        active_ = status && status->has_value();
    }
    fingerprint_ = watch({});
    if (failed)
        return std::unexpected(removed.error());
    return {};
}

bool Enforcement::wants_retry() const {
    // What was loaded once, this kernel can load: it may seem to lack something for want of memory.
    return short_ || (behind_ && behind_->kind != ErrorKind::policy) ||
           (refused_ && refused_->why.kind == ErrorKind::system);
}

void Enforcement::guard() const {
    const Journal::Topic about(setting_.journal, "guard");
    const bool wanted = setting_.settings.protect;
    if (auto guarded = wanted ? protect(&setting_.owner) : unprotect(&setting_.owner); !guarded)
        // Enforcement does not depend on it.
        setting_.journal.say(guarded.error(),
                             wanted ? "what is loaded is not guarded"
                                    : "what is loaded is still guarded",
                             Priority::critical);
}

/// What the policies are about that are enforced, that were refused, and those of one more set; and
/// where they are. All of them, for if one more set cannot be loaded, the others go on to count.
/// What stands at these paths then.
Fingerprint Enforcement::watch(const StoredSet& more) {
    const Journal::Topic about(setting_.journal, "watching");
    std::vector<WatchedPath> paths = setting_.also_watch;
    add_paths(more, paths);
    if (active_)
        add_paths(current_, paths);
    if (refused_)
        add_paths(refused_->stored, paths);
    const auto watched = setting_.watcher.watch(paths);
    short_ = watched.error && is_shortage(*watched.error);
    if (watched.error)
        // Fail-open would be not to enforce; this only means to follow changes later.
        setting_.journal.say(*watched.error, "some changes will not be followed");
    if (watched.more)
        setting_.read_again();
    return setting_.watcher.fingerprint();
}

bool Enforcement::mounted_over() const {
    return std::ranges::any_of(setting_.watcher.fingerprint(), [&](const auto& now) {
        const auto before = fingerprint_.find(now.first);
        return before == fingerprint_.end() || before->second != now.second;
    });
}

} // namespace llexec::daemon
