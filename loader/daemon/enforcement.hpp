// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What is enforced: one set of policies after the other, each whole, and what stands in the place
// of a set that cannot be enforced.
#pragma once

#include "journal.hpp"
#include "llexec/attach.hpp"
#include "llexec/owner.hpp"
#include "llexec/settings.hpp"
#include "metrics.hpp"
#include "policy_store.hpp"
#include "watcher.hpp"

#include <functional>
#include <optional>
#include <string>

namespace llexec::daemon {

class Enforcement {
  public:
    /// Called when a set has become the one that is enforced.
    using Loaded = std::function<void(const LoadReport&)>;

    struct Setting {
        const Owner& owner;
        const Journal& journal;
        const PolicyStore& store;
        const Settings& settings;             ///< as they are when something is done
        Watcher& watcher;                     ///< told what the policies are about
        Counters& counters;                   ///< its reloads, and the policies' state
        std::vector<WatchedPath> also_watch;  ///< whatever the policies are
        const std::string& self_test_program; ///< what is executed to see whether it is confined
    };

    /// What `setting` refers to outlives it.
    Enforcement(Setting setting, Loaded loaded)
        : setting_(std::move(setting)), loaded_(std::move(loaded)) {}

    /// Enforces these policies. If they cannot be, says why, and what is enforced stays; if nothing
    /// is, the last good ones are. An error: nothing is enforced, or the self-test failed.
    [[nodiscard]] Result<> enforce(const StoredSet& stored);

    /// Enforces what is enforced once more: other files may stand at the paths. Says an error.
    void renew();

    /// Enforces nothing. An error, which is not to be taken for success: something still is.
    [[nodiscard]] Result<> switch_off();

    /// Guards what is loaded, or does not, as the settings say.
    void guard() const;

    [[nodiscard]] bool active() const { return active_; }
    /// What is enforced; without a meaning if nothing is.
    [[nodiscard]] const StoredSet& current() const { return current_; }
    /// The directory's policies, while they cannot be enforced.
    [[nodiscard]] const std::optional<StoredSet>& refused() const { return refused_; }
    /// Whether a mount has changed what stands at the paths since they were resolved.
    [[nodiscard]] bool mounted_over() const;

  private:
    Result<> apply(const StoredSet& stored);
    Result<> enforce_last_good(const Error& why);
    Result<> settle();
    void watch(const StoredSet& stored);

    Setting setting_;
    Loaded loaded_;
    StoredSet current_;
    RulesetCache rulesets_; ///< of current_
    bool active_ = false;
    std::optional<StoredSet> refused_;
    std::vector<std::string> fingerprint_;
};

} // namespace llexec::daemon
