// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "service.hpp"

#include "account.hpp"
#include "confinement.hpp"
#include "enforcement.hpp"
#include "event_loop.hpp"
#include "llexec/attach.hpp"
#include "llexec/off_switch.hpp"
#include "llexec/owner.hpp"
#include "llexec/printable.hpp"
#include "llexec/settings.hpp"
#include "llexec/trusted_files.hpp"
#include "metrics.hpp"
#include "policy_store.hpp"
#include "settling.hpp"
#include "watcher.hpp"

#include <fmt/format.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <optional>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <system_error>
#include <utility>
#include <vector>

namespace llexec::daemon {
namespace {

using namespace std::chrono_literals;

std::string directory_of(const std::string& path) {
    return path.substr(0, std::max<std::size_t>(path.rfind('/'), 1));
}

/// That of the name, and that of the file which a symbolic link of this name leads to.
void add_directories(const std::string& path, std::vector<std::string>& to) {
    to.push_back(directory_of(path));
    std::error_code error;
    const auto real = std::filesystem::canonical(path, error);
    if (!error)
        to.push_back(directory_of(real.string()));
}

class Service {
  public:
    Service(const Options& options, const Journal& journal)
        : options_(options), journal_(journal), store_(options.policies, options.state) {}

    ExitCode run() {
        if (auto prepared = prepare(); !prepared) {
            journal_.say(prepared.error(), "cannot start");
            return exit_code(prepared.error().kind);
        }
        if (auto started = start(); !started) {
            const auto status = read_status();
            const bool enforced = status && status->has_value() && (*status)->whole;
            journal_.say(started.error(), "cannot start",
                         enforced ? Priority::error : Priority::critical);
            account_->write_metrics();
            ::sd_notifyf(0, "STATUS=cannot start: %s",
                         printable(started.error().message()).c_str());
            return exit_code(started.error().kind);
        }
        account_->notify_ready();
        if (auto ended = loop_->run(); !ended) {
            journal_.say(ended.error(), "cannot go on");
            return ExitCode::runtime_error;
        }
        ::sd_notify(0, "STOPPING=1");
        account_->write_metrics();
        journal_.say(Priority::notice,
                     enforcement_->active() ? "stopped; enforcement goes on" : "stopped");
        // To be started again.
        return failed_ ? ExitCode::runtime_error : ExitCode::ok;
    }

  private:
    // -- Starting ----------------------------------------------------------

    Result<> prepare() {
        auto owner = Owner::become();
        if (!owner)
            return std::unexpected(std::move(owner.error()));
        owner_.emplace(std::move(*owner));
        auto loop = EventLoop::create();
        if (!loop)
            return std::unexpected(std::move(loop.error()));
        loop_.emplace(std::move(*loop));
        auto watcher = Watcher::create();
        if (!watcher) {
            // Fail-open would be to enforce nothing.
            journal_.say(watcher.error(), "no change will be followed without SIGHUP",
                         Priority::critical);
            watcher = Watcher::blind();
        }
        watcher_.emplace(std::move(*watcher));
        enforcement_.emplace(
            Enforcement::Setting{.owner = *owner_,
                                 .journal = journal_,
                                 .store = store_,
                                 .settings = settings_,
                                 .watcher = *watcher_,
                                 .counters = counters_,
                                 .also_watch = {{options_.config, Watch::content},
                                                {options_.policies, Watch::content},
                                                {std::string(off_file), Watch::content},
                                                // Names become numbers when policies are read.
                                                {"/etc/passwd", Watch::content},
                                                {"/etc/group", Watch::content}},
                                 .read_again =
                                     [this] {
                                         contents_timer_->set(
                                             contents_settling_.time(Settling::Clock::now()));
                                     },
                                 .self_test_program = options_.self_test_program},
            [this](const LoadReport& report) { account_->read_events(report.attached); });
        account_.emplace(Account::Setting{.journal = journal_,
                                          .owner = *owner_,
                                          .loop = *loop_,
                                          .store = store_,
                                          .settings = settings_,
                                          .enforcement = enforcement_,
                                          .off = off_,
                                          .trouble = trouble_,
                                          .counters = counters_});
        if (auto begun = account_->begin(); !begun)
            return begun;
        mounts_ = UniqueFd(::open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC));
        if (!mounts_.valid())
            return system_error(errno, "cannot open /proc/self/mountinfo");
        if (auto added = add_timers(); !added)
            return added;
        for (const int signal : {SIGTERM, SIGINT})
            if (auto added = loop_->on_signal(signal, [this] { loop_->stop(); }); !added)
                return added;
        if (auto added = loop_->on_signal(SIGHUP, [this] { reload(); }); !added)
            return added;
        if (watcher_->fd() >= 0)
            if (auto added = loop_->on_poll(watcher_->fd(), EPOLLIN, [this] { note_changes(); });
                !added)
                return added;
        return loop_->on_poll(mounts_.get(), EPOLLPRI | EPOLLERR, [this] {
            mount_timer_->set(mounts_settling_.time(Settling::Clock::now()));
        });
    }

