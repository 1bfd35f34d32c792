// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/landlock.hpp"
#include "llexec/landlock_uapi.hpp"
#include "llexec/path_walk.hpp"

#include <cerrno>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace llexec {
namespace {

int checked(long value) {
    return value < 0 ? -errno : static_cast<int>(value);
}

// struct landlock_path_beneath_attr is packed in the kernel's interface.
struct [[gnu::packed]] PathBeneathAttr {
    std::uint64_t allowed_access;
    std::int32_t parent_fd;
};
static_assert(sizeof(PathBeneathAttr) == 12);

struct NetPortAttr {
    std::uint64_t allowed_access;
    std::uint64_t port;
};
static_assert(sizeof(NetPortAttr) == 16);
static_assert(sizeof(LandlockSyscalls::RulesetAttr) == 48);

class SystemLandlock final : public LandlockSyscalls {
  public:
    int abi_version() override {
        return checked(
            ::syscall(SYS_landlock_create_ruleset, nullptr, 0, uapi::create_ruleset_version));
    }

    int errata() override {
        return checked(
            ::syscall(SYS_landlock_create_ruleset, nullptr, 0, uapi::create_ruleset_errata));
    }

    int create_ruleset(const RulesetAttr& attr) override {
        // An older kernel takes a longer structure as long as the part that it does not know is
        // zero.
        return checked(::syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0));
    }

    int add_path_rule(int ruleset, std::uint64_t access, int parent, std::uint32_t flags) override {
        const PathBeneathAttr attr{.allowed_access = access, .parent_fd = parent};
        return checked(
            ::syscall(SYS_landlock_add_rule, ruleset, uapi::rule_path_beneath, &attr, flags));
    }

    int add_port_rule(int ruleset, std::uint64_t access, std::uint64_t port,
                      std::uint32_t flags) override {
        const NetPortAttr attr{.allowed_access = access, .port = port};
        return checked(
            ::syscall(SYS_landlock_add_rule, ruleset, uapi::rule_net_port, &attr, flags));
    }

    int restrict_self(int ruleset, std::uint32_t flags) override {
        return checked(::syscall(SYS_landlock_restrict_self, ruleset, flags));
    }

    Result<UniqueFd> open_path(const std::string& path) override { return open_named(path); }

    Result<FileKind> kind_of(int fd) override {
        struct stat status{};
        if (::fstat(fd, &status) < 0)
            return system_error(errno, "cannot look at an object");
        if (S_ISDIR(status.st_mode))
            return FileKind::directory;
        // bpffs always says what it is: whatever fails here is no pin.
        struct statfs file_system{};
        return ::fstatfs(fd, &file_system) == 0 && file_system.f_type == BPF_FS_MAGIC
                   ? FileKind::bpf_pin
                   : FileKind::other;
    }

    int set_no_new_privs() override { return checked(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)); }

    int thread_count() override {
        struct stat status{};
        if (::stat("/proc/self/task", &status) < 0)
            return -errno;
        // The kernel adds the threads to the two links of any directory. One that does not is not
        // procfs, and knows nothing.
        constexpr nlink_t own_links = 2;
        return status.st_nlink > own_links ? static_cast<int>(status.st_nlink - own_links) : -EIO;
    }
};

} // namespace

LandlockSyscalls& system_landlock() {
    static SystemLandlock instance;
    return instance;
}

} // namespace llexec
