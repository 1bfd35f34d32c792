// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// From a policy to a Landlock ruleset on the running kernel, and enforcing rulesets on the calling
// process.
#pragma once

#include "llexec/access.hpp"
#include "llexec/fd.hpp"
#include "llexec/policy.hpp"
#include "llexec/result.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace llexec {

/// What a rule of a path is on, as far as it matters.
enum class FileKind {
    directory,
    bpf_pin, ///< a BPF object that is pinned there, by which it is kept (a file of bpffs)
    other,   ///< of a rule on it, only the rights of files count
};

/// The system calls that this layer makes, injected so that any kernel can be simulated. Each
/// returns a non-negative value, or a negative errno value.
class LandlockSyscalls {
  public:
    struct RulesetAttr {
        std::uint64_t handled_access_fs;
        std::uint64_t handled_access_net;
        std::uint64_t scoped;
        std::uint64_t quiet_access_fs; // these three: ABI 10
        std::uint64_t quiet_access_net;
        std::uint64_t quiet_scoped;
    };

    LandlockSyscalls() = default;
    LandlockSyscalls(const LandlockSyscalls&) = delete;
    LandlockSyscalls& operator=(const LandlockSyscalls&) = delete;
    virtual ~LandlockSyscalls() = default;

    /// landlock_create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION)
    [[nodiscard]] virtual int abi_version() = 0;
    /// landlock_create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_ERRATA)
    [[nodiscard]] virtual int errata() = 0;
    /// landlock_create_ruleset(2): a new close-on-exec descriptor.
    [[nodiscard]] virtual int create_ruleset(const RulesetAttr& attr) = 0;
    /// landlock_add_rule(2) with LANDLOCK_RULE_PATH_BENEATH; `flags`: LANDLOCK_ADD_RULE_*
    [[nodiscard]] virtual int add_path_rule(int ruleset, std::uint64_t access, int parent,
                                            std::uint32_t flags) = 0;
    /// landlock_add_rule(2) with LANDLOCK_RULE_NET_PORT
    [[nodiscard]] virtual int add_port_rule(int ruleset, std::uint64_t access, std::uint64_t port,
                                            std::uint32_t flags) = 0;
    /// landlock_restrict_self(2)
    [[nodiscard]] virtual int restrict_self(int ruleset, std::uint32_t flags) = 0;
    /// open_named()
    [[nodiscard]] virtual Result<UniqueFd> open_path(const std::string& path) = 0;
    /// fstat(2), and fstatfs(2)
    [[nodiscard]] virtual Result<FileKind> kind_of(int fd) = 0;
    /// prctl(PR_SET_NO_NEW_PRIVS)
    [[nodiscard]] virtual int set_no_new_privs() = 0;
    /// stat(2) of /proc/self/task: the threads of this process, 1 or more. One that has just ended
    /// may still be counted.
    [[nodiscard]] virtual int thread_count() = 0;
};

/// The running kernel. One object for the life of the process; stateless.
[[nodiscard]] LandlockSyscalls& system_landlock();

/// What a kernel's Landlock can do.
struct KernelSupport {
    int abi = 0; ///< 1 or more
    std::uint32_t errata =
        0;              ///< fixed errata, bit N-1 for erratum N; 0 also if the kernel cannot tell
    AccessMasks rights; ///< the rights it can handle, those without a name here among them
};

/// Asks the kernel. Kind unsupported if it has no Landlock (ENOSYS) or has it disabled
/// (EOPNOTSUPP); kind system if it does not say, as for want of memory or descriptors.
[[nodiscard]] Result<KernelSupport>
query_kernel_support(LandlockSyscalls& syscalls = system_landlock());

struct BuiltRuleset {
    UniqueFd fd; ///< the ruleset; close-on-exec
    AccessMasks
        handled; ///< what it handles: the policy's rights that the kernel has; not all empty
    std::vector<Diagnostic> notes; ///< what the policy asks for and this ruleset does not have
    std::size_t rules_added = 0;   ///< objects with a rule
    std::size_t rules_skipped =
        0; ///< objects left out: path missing, or no right left on this kernel
};

/// Makes the kernel object for a policy.
///
/// Rights that the kernel lacks: with compat best-effort each is reported in `notes`, unless the
/// policy silences that lint, and left out; with strict they are an error of kind unsupported. If
/// nothing can be handled, it is that error in both cases. Paths are opened as open_named() does.
/// One that cannot be opened: reported and skipped (its rights stay handled, so the effect is
/// denial), or, with missing_paths = "error", an error of kind policy. A rule on what is not a
/// directory loses the directory-only rights; if none is left, it is as if there was nothing.
/// Errors list all their findings.
[[nodiscard]] Result<BuiltRuleset> build_ruleset(const Policy& policy, const KernelSupport& support,
                                                 LandlockSyscalls& syscalls = system_landlock());