    Result<> add_timers() {
        const std::array<std::pair<EventLoop::Timer**, void (Service::*)()>, 3> wanted{
            {{&objects_timer_, &Service::follow_objects},
             {&contents_timer_, &Service::follow_contents},
             {&mount_timer_, &Service::follow_mounts}}};
        for (const auto& [timer, handler] : wanted) {
            const auto added = loop_->add_timer([this, handler] { (this->*handler)(); });
            if (!added)
                return std::unexpected(added.error());
            *timer = *added;
        }
        return {};
    }

    /// Enforcing, or switched off, and confined itself; or an error.
    Result<> start() {
        // Of the service manager, or of tmpfiles.d; without either, llexecd confines itself to what
        // is there.
        ::mkdir("/run/llexec", 0755);
        // Of the programs that are attached; they may be replaced.
        account_->say_lost();
        // Before anything is read, so that no change is missed.
        enforcement_->begin();
        read_settings();
        off_ = switched_off();
        const StoredSet stored = store_.read();
        counters_.policies_valid = stored.set.ok() && !stored.hindered;
        if (auto done = off_ ? switch_off() : enforcement_->enforce(stored); !done)
            return done;
        account_->write_metrics_soon();
        if (!options_.confine)
            return {};
        if (auto dropped = drop_capabilities(); !dropped)
            return dropped;
        return confine_self(own_places(stored));
    }

    /// With what the policies in the directory are made of, and those that are enforced: the former
    /// may be mended to include again what the latter did.
    [[nodiscard]] OwnPlaces own_places(const StoredSet& stored) const {
        OwnPlaces places{.read = {"/etc", "/usr", "/lib", "/lib64", "/proc", "/sys",
                                  // What nss-systemd(8) and libnss-sss read.
                                  "/run/userdb", "/run/host/userdb", "/var/lib/sss/mc",
                                  options_.policies},
                         .write = {options_.state, "/run/llexec", "/sys/fs/bpf"},
                         .sockets = own_sockets(),
                         .programs = directory_of(options_.self_test_program)};
        // Of the service manager, /run/systemd/notify; one with an "@" has no path. One thread.
        if (const char* const socket =
                std::getenv("NOTIFY_SOCKET"); // NOLINT(concurrency-mt-unsafe)
            socket != nullptr && *socket == '/')
            places.sockets.emplace_back(socket);
        add_directories(options_.config, places.read);
        for (const StoredSet* const set : {&stored, &enforcement_->current()})
            for (const auto& [path, text] : set->texts)
                add_directories(path, places.read);
        if (!settings_.metrics.empty())
            places.write.push_back(directory_of(settings_.metrics));
        return places;
    }

    // -- Settings and policies ---------------------------------------------

    /// Settings that are not valid are as if they had not changed.
    void read_settings() {
        const Journal::Topic about(journal_, "settings");
        TrustedPolicyFiles files;
        const auto text = files.read(options_.config);
        if (!text && text.error().code == ENOENT) {
            settings_ = {};
        } else if (!text) {
            journal_.say(text.error(), "settings are not changed");
        } else {
            auto parsed = parse_settings(*text, options_.config);
            journal_.say(parsed.diagnostics);
            if (parsed.settings)
                settings_ = std::move(*parsed.settings);
        }
        account_->set_report(settings_.report);
    }

    // -- Changes -----------------------------------------------------------

    void reload() {
        ::sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
                     static_cast<unsigned long long>(now_us()));
        const Journal::Everything everything(journal_);
        configure(true);
        retry_later();
        account_->notify_ready();
    }

    /// What is done because of a change that was seen.
    void answer(Settling& settling, const std::function<void()>& action) {
        action();
        settling.answered(Settling::Clock::now());
        retry_later();
        account_->notify_status();
    }

    /// What failed for want of memory or the like may go well when that has passed.
    void retry_later() {
        if (enforcement_->wants_retry())
            objects_timer_->set(objects_settling_.time(Settling::Clock::now()));
    }

