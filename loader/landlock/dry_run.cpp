// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/landlock.hpp"

#include <cerrno>
#include <fcntl.h>

namespace llexec {
namespace {

class DryRunLandlock final : public LandlockSyscalls {
  public:
    explicit DryRunLandlock(int abi) : abi_(abi) {}

    int abi_version() override { return abi_; }
    int errata() override { return 0; }
    int create_ruleset(const RulesetAttr& attr) override {
        const AccessMasks known = rights_of_abi(abi_);
        if ((attr.handled_access_fs & ~known.fs) != 0 ||
            (attr.handled_access_net & ~known.net) != 0 || (attr.scoped & ~known.scoped) != 0)
            return -EINVAL;
        const int fd = ::open("/dev/null", O_PATH | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
    }
    int add_path_rule(int /*ruleset*/, std::uint64_t /*access*/, int /*parent*/,
                      std::uint32_t /*flags*/) override {
        return 0;
    }
    int add_port_rule(int /*ruleset*/, std::uint64_t /*access*/, std::uint64_t /*port*/,
                      std::uint32_t /*flags*/) override {
        return 0;
    }
    int restrict_self(int /*ruleset*/, std::uint32_t /*flags*/) override { return -EPERM; }
    int open_path(const char* path) override { return system_landlock().open_path(path); }
    int is_directory(int fd) override { return system_landlock().is_directory(fd); }
    int set_no_new_privs() override { return -EPERM; }

  private:
    int abi_;
};

} // namespace

Result<BuiltRuleset> dry_run(const Policy& policy, int abi) {
    DryRunLandlock kernel(abi);
    const KernelSupport support{.abi = abi, .errata = 0, .rights = rights_of_abi(abi)};
    return build_ruleset(policy, support, kernel);
}

} // namespace llexec
