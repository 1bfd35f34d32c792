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
#include <vector>

namespace llexec::daemon {

class Enforcement {
  public:
    /// Called when a set has become the one that is enforced.
    using Loaded = std::function<void(const LoadReport&)>;

    /// The directory's policies, while they cannot be enforced.
    struct Refused {
        StoredSet stored;
        Error why;
    };

    struct Setting {
        const Owner& owner;
        const Journal& journal;
        const PolicyStore& store;
        const Settings& settings;             ///< as they are when something is done
        Watcher& watcher;                     ///< told what the policies are about
        Counters& counters;                   ///< its reloads, and the policies' state
        std::vector<WatchedPath> also_watch;  ///< whatever the policies are
        std::function<void()> read_again;     ///< called when what was read may have changed unseen
        const std::string& self_test_program; ///< what is executed to see whether it is confined
    };

    /// What `setting` refers to outlives it.
    Enforcement(Setting setting, Loaded loaded)
        : setting_(std::move(setting)), loaded_(std::move(loaded)) {}

    /// Watches what does not depend on the policies: before anything is read.
    void begin();

    /// Enforces these policies. If they cannot be, says why, and what is enforced stays; if nothing
    /// is, the last good ones are. An error: nothing is enforced, or the self-test failed.
    [[nodiscard]] Result<> enforce(const StoredSet& stored);

    /// Enforces what is enforced once more: other files may stand at the paths. What is missing
    /// there is left out, whatever the policies say. Says an error.
    void renew();

    /// Nothing is to be done, since what was read is as it was: but it may stand in other
    /// directories now, which are watched from now on. `contents`: what stood there before it was
    /// read, of Watcher::fingerprint().
    void stay(const Fingerprint& contents);

    /// Enforces nothing. An error, which is not to be taken for success: something may still be
    /// enforced. active() says whether it is still pinned.
    [[nodiscard]] Result<> switch_off();

    /// Guards what is loaded, or does not, as the settings say.
    void guard() const;

    [[nodiscard]] bool active() const { return active_; }
    /// What is enforced; without a meaning if nothing is.
    [[nodiscard]] const StoredSet& current() const { return current_; }
    [[nodiscard]] const std::optional<Refused>& refused() const { return refused_; }
    /// Why the last renew() failed, until something is enforced anew.
    [[nodiscard]] const std::optional<Error>& behind() const { return behind_; }
    /// Why the self-test of what is enforced failed.
    [[nodiscard]] const std::optional<Error>& self_test_failure() const { return untested_; }
    /// Whether changes are told: not if nothing can be watched.
    [[nodiscard]] bool follows() const { return setting_.watcher.fd() >= 0; }
    /// Whether there is something that could not be done and may be possible a little later.
    [[nodiscard]] bool wants_retry() const;
    /// Whether a mount has changed what stands at the paths since they were resolved.
    [[nodiscard]] bool mounted_over() const;

  private:
    Result<> apply(const StoredSet& stored, std::vector<Policy> policies);
    Result<> apply_what_there_is(const StoredSet& stored);
    Result<> enforce_last_good(const Error& why);
    Result<> settle();
    Fingerprint watch(const StoredSet& more);

    Setting setting_;
    Loaded loaded_;
    StoredSet current_;
    RulesetCache rulesets_; ///< of current_
    bool active_ = false;
    std::optional<Refused> refused_;
    std::optional<Error> behind_;
    std::optional<Error> untested_;
    bool short_ = false;      ///< not all is watched, for want of descriptors or memory
    Fingerprint fingerprint_; ///< as the paths were resolved last
};

} // namespace llexec::daemon
