// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/ruleset_cache.hpp"

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <utility>

#ifndef STATX_MNT_ID_UNIQUE // Linux 6.8
#define STATX_MNT_ID_UNIQUE 0x00004000U
#endif

namespace llexec {
namespace {

using Place = RulesetCache::Place;

/// Whether the number of an inode that is in memory leads to that inode.
bool finds_inodes_by_number(long type) {
    constexpr std::array<long, 8> known{EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC,    BTRFS_SUPER_MAGIC,
                                        F2FS_SUPER_MAGIC, TMPFS_MAGIC,        RAMFS_MAGIC,
                                        SYSFS_MAGIC,      CGROUP2_SUPER_MAGIC};
    return std::ranges::find(known, type) != known.end();
}

/// What stands at a path; nothing if it cannot be told from other things.
std::optional<Place> look_at(const std::string& path, const Result<UniqueFd>& opened) {
    if (!opened)
        return Place{.path = path, .error = opened.error().message()};
    struct statx status{};
    struct statfs file_system{};
    constexpr unsigned wanted = STATX_INO | STATX_MNT_ID_UNIQUE;
    if (::statx(opened->get(), "", AT_EMPTY_PATH, wanted, &status) != 0 ||
        (status.stx_mask & wanted) != wanted || ::fstatfs(opened->get(), &file_system) != 0)
        return std::nullopt;
    // What is mounted stays as long as its mount.
    const bool is_mounted = (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
    if (!is_mounted && !finds_inodes_by_number(file_system.f_type))
        return std::nullopt;
    return Place{.path = path,
                 .error = {},
                 .mount = status.stx_mnt_id,
                 .device = ::makedev(status.stx_dev_major, status.stx_dev_minor),
                 .inode = status.stx_ino};
}

/// Takes down what the rules of a ruleset were made for.
class NotingLandlock final : public LandlockSyscalls {
  public:
    explicit NotingLandlock(LandlockSyscalls& kernel) : kernel_(kernel) {}

    int abi_version() override { return kernel_.abi_version(); }
    int errata() override { return kernel_.errata(); }
    int create_ruleset(const RulesetAttr& attr) override { return kernel_.create_ruleset(attr); }
    int add_path_rule(int ruleset, std::uint64_t access, int parent, std::uint32_t flags) override {
        return kernel_.add_path_rule(ruleset, access, parent, flags);
    }
    int add_port_rule(int ruleset, std::uint64_t access, std::uint64_t port,
                      std::uint32_t flags) override {
        return kernel_.add_port_rule(ruleset, access, port, flags);
    }
    int restrict_self(int ruleset, std::uint32_t flags) override {
        return kernel_.restrict_self(ruleset, flags);
    }
    Result<UniqueFd> open_path(const std::string& path) override {
        auto opened = kernel_.open_path(path);
        auto place = look_at(path, opened);
        if (place && places)
            places->push_back(std::move(*place));
        else
            places.reset();
        return opened;
    }
    Result<FileKind> kind_of(int fd) override { return kernel_.kind_of(fd); }
    int set_no_new_privs() override { return kernel_.set_no_new_privs(); }
    int thread_count() override { return kernel_.thread_count(); }

    std::optional<std::vector<Place>> places = std::vector<Place>{};

  private:
    LandlockSyscalls& kernel_;
};

/// Whether what was built for one is what the other asks for, and has the same said about it.
bool say_the_same(const Policy& one, const Policy& other) {
    return one.file == other.file && one.included == other.included &&
           one.handled == other.handled && one.quiet == other.quiet && one.paths == other.paths &&
           one.ports == other.ports && one.enforce.compat == other.enforce.compat &&
           // Where one says "error", nothing is missing.
           (one.enforce.missing_paths == other.enforce.missing_paths ||
            one.enforce.missing_paths == MissingPaths::error) &&
           one.enforce.log == other.enforce.log &&
           one.enforce.log_position == other.enforce.log_position;
}

bool stand_where_they_stood(const std::vector<Place>& places, LandlockSyscalls& syscalls) {
    return std::ranges::all_of(places, [&](const Place& place) {
        return look_at(place.path, syscalls.open_path(place.path)) == place;
    });
}

} // namespace

void RulesetCache::abandon() {
    for (auto& [name, kept] : now_)
        if (!kept.fresh)
            before_.insert_or_assign(name, std::move(kept));
    now_.clear();
}

void RulesetCache::begin() {
    abandon();
}

Result<const BuiltRuleset*> RulesetCache::build(const Policy& policy, const KernelSupport& support,
                                                LandlockSyscalls& syscalls) {
    if (auto kept = before_.extract(policy.name);
        !kept.empty() && kept.mapped().places && say_the_same(kept.mapped().policy, policy) &&
        stand_where_they_stood(*kept.mapped().places, syscalls))
        return &now_.insert(std::move(kept)).position->second.ruleset;
    NotingLandlock noting(syscalls);
    auto built = build_ruleset(policy, support, noting);
    if (!built)
        return std::unexpected(std::move(built.error()));
    return &now_.insert_or_assign(policy.name, Kept{.policy = policy,
                                                    .places = std::move(noting.places),
                                                    .ruleset = std::move(*built)})
                .first->second.ruleset;
}

void RulesetCache::end() {
    for (auto& [name, kept] : now_)
        kept.fresh = false;
    before_.clear();
}

} // namespace llexec
