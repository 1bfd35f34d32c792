// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/landlock.hpp"
#include "llexec/landlock_uapi.hpp"
#include "llexec/lint.hpp"
#include "llexec/path_walk.hpp"
#include "llexec/printable.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

namespace llexec {
namespace {

/// Builds one ruleset: the state that the steps share.
class Builder {
  public:
    Builder(const Policy& policy, const KernelSupport& support, LandlockSyscalls& syscalls)
        : policy_(policy), support_(support), syscalls_(syscalls) {}

    Result<BuiltRuleset> build() {
        reduce_to_kernel();
        if (lost_something_ && policy_.enforce.compat == Compat::strict)
            return refuse(
                ErrorKind::unsupported,
                fmt::format(
                    "policy '{}' has compat = \"strict\", and a kernel of Landlock ABI {} lacks "
                    "some of what it asks for",
                    policy_.name, support_.abi),
                "use a newer kernel, or compat = \"best-effort\"");
        if (built_.handled.empty())
            return refuse(
                ErrorKind::unsupported,
                fmt::format("a kernel of Landlock ABI {} can enforce nothing of policy '{}'",
                            support_.abi, policy_.name));

        const int fd = syscalls_.create_ruleset({.handled_access_fs = built_.handled.fs,
                                                 .handled_access_net = built_.handled.net,
                                                 .scoped = built_.handled.scoped,
                                                 .quiet_access_fs = quiet_.fs,
                                                 .quiet_access_net = quiet_.net,
                                                 .quiet_scoped = quiet_.scoped});
        if (fd < 0)
            return system_error(-fd, "landlock_create_ruleset failed");
        built_.fd.reset(fd);

        for (const PathRule& rule : policy_.paths)
            if (Result<> added = add_path(rule); !added)
                return std::unexpected(std::move(added.error()));
        for (const PortRule& rule : policy_.ports)
            if (Result<> added = add_port(rule); !added)
                return std::unexpected(std::move(added.error()));
        if (fatal_)
            return refuse(ErrorKind::policy,
                          fmt::format("policy '{}' cannot be built", policy_.name));
        return std::move(built_);
    }

  private:
    /// A finding of that lint, unless the policy silences it; or an error.
    void report(bool fatal, std::string_view lint, const std::string& file, Position position,
                std::string message, std::string advice = {}) {
        fatal_ = fatal_ || fatal;
        if (!fatal && policy_.silences(lint))
            return;
        Diagnostic note = make_finding(lint, file, position, std::move(message), std::move(advice));
        if (fatal) {
            note.severity = Severity::error;
            note.lint.clear();
        }
        built_.notes.push_back(std::move(note));
    }

    std::unexpected<Error> refuse(ErrorKind kind, std::string what, std::string hint = {}) {
        std::unexpected<Error> error = failure(kind, std::move(what), std::move(hint));
        error.error().diagnostics = std::move(built_.notes);
        return error;
    }

    void reduce_to_kernel() {
        AccessMasks unknown = policy_.handled;
        for (const AccessRight& right : access_rights()) {
            const std::uint64_t wanted = policy_.handled.of(right.access_class) & right.bit;
            unknown.of(right.access_class) &= ~right.bit;
            if (wanted == 0)
                continue;
            if ((support_.rights.of(right.access_class) & right.bit) != 0)
                built_.handled.of(right.access_class) |= right.bit;
            else
                report_lost(right);
        }
        for (const AccessClass access_class : access_classes)
            reduce_unnamed(access_class, unknown.of(access_class));
        reduce_quiet();
        if (policy_.enforce.log_position.line != 0 &&
            (policy_.enforce.log & uapi::restrict_self_log_new_exec_on) != 0 &&
            support_.abi < uapi::log_flags_abi)
            lose(policy_.enforce.log_position,
                 fmt::format("a kernel of Landlock ABI {} does not log denials: ABI {} (Linux "
                             "{}) is needed",
                             support_.abi, uapi::log_flags_abi, linux_of_abi(uapi::log_flags_abi)));
    }

    /// Rights that were given by number, because this version has no name for them.
    void reduce_unnamed(AccessClass access_class, std::uint64_t unnamed) {
        const std::uint64_t known = support_.rights.of(access_class);
        built_.handled.of(access_class) |= unnamed & known;
        for (std::uint64_t lost = unnamed & ~known; lost != 0; lost &= lost - 1)
            lose({}, fmt::format("{} right {:#x} stays unrestricted: this kernel does not have it",
                                 to_string(access_class), lost & -lost));
    }

    void reduce_quiet() {
        if (policy_.quiet.empty())
            return;
        if (support_.abi < uapi::quiet_abi) {
            lose({},
                 fmt::format("denials of quiet rights are logged: quiet rules need Landlock ABI "
                             "{} (Linux {}), the kernel has ABI {}",
                             uapi::quiet_abi, linux_of_abi(uapi::quiet_abi), support_.abi));
            return;
        }
        for (const AccessClass access_class : access_classes)
            quiet_.of(access_class) =
                policy_.quiet.of(access_class) & built_.handled.of(access_class);
    }

    /// Of landlock_add_rule(2). Without quiet rights the kernel refuses the flag.
    [[nodiscard]] std::uint32_t flags_of(bool quiet, AccessClass access_class) const {
        return quiet && quiet_.of(access_class) != 0 ? uapi::add_rule_quiet : 0U;
    }

