// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What policies allow, answered from the rules that enforcement would use.
#pragma once

#include "llexec/access.hpp"
#include "llexec/landlock.hpp"
#include "llexec/policy.hpp"
#include "llexec/result.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace llexec {

/// Something that a program may do.
struct AccessRequest {
    /// What the rights are needed on.
    enum class Target {
        object,    ///< the file or directory at `path`
        directory, ///< the directory that has, or would have, `path` as an entry
        port,
        scope,  ///< whatever is outside of the domain
        rename, ///< `path` becomes `new_path`
        link,   ///< `new_path` becomes another name of `path`
    };
    std::string text; ///< as written
    Target target = Target::object;
    std::uint64_t rights = 0;           ///< of the target's class; for rename and link none
    std::uint64_t object_rights = 0;    ///< with `directory`: rights on the new object, too
    std::uint64_t directory_rights = 0; ///< with `object`: these instead, if it is a directory
    std::uint64_t regular_rights = 0;   ///< of `rights`, asked for on regular files only
    std::uint64_t device_rights = 0;    ///< of `rights`, asked for on devices only
    std::string path = {};
    std::string new_path = {};
    std::uint16_t port = 0;
    std::uint64_t source_rights = 0; ///< with `port`: rights on port 0, which stands for the one
                                     ///< that the kernel chooses for a socket that is not bound
};

struct AccessVerb {
    std::string_view name;
    std::string_view argument; ///< "PATH", "PORT", "OLD:NEW", or empty
    std::string_view summary;
};

/// The verbs of parse_access().
[[nodiscard]] std::span<const AccessVerb> access_verbs();

/// "VERB:ARGUMENT", such as "read:/etc/passwd" or "tcp-connect:443"; also the name of a right in
/// place of the verb. Kind policy if it is anything else.
[[nodiscard]] Result<AccessRequest> parse_access(std::string_view text);

/// Why one right is granted or not.
struct RightVerdict {
    enum class Why {   // those that allow come first
        not_handled,   ///< allowed: the policy does not restrict it
        kernel_lacks,  ///< allowed: the policy handles it, and that kernel cannot restrict it
        not_asked,     ///< allowed: the kernel does not ask for it on a file of that type
        granted,       ///< allowed: by `grant`
        no_rule,       ///< denied: no rule grants it there
        more_rights,   ///< denied (EXDEV): the file would gain this right by moving to `where`
        kernel_denies, ///< denied: that kernel has no right that would allow it
    };
    AccessClass access_class = AccessClass::fs;
    std::uint64_t right = 0; ///< one bit
    Why why = Why::no_rule;
    std::string where = {};          ///< path or port that it was needed on, instead of a path that
                                     ///< does not exist what is above it; empty for scopes
    std::string rule = {};           ///< the path of the rule that grants it, as written
    std::optional<Grant> grant = {}; ///< where that rule is written, see Policy::file_of()

    [[nodiscard]] bool allowed() const { return why < Why::no_rule; }
};

struct Verdict {
    bool allowed = false;
    int error = 0;      ///< what the program gets if it is denied: EACCES, EXDEV or EPERM
    bool exists = true; ///< false: the path is not there, and is judged by what is above it
    std::vector<RightVerdict> rights; ///< in the order in which they are checked
};

/// Answers for policies that are layers of one domain, and for one kernel. The paths of rules are
/// opened once, when it is made.
class Explainer {
  public:
    /// As dry_run() of each policy; `policies` must outlive it.
    [[nodiscard]] static Result<Explainer> make(std::span<const Policy> policies,
                                                const KernelSupport& support);

    /// What each policy says to a request, in their order: allowed is what all of them allow. One
    /// that is only observed is no layer: it is judged as if it were one, and counts for no other.
    /// Symbolic links are followed as the system call would. It speaks of Landlock only: not of
    /// permissions, nor of file descriptors that a program has inherited. Kind system if the path
    /// cannot be examined.
    [[nodiscard]] Result<std::vector<Verdict>> explain(const AccessRequest& request) const;

    /// What a policy became.
    struct Layer {
        const Policy* policy;
        DryRun ruleset;
    };

    /// Of each policy, in their order.
    [[nodiscard]] std::span<const Layer> layers() const { return layers_; }

  private:
    Explainer(std::vector<Layer> layers, std::uint64_t kernel_fs)
        : layers_(std::move(layers)), kernel_fs_(kernel_fs) {}

    std::vector<Layer> layers_;
    std::uint64_t kernel_fs_; ///< the filesystem rights of the kernel
};

} // namespace llexec
