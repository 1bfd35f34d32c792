// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "rulesets.hpp"

#include "catch.hpp"
#include "llexec/landlock_uapi.hpp"
#include "llexec/policy_file.hpp"
#include "llexec/user_database.hpp"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace tsync {

namespace fs = std::filesystem;

// This and build(): no assertions, which are for one thread only. Who has nothing throws.

KernelSupport kernel() {
    return llexec::query_kernel_support().value();
}

bool kernel_has(int abi, const char* what) {
    const int own = kernel().abi;
    if (own >= abi)
        return true;
    // In the machine, the kernel is the one that has all of it.
    if (std::getenv("VMTEST") != nullptr)
        FAIL(what << " needs Landlock ABI " << abi << ", this kernel has " << own);
    WARN("skipped: " << what << " needs Landlock ABI " << abi << ", this kernel has " << own);
    return false;
}

Files::Files() {
    std::string name = (fs::temp_directory_path() / "tsync.XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
    // Also for users that a test becomes.
    fs::permissions(path_, fs::perms{0755});
    for (const char* const directory : {"a", "b"}) {
        fs::create_directory(fs::path(path_) / directory);
        std::ofstream(fs::path(path_) / directory / "file") << "text\n";
    }
    REQUIRE(read_file(a()) == 0);
    REQUIRE(read_file(b()) == 0);
}

Files::~Files() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
}

BuiltRuleset Files::granting(const std::string& name) const {
    return build("[[ruleset]]\n"
                 "handled_access_fs = [\"read_file\"]\n"
                 "[[path_beneath]]\n"
                 "allowed_access = [\"read_file\"]\n"
                 "parent = [\"/proc\", \"/sys\", \"" +
                 path_ + '/' + name + "\"]\n");
}

BuiltRuleset build(const std::string& policy) {
    llexec::SystemUserDatabase users;
    const auto parsed = llexec::parse_policy(policy, "test.toml", users);
    auto built = llexec::build_ruleset(parsed.policy.value(), kernel()).value();
    if (!built.notes.empty())
        throw std::runtime_error(built.notes.front().message);
    return built;
}

BuiltRuleset scoping() {
    return build("[[ruleset]]\nscoped = [\"signal\", \"abstract_unix_socket\"]\n");
}

int read_file(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    ::close(fd);
    return 0;
}

int no_new_privs() {
    return ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
}

int restrict_by_syscall(const BuiltRuleset& ruleset, std::uint32_t flags) {
    const int result = llexec::system_landlock().restrict_self(ruleset.fd.get(), flags);
    return result < 0 ? -result : 0;
}

int stack_layers(int count) {
    const BuiltRuleset ruleset = build("[[ruleset]]\nhandled_access_fs = [\"make_block\"]\n");
    for (int i = 0; i < count; ++i) {
        if (const int error = restrict_by_syscall(ruleset, 0); error != 0)
            return error;
    }
    return 0;
}

std::uint32_t default_flags() {
    return llexec::restrict_flags(llexec::Enforce{});
}

llexec::Result<llexec::Reach> enforce(const BuiltRuleset& ruleset,
                                      const llexec::RestrictOptions& options) {
    const llexec::Restriction restriction{.ruleset = &ruleset, .flags = default_flags()};
    return llexec::enforce_on_self({&restriction, 1}, kernel(), options);
}

} // namespace tsync
