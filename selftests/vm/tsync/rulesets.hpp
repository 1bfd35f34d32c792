// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Rulesets, the files that they are about, and whether a thread is restricted by them.
#pragma once

#include "llexec/landlock.hpp"

#include <string>

namespace tsync {

using llexec::BuiltRuleset;
using llexec::KernelSupport;

/// The running kernel. Throws if it has no Landlock. On any thread.
KernelSupport kernel();

/// Whether it has that ABI version. If not, says that the test is left out, and why.
bool kernel_has(int abi, const char* what);

/// Directories "a" and "b" with a file "file" each; removed at the end.
class Files {
  public:
    Files();
    Files(const Files&) = delete;
    Files& operator=(const Files&) = delete;
    ~Files();

    [[nodiscard]] std::string a() const { return path_ + "/a/file"; }
    [[nodiscard]] std::string b() const { return path_ + "/b/file"; }
    [[nodiscard]] const std::string& directory() const { return path_; }

    /// Rulesets that deny reading one of them, and nothing else beneath the directory.
    [[nodiscard]] BuiltRuleset without_a() const { return granting("b"); }
    [[nodiscard]] BuiltRuleset without_b() const { return granting("a"); }

  private:
    [[nodiscard]] BuiltRuleset granting(const std::string& name) const;
    std::string path_;
};

/// What a policy file with this [[ruleset]] and these rules becomes on this kernel. Throws if it is
/// not all of it. On any thread.
BuiltRuleset build(const std::string& policy);

/// A ruleset that scopes signals and abstract unix sockets.
BuiltRuleset scoping();

/// 0, or the errno value.
int read_file(const std::string& path);
/// 0 or 1.
int no_new_privs();
/// Adds layers to the calling thread, which deny nothing that the tests do: 0, or the errno value.
int stack_layers(int count);

/// landlock_restrict_self(2) itself: 0, or the errno value.
int restrict_by_syscall(const BuiltRuleset& ruleset, std::uint32_t flags);

/// no_new_privs and the default log flags.
std::uint32_t default_flags();

/// enforce_on_self() with one ruleset and default_flags().
llexec::Result<llexec::Reach> enforce(const BuiltRuleset& ruleset,
                                      const llexec::RestrictOptions& options = {});

} // namespace tsync