/// A file or directory as stat(2) tells it from others.
struct FileObject {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;

    friend auto operator<=>(const FileObject&, const FileObject&) = default;
};

/// What a ruleset would hold.
struct DryRun {
    struct Rule {
        FileObject object;
        std::uint64_t access = 0;
        std::string path; ///< as PathRule has it
    };
    AccessMasks handled;
    std::vector<Diagnostic> notes;                ///< as BuiltRuleset has them
    std::vector<Rule> rules;                      ///< in the order of the policy's paths
    std::map<std::uint16_t, std::uint64_t> ports; ///< rights by port
};

/// build_ruleset() for that kernel, whatever kernel is running: paths are opened as they are here,
/// and no ruleset is made.
[[nodiscard]] Result<DryRun> dry_run(const Policy& policy, const KernelSupport& support);

/// What a kernel of that Landlock ABI version (1 or more) can do.
[[nodiscard]] KernelSupport support_of_abi(int abi);

/// The flags of landlock_restrict_self(2) (LANDLOCK_RESTRICT_SELF_*: the LOG flags, ABI 7, and
/// NO_NEW_PRIVS, ABI 11) that an [enforce] table asks for, whatever the running kernel knows.
[[nodiscard]] std::uint32_t restrict_flags(const Enforce& enforce);

/// A ruleset that is to become a layer.
struct Restriction {
    const BuiltRuleset* ruleset = nullptr; ///< never null; not needed any more after the call
    std::uint32_t flags = 0;               ///< as from restrict_flags()
};

/// Whom rulesets restrict.
enum class Reach {
    thread,    ///< the calling thread, and what it creates from then on
    process,   ///< all threads of the calling process
    next_exec, ///< what the calling thread executes next; this thread itself stays as it is
};

/// What becomes of Reach::process in a process with several threads, on a kernel that cannot
/// synchronise them (below ABI 8).
enum class WithoutTsync {
    refuse,
    thread_only, ///< Reach::thread instead: the caller has to restrict the others by other means
};

struct RestrictOptions {
    Reach reach = Reach::process;
    WithoutTsync without_tsync = WithoutTsync::refuse;
};

/// Enforces rulesets, for good: each is a layer, in this order. Returns whom they restrict, which
/// is options.reach, or Reach::thread where WithoutTsync::thread_only took effect. An empty list is
/// an error (EINVAL): nothing is never taken for enforced.
///
/// process: all threads or none, those included that are being created
/// (LANDLOCK_RESTRICT_SELF_TSYNC, ABI 8). The other threads get the calling one's domain instead of
/// their own, also where theirs denied more. The call lasts until each of them has come to a point
/// where it can be interrupted; those of their system calls that are not restarted then, such as
/// epoll_wait(2), fail with EINTR. Below ABI 8, a process of one thread is restricted as a thread.
/// One of several, and one that /proc/self/task says nothing about, is what options.without_tsync
/// is for: refuse is an error of kind unsupported. Not restricted is what the process has done by
/// an io_uring instance with credentials from before: one with IORING_SETUP_SQPOLL, or with
/// IORING_REGISTER_PERSONALITY.
///
/// next_exec: takes effect in the next execve(2) that succeeds; failed ones leave it waiting, and
/// children inherit it. The kernel keeps one such ruleset for a thread: several are an error of
/// kind policy, and a later call replaces the one before. Kind unsupported below ABI 12. A 17th
/// layer is E2BIG of that execve(2).
///
/// no_new_privs, if one of the rulesets asks for it: set before the first layer. From ABI 11 on the
/// kernel sets it with the layer, and only if that succeeds; below, it is done with prctl(2), and
/// TSYNC gives it to the other threads. With next_exec it is set in that execve(2).
///
/// An error of one ruleset changes nothing (but no_new_privs of the calling thread, below ABI 11).
/// Several are first tried on a thread that ends at once: what can be known beforehand, such as the
/// limit of 16 layers, changes nothing either. If one fails all the same (memory), the layers
/// before it stay: they only take away, and the caller must not go on as if all were there. EPERM:
/// no no_new_privs, and no CAP_SYS_ADMIN.
[[nodiscard]] Result<Reach> enforce_on_self(std::span<const Restriction> restrictions,
                                            const KernelSupport& support,
                                            const RestrictOptions& options = {},
                                            LandlockSyscalls& syscalls = system_landlock());

} // namespace llexec
