// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/guard.hpp"

#include "attach/digest.hpp"
#include "attach/maps.hpp"
#include "attach/pins.hpp"
#include "guard.skel.h"
#include "kernel/file_identity.hpp"
#include "kernel/libbpf_log.hpp"
#include "llexec/attach.hpp"
#include "llexec/path_walk.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <memory>
#include <set>
#include <span>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace llexec {
namespace {

using namespace attach;

/// All of the guard's pins have this in their names.
constexpr std::string_view marker = "llexec_guard";
constexpr std::uint32_t only = 0;

struct Destroy {
    void operator()(guard_bpf* skeleton) const { guard_bpf::destroy(skeleton); }
};

using Skeleton = std::unique_ptr<guard_bpf, Destroy>;

std::uint64_t guard_digest() {
    std::size_t size = 0;
    const void* const bytes = guard_bpf::elf_bytes(&size);
    return digest_of(bytes, size);
}

/// The device number as the kernel has it, of what stat(2) says about a file system of its own.
std::uint32_t kernel_device(dev_t device) {
    return (major(device) << 20) | minor(device);
}

Result<llexec_guard> describe(std::uint64_t seed) {
    struct stat directory{};
    if (::stat(std::string(pin_directory).c_str(), &directory) != 0)
        return system_error(errno, fmt::format("cannot look at {}", pin_directory));
    llexec_guard guard{};
    guard.program_digest = guard_digest();
    guard.directory_ino = directory.st_ino;
    guard.directory_dev = kernel_device(directory.st_dev);

    const UniqueFd self(::open("/proc/self/exe", O_PATH | O_CLOEXEC));
    if (!self.valid())
        return system_error(errno, "cannot open /proc/self/exe");
    std::vector<kernel::IdentifiedFile> files{{.fd = self.get()}};
    const auto installed = walk_path(LLEXEC_INSTALLED_DAEMON);
    if (installed && installed->ends)
        files.push_back({.fd = installed->fd.get(), .below = installed->below});
    const auto identifier = open_pin(files_pin);
    if (!identifier)
        return std::unexpected(identifier.error());
    const auto suffixes = open_pin(name_of(MapId::suffixes));
    if (!suffixes)
        return std::unexpected(suffixes.error());
    const auto found = kernel::identify_files(
        {.program = identifier->get(), .suffixes = suffixes->get(), .seed = seed}, files);
    if (!found)
        return std::unexpected(found.error());
    guard.programs[0] = found->front().id;
    guard.programs[0].path_hash = 0; // where it was built, others may be able to replace it
    if (found->size() > 1) {
        guard.programs[1] = found->back().id;
        if (!installed->below.empty())
            guard.programs[1].inode.ino = 0; // not there: by its path alone
    }
    return guard;
}

using GuardedKey = std::pair<std::uint32_t, std::uint32_t>;

/// Removes what has been replaced since: there is not much room.
Result<> forget_others(int guarded, const std::set<GuardedKey>& pinned) {
    std::vector<llexec_guarded_object> keys;
    llexec_guarded_object key{};
    while (bpf_map_get_next_key(guarded, keys.empty() ? nullptr : &keys.back(), &key) == 0)
        keys.push_back(key);
    if (errno != ENOENT)
        return system_error(errno, "cannot list the map llexec_guarded");
    for (const llexec_guarded_object& object : keys)
        if (!pinned.contains({object.kind, object.id}) &&
            bpf_map_delete_elem(guarded, &object) != 0)
            return system_error(errno, "cannot remove from the map llexec_guarded");
    return {};
}

Result<> store_objects(int guarded) {
    const auto names = list_pins(pin_directory);
    if (!names)
        return std::unexpected(names.error());
    std::set<GuardedKey> pinned;
    for (const std::string& name : *names) {
        if (name == processes_pin)
            continue; // it only tells, and `llexec status` asks
        const auto object = object_id(name);
        if (!object)
            return std::unexpected(object.error());
        const llexec_guarded_object key{.kind = static_cast<std::uint32_t>(object->kind),
                                        .id = object->id};
        const std::uint32_t value = 1;
        if (bpf_map_update_elem(guarded, &key, &value, BPF_ANY) != 0)
            return system_error(errno, "cannot write to the map llexec_guarded");
        pinned.emplace(key.kind, key.id);
    }
    return forget_others(guarded, pinned);
}

Result<> trust_self(int trusted) {
    const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
    const int key = pidfd.get();
    const std::uint32_t value = 1;
    if (!pidfd.valid() || bpf_map_update_elem(trusted, &key, &value, BPF_ANY) != 0)
        return system_error(errno, "cannot write to the map llexec_trusted");
    return {};
}

Result<> remove_guard() {
    return remove_pins(pin_directory, [](std::string_view name) {
        return name.find(marker) != std::string_view::npos;
    });
}

std::string link_pin(const bpf_prog_skeleton& program) {
    return fmt::format("link_{}", program.name);
}

std::span<const bpf_prog_skeleton> programs_of(const guard_bpf& skeleton) {
    return {skeleton.skeleton->progs, static_cast<std::size_t>(skeleton.skeleton->prog_cnt)};
}

Result<> pin_as(int fd, const std::string& name) {
    if (bpf_obj_pin(fd, pin_path(name).c_str()) != 0)
        return system_error(errno, "cannot pin " + pin_path(name));
    return {};
}

Result<> pin(const guard_bpf& skeleton) {
    for (const auto& [map, name] :
         {std::pair{skeleton.maps.llexec_guarded, "llexec_guarded"},
          std::pair{skeleton.maps.llexec_guard, "llexec_guard"},
          std::pair{skeleton.maps.llexec_trusted, "llexec_guard_trusted"}})
        if (auto pinned = pin_as(bpf_map__fd(map), name); !pinned)
            return pinned;
    // trusting_pin before the others: what is not pinned is gone if we are killed.
    for (const bool trusting : {true, false})
        for (const bpf_prog_skeleton& program : programs_of(skeleton)) {
            const std::string link = link_pin(program);
            if ((link == trusting_pin) != trusting)
                continue;
            if (auto pinned = pin_as(bpf_link__fd(*program.link), link); !pinned)
                return pinned;
            if (auto pinned =
                    pin_as(bpf_program__fd(*program.prog), fmt::format("prog_{}", program.name));
                !pinned)
                return pinned;
        }
    return {};
}

Result<Skeleton> open_guard() {
    const kernel::LibbpfLog log;
    Skeleton skeleton(guard_bpf::open());
    if (!skeleton)
        return logged_error(errno, "cannot open the guard's programs", log.text());
    return skeleton;
}

Result<> attach_guard(guard_bpf& skeleton, const llexec_guard& guard, std::uint64_t seed) {
    const kernel::LibbpfLog log;
    skeleton.rodata->path_hash_seed = seed;
    if (const int error = guard_bpf::load(&skeleton); error != 0)
        return logged_error(-error, "the kernel does not take the guard's programs", log.text());
    if (bpf_map_update_elem(bpf_map__fd(skeleton.maps.llexec_guard), &only, &guard, BPF_ANY) != 0)
        return system_error(errno, "cannot write to the map llexec_guard");
    if (auto trusted = trust_self(bpf_map__fd(skeleton.maps.llexec_trusted)); !trusted)
        return trusted;
    if (const int error = guard_bpf::attach(&skeleton); error != 0)
        return logged_error(-error, "cannot attach the guard's programs", log.text());
    if (auto pinned = pin(skeleton); !pinned)
        return pinned;
    return store_objects(bpf_map__fd(skeleton.maps.llexec_guarded));
}

/// Whether each link is pinned: whoever pins or removes them can be killed at it. The maps are
/// pinned before them all, and while all are pinned none is removed.
bool is_whole(const guard_bpf& skeleton) {
    return std::ranges::all_of(programs_of(skeleton), [](const bpf_prog_skeleton& program) {
        return ::access(pin_path(link_pin(program)).c_str(), F_OK) == 0;
    });
}

/// Brings a guard that is pinned up to date. False if there is no whole one of this version.
Result<bool> update_guard(const guard_bpf& skeleton, const llexec_guard& guard) {
    if (!is_whole(skeleton))
        return false;
    const auto described = open_pin("llexec_guard");
    if (!described)
        return std::unexpected(described.error());
    llexec_guard old{};
    bpf_map_info info{};
    std::uint32_t size = sizeof(info);
    if (bpf_obj_get_info_by_fd(described->get(), &info, &size) != 0)
        return system_error(errno, "cannot look at the map llexec_guard");
    if (info.value_size != sizeof(old) || bpf_map_lookup_elem(described->get(), &only, &old) != 0 ||
        old.program_digest != guard.program_digest)
        return false;
    const auto guarded = open_pin("llexec_guarded");
    if (!guarded)
        return std::unexpected(guarded.error());
    const auto trusted = open_pin("llexec_guard_trusted");
    if (!trusted)
        return std::unexpected(trusted.error());
    if (bpf_map_update_elem(described->get(), &only, &guard, BPF_ANY) != 0)
        return system_error(errno, "cannot write to the map llexec_guard");
    if (auto self = trust_self(trusted->get()); !self)
        return std::unexpected(std::move(self.error()));
    if (auto stored = store_objects(guarded->get()); !stored)
        return std::unexpected(std::move(stored.error()));
    return true;
}

} // namespace