    static std::uint64_t now_us() {
        const auto now = std::chrono::steady_clock::now().time_since_epoch();
        return static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::microseconds>(now).count());
    }

    void note_changes() {
        const auto changes = watcher_->read();
        if (!changes) {
            journal_.say(changes.error(), "changes are not followed any more");
            failed_ = true;
            loop_->stop();
            return;
        }
        const auto now = Settling::Clock::now();
        if (changes->contents)
            contents_timer_->set(contents_settling_.time(now));
        if (changes->objects)
            objects_timer_->set(objects_settling_.time(now));
    }

    void follow_contents() {
        answer(contents_settling_, [this] { configure(false); });
    }

    void follow_objects() {
        answer(objects_settling_, [this] { resolve(); });
    }

    /// Unrelated mounts come at any rate, and cost little.
    void follow_mounts() {
        if (enforcement_->mounted_over())
            answer(mounts_settling_, [this] {
                configure(false);
                if (enforcement_->mounted_over())
                    resolve();
            });
    }

    /// Reads settings and policies anew. `always`: also if they are as before.
    void configure(bool always) {
        const Settings before = settings_;
        const bool was_off = off_.has_value();
        // Before anything is read, so that no change is missed.
        const Fingerprint contents = watcher_->fingerprint(Watch::content);
        read_settings();
        if (enforcement_->active() && settings_.protect != before.protect)
            enforcement_->guard();
        off_ = switched_off();
        account_->write_metrics_soon();
        if (off_) {
            if (was_off && !trouble_ && !enforcement_->active()) {
                enforcement_->stay(contents);
                return;
            }
            const Journal::Topic about(journal_, "off");
            trouble_.reset();
            if (auto done = switch_off(); !done) {
                journal_.say(done.error(), "cannot be switched off", Priority::critical);
                trouble_ = done.error();
            }
            return;
        }
        const StoredSet stored = store_.read();
        if (!always && enforcement_->active() && !enforcement_->refused() && stored.set.ok() &&
            mean_the_same(stored, enforcement_->current()) &&
            settings_.enforce_at == before.enforce_at) {
            enforcement_->stay(contents);
            return;
        }
        const Journal::Topic about(journal_, "outcome");
        trouble_.reset();
        if (auto done = enforcement_->enforce(stored); !done) {
            journal_.say(done.error(),
                         enforcement_->active() ? "the policies are loaded" : "NOTHING IS ENFORCED",
                         Priority::critical);
            trouble_ = done.error();
        }
    }

    /// Another file stands at a path that a policy names: the same policies, resolved anew.
    void resolve() {
        if (off_) {
            // What could not be watched may be what switches it on.
            if (enforcement_->wants_retry())
                configure(false);
            return;
        }
        const auto reloads = counters_.reloads;
        // What could not be loaded may have wanted just that file.
        if (const auto& refused = enforcement_->refused();
            refused && (refused->stored.set.ok() || refused->stored.hindered))
            configure(false);
        if (enforcement_->active() && counters_.reloads == reloads)
            enforcement_->renew();
        account_->write_metrics_soon();
    }

    Result<> switch_off() {
        account_->drop_events();
        account_->say_lost();
        auto done = enforcement_->switch_off();
        // Not before it is true.
        if (done)
            journal_.say(Priority::warning,
                         fmt::format("switched off by {}: NO POLICY IS ENFORCED", *off_));
        else if (enforcement_->active())
            account_->read_events(true);
        return done;
    }

    const Options& options_;
    const Journal& journal_;
    PolicyStore store_;
    Settings settings_;
    bool failed_ = false;
    std::optional<std::string> off_;
    std::optional<Error> trouble_; ///< what was asked for last and could not be done
    std::optional<Owner> owner_;
    std::optional<EventLoop> loop_;
    std::optional<Watcher> watcher_;
    std::optional<Enforcement> enforcement_;
    std::optional<Account> account_;
    UniqueFd mounts_;
    EventLoop::Timer* objects_timer_ = nullptr;
    EventLoop::Timer* contents_timer_ = nullptr;
    EventLoop::Timer* mount_timer_ = nullptr;
    // Each for itself: one who can rename files does not delay what root writes.
    Settling contents_settling_;
    Settling objects_settling_;
    Settling mounts_settling_;
    Counters counters_;
};

} // namespace

ExitCode run_service(const Options& options, const Journal& journal) {
    return Service(options, journal).run();
}

} // namespace llexec::daemon
