// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/landlock.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <utility>

namespace llexec {
namespace {

/// Takes down what the builder asks of a kernel.
class RecordingLandlock final : public LandlockSyscalls {
  public:
    explicit RecordingLandlock(const KernelSupport& support) : support_(support) {}

    int abi_version() override { return support_.abi; }
    int errata() override { return static_cast<int>(support_.errata); }
    int create_ruleset(const RulesetAttr& attr) override {
        const AccessMasks& known = support_.rights;
        if ((attr.handled_access_fs & ~known.fs) != 0 ||
            (attr.handled_access_net & ~known.net) != 0 || (attr.scoped & ~known.scoped) != 0)
            return -EINVAL;
        const int fd = ::open("/dev/null", O_PATH | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
    }
    int add_path_rule(int /*ruleset*/, std::uint64_t access, int parent,
                      std::uint32_t /*flags*/) override {
        struct stat status{};
        if (::fstat(parent, &status) < 0)
            return -errno;
        rules.push_back({.object = {.device = status.st_dev, .inode = status.st_ino},
                         .access = access,
                         .path = opened_});
        return 0;
    }
    int add_port_rule(int /*ruleset*/, std::uint64_t access, std::uint64_t port,
                      std::uint32_t /*flags*/) override {
        ports[static_cast<std::uint16_t>(port)] |= access;
        return 0;
    }
    int restrict_self(int /*ruleset*/, std::uint32_t /*flags*/) override { return -EPERM; }
    Result<UniqueFd> open_path(const std::string& path) override {
        opened_ = path;
        return system_landlock().open_path(path);
    }
    Result<FileKind> kind_of(int fd) override { return system_landlock().kind_of(fd); }
    int set_no_new_privs() override { return -EPERM; }
    int thread_count() override { return -EPERM; }

    std::vector<DryRun::Rule> rules;
    std::map<std::uint16_t, std::uint64_t> ports;

  private:
    KernelSupport support_;
    std::string opened_; ///< last; a rule is added to what was opened for it
};

} // namespace

Result<DryRun> dry_run(const Policy& policy, const KernelSupport& support) {
    RecordingLandlock kernel(support);
    auto built = build_ruleset(policy, support, kernel);
    if (!built)
        return std::unexpected(std::move(built.error()));
    return DryRun{.handled = built->handled,
                  .notes = std::move(built->notes),
                  .rules = std::move(kernel.rules),
                  .ports = std::move(kernel.ports)};
}

KernelSupport support_of_abi(int abi) {
    return {.abi = abi, .errata = 0, .rights = rights_of_abi(abi)};
}

} // namespace llexec