bool is_protected() {
    return ::access(pin_path("link_llexec_guard_pin").c_str(), F_OK) == 0;
}

Result<> protect(const Owner* owner) {
    const auto lock = Lock::acquire(owner);
    if (!lock)
        return std::unexpected(lock.error());
    const auto maps = Maps::open_pinned();
    if (!maps)
        return std::unexpected(maps.error());
    const auto info = maps->info();
    if (!info)
        return std::unexpected(info.error());
    const auto guard = describe(info->path_hash_seed);
    if (!guard)
        return std::unexpected(guard.error());
    const auto skeleton = open_guard();
    if (!skeleton)
        return std::unexpected(skeleton.error());
    const auto updated = update_guard(**skeleton, *guard);
    if (!updated)
        return std::unexpected(updated.error());
    if (*updated)
        return {};
    // Of another version, or half of one. As long as anything is left of it, its trusting_pin is,
    // and so are we trusted, or whoever comes next if we are killed.
    if (auto removed = remove_guard(); !removed)
        return removed;
    auto attached = attach_guard(**skeleton, *guard, info->path_hash_seed);
    if (!attached)
        static_cast<void>(remove_guard());
    return attached;
}

Result<> unprotect(const Owner* owner) {
    const auto lock = Lock::acquire(owner);
    if (!lock)
        return std::unexpected(lock.error());
    return remove_guard();
}

} // namespace llexec