    void report_lost(const AccessRight& right) {
        // Before ABI 2 a link or rename across directories is refused to every confined program.
        const std::string_view effect =
            right.name == "refer" ? "stays denied everywhere" : "stays unrestricted";
        lose({}, fmt::format(
                     "{} right '{}' {}: it needs Landlock ABI {} (Linux {}), the kernel has ABI {}",
                     to_string(right.access_class), right.name, effect, right.first_abi,
                     linux_of_abi(right.first_abi), support_.abi));
    }

    void lose(Position position, std::string message) {
        lost_something_ = true;
        report(policy_.enforce.compat == Compat::strict, "kernel-lacks-right", policy_.file,
               position, std::move(message));
    }

    /// What the file system is like is no error of the policy, unless it says so: whoever owns one
    /// of these paths could have it refused. Fail closed: what the rule grants is denied.
    void skip_path(const PathRule& rule, std::string what, const std::string& advice) {
        ++built_.rules_skipped;
        const bool fatal = policy_.enforce.missing_paths == MissingPaths::error;
        // About the first place that names it.
        const Grant first = rule.grants.empty() ? Grant{} : rule.grants.front();
        report(fatal, "missing-path", policy_.file_of(first), first.position, std::move(what),
               fatal ? advice + ", or remove the rule, or use missing_paths = \"warn\""
                     : "the rule is left out, and what it grants is denied");
    }

    void skip_unusable(const PathRule& rule, std::string_view reason) {
        skip_path(rule, fmt::format("'{}' cannot be opened: {}", printable(rule.path), reason),
                  "create it");
    }
    void skip_unusable(const PathRule& rule, int code) {
        skip_unusable(rule, std::generic_category().message(code));
    }

    Result<> add_path(const PathRule& rule) {
        const std::uint64_t access = rule.access & built_.handled.fs;
        const std::uint32_t flags = flags_of(rule.quiet, AccessClass::fs);
        if (access == 0 && flags == 0) {
            ++built_.rules_skipped;
            return {};
        }
        // A name with a NUL byte names nothing; as a C string it would name something else.
        if (rule.path.find('\0') != std::string::npos) {
            skip_unusable(rule, EINVAL);
            return {};
        }
        auto opened = syscalls_.open_path(rule.path);
        if (!opened && is_shortage(opened.error()))
            return std::unexpected(std::move(opened.error()));
        if (!opened) {
            skip_unusable(rule, opened.error().reason());
            return {};
        }
        return add_object(rule, access, flags, *opened);
    }

    Result<> add_object(const PathRule& rule, std::uint64_t access, std::uint32_t flags,
                        const UniqueFd& parent) {
        const auto kind = syscalls_.kind_of(parent.get());
        if (!kind) {
            // A file system in user space may not even tell root what its files are.
            skip_unusable(rule, kind.error().code);
            return {};
        }
        // A ruleset keeps the objects of its rules. One that keeps what enforces it, as a link of
        // llexec's own does, could not be got rid of before the next boot.
        if (*kind == FileKind::bpf_pin) {
            skip_path(rule,
                      fmt::format("'{}' is a BPF object, which would stay although its pin is "
                                  "removed",
                                  printable(rule.path)),
                      "name its directory");
            return {};
        }
        const bool directory = *kind == FileKind::directory;
        // Rights without a name here: the kernel tells whether files have them.
        const std::uint64_t unnamed = access & ~rights_of_abi(newest_known_abi()).fs;
        if (!directory)
            access &= file_rights() | unnamed;
        int error = access == 0 && flags == 0
                        ? -ENOMSG
                        : syscalls_.add_path_rule(built_.fd.get(), access, parent.get(), flags);
        if (error == -EINVAL && !directory && unnamed != 0) {
            access &= ~unnamed;
            error = access == 0 && flags == 0
                        ? -ENOMSG
                        : syscalls_.add_path_rule(built_.fd.get(), access, parent.get(), flags);
        }
        if (error == -ENOMSG) {
            skip_path(
                rule,
                fmt::format("'{}' is not a directory, and only directory rights are granted on it",
                            printable(rule.path)),
                "grant at least one of execute, write_file, read_file, truncate, ioctl_dev, or "
                "name the directory");
            return {};
        }
        if (error == -EBADFD) { // a pipe, and whatever else has no place in the file system
            skip_unusable(rule, EBADFD);
            return {};
        }
        if (error < 0)
            return system_error(-error,
                                fmt::format("landlock_add_rule failed for '{}'", rule.path));
        ++built_.rules_added;
        return {};
    }

    Result<> add_port(const PortRule& rule) {
        const std::uint64_t access = rule.access & built_.handled.net;
        const std::uint32_t flags = flags_of(rule.quiet, AccessClass::net);
        if (access == 0 && flags == 0) {
            ++built_.rules_skipped;
            return {};
        }
        if (const int error = syscalls_.add_port_rule(built_.fd.get(), access, rule.port, flags);
            error < 0)
            return system_error(-error,
                                fmt::format("landlock_add_rule failed for port {}", rule.port));
        ++built_.rules_added;
        return {};
    }

    const Policy& policy_;
    const KernelSupport& support_;
    LandlockSyscalls& syscalls_;
    BuiltRuleset built_;
    AccessMasks quiet_; ///< the policy's quiet rights that the ruleset has
    bool lost_something_ = false;
    bool fatal_ = false;
};

} // namespace

Result<BuiltRuleset> build_ruleset(const Policy& policy, const KernelSupport& support,
                                   LandlockSyscalls& syscalls) {
    return Builder(policy, support, syscalls).build();
}

} // namespace llexec
