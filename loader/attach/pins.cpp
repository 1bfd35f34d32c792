// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "attach/pins.hpp"

#include "attach/owner.hpp"
#include "kernel/bpf_filesystem.hpp"
#include "llexec/attach.hpp"
#include "llexec/guard.hpp"

#include <bpf/bpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace llexec::attach {
namespace {

// Not on the BPF filesystem: every user may open its root, and so hold a lock on it.
constexpr const char* lock_directory = "/run/llexec";
constexpr const char* lock_file = "/run/llexec/lock";

struct CloseDirectory {
    void operator()(DIR* directory) const { ::closedir(directory); }
};

/// Not valid if there is none. Never somebody else's, nor one that a link leads to.
Result<UniqueFd> open_directory(std::string_view directory) {
    UniqueFd fd(
        ::open(std::string(directory).c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd.valid()) {
        if (errno == ENOENT)
            return fd;
        return system_error(errno, fmt::format("cannot open {}", directory));
    }
    struct stat status{};
    if (::fstat(fd.get(), &status) != 0)
        return system_error(errno, fmt::format("cannot look at {}", directory));
    if (status.st_uid != 0)
        return system_error(EPERM, fmt::format("{} is another user's", directory), "remove it");
    return fd;
}

Result<std::vector<std::string>> names_in(const UniqueFd& directory, std::string_view path) {
    std::vector<std::string> names;
    UniqueFd own(::openat(directory.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const std::unique_ptr<DIR, CloseDirectory> stream(own.valid() ? ::fdopendir(own.get())
                                                                  : nullptr);
    if (!stream)
        return system_error(errno, fmt::format("cannot list {}", path));
    static_cast<void>(own.release()); // the stream closes it
    errno = 0;
    while (const dirent* const entry = ::readdir(stream.get()))
        if (const std::string_view name = entry->d_name; name != "." && name != "..")
            names.emplace_back(name);
    if (errno != 0)
        return system_error(errno, fmt::format("cannot list {}", path));
    return names;
}

/// Which kernel object a pin is; told from its name, as attach/exec_object.cpp gives it.
ObjectKind kind_of(std::string_view name) {
    if (name.starts_with("link_"))
        return ObjectKind::link;
    return name.starts_with("prog_") ? ObjectKind::program : ObjectKind::map;
}

/// Which pins are removed first. Whoever does it can be killed after each.
int removal_turn(const std::string& name) {
    if (name == trusting_pin)
        return 2;
    return kind_of(name) == ObjectKind::link ? 0 : 1;
}

} // namespace

std::string pin_path(std::string_view name) {
    return fmt::format("{}/{}", pin_directory, name);
}

Result<UniqueFd> open_pin(std::string_view name, PinAccess access) {
    const std::string path = pin_path(name);
    struct bpf_obj_get_opts options{}; // there is a function of that name
    options.sz = sizeof(options);
    options.file_flags = access == PinAccess::read ? BPF_F_RDONLY : 0;
    UniqueFd fd(bpf_obj_get_opts(path.c_str(), &options));
    if (!fd.valid())
        return system_error(errno, "cannot open the pin " + path,
                            errno == EPERM && is_protected()
                                ? "llexecd guards what is loaded: say protect = false in "
                                  "/etc/llexec/llexecd.toml, and let it reload"
                                : "");
    return fd;
}

Result<ObjectId> object_id(const std::string& name) {
    const auto fd = open_pin(name);
    if (!fd)
        return std::unexpected(fd.error());
    const auto ask = [&](auto info) -> int {
        std::uint32_t size = sizeof(info);
        return bpf_obj_get_info_by_fd(fd->get(), &info, &size) == 0 ? static_cast<int>(info.id)
                                                                    : -errno;
    };
    const ObjectKind kind = kind_of(name);
    const int id = kind == ObjectKind::link      ? ask(bpf_link_info{})
                   : kind == ObjectKind::program ? ask(bpf_prog_info{})
                                                 : ask(bpf_map_info{});
    if (id < 0)
        return system_error(-id, "cannot ask for the ID of " + pin_path(name));
    return ObjectId{.kind = kind, .id = static_cast<std::uint32_t>(id)};
}

Result<bool> is_loaded() {
    // A pin, not the directory: the directory can be seen by everybody, its content only by root.
    if (::access(pin_path("llexec_info").c_str(), F_OK) == 0)
        return true;
    if (errno == ENOENT)
        return false;
    return system_error(errno, fmt::format("cannot look into {}", pin_directory));
}

Result<std::vector<std::string>> list_pins(std::string_view directory) {
    const auto fd = open_directory(directory);
    if (!fd)
        return std::unexpected(fd.error());
    if (!fd->valid())
        return std::vector<std::string>{};
    return names_in(*fd, directory);
}

Result<> make_directory(std::string_view directory) {
    if (::mkdir(std::string(directory).c_str(), 0700) != 0)
        return system_error(errno, fmt::format("cannot make the directory {}", directory));
    return {};
}

Result<> remove_pins(std::string_view directory,
                     const std::function<bool(std::string_view name)>& chosen) {
    const auto fd = open_directory(directory);
    if (!fd)
        return std::unexpected(fd.error());
    if (!fd->valid())
        return {};
    auto names = names_in(*fd, directory);
    if (!names)
        return std::unexpected(std::move(names.error()));
    std::ranges::sort(*names, {}, removal_turn);
    for (const std::string& name : *names) {
        if (!chosen(name))
            continue;
        // What comes after it stays: the guard is not to lose trusting_pin before the others.
        if (::unlinkat(fd->get(), name.c_str(), 0) != 0 && errno != ENOENT)
            return system_error(errno, fmt::format("cannot remove the pin {}/{}", directory, name));
    }
    return {};
}

Result<> remove_directory(std::string_view directory) {
    if (auto removed = remove_pins(directory, [](std::string_view) { return true; }); !removed)
        return removed;
    if (::rmdir(std::string(directory).c_str()) != 0 && errno != ENOENT)
        return system_error(errno, fmt::format("cannot remove the directory {}", directory));
    return {};
}

Result<bool> remove_loaded(const Lock&) {
    if (::rename(std::string(pin_directory).c_str(), std::string(doomed_directory).c_str()) != 0) {
        if (errno == ENOENT)
            return false;
        return system_error(errno, fmt::format("cannot rename {}", pin_directory));
    }
    if (auto removed = remove_directory(doomed_directory); !removed)
        return std::unexpected(std::move(removed.error()));
    return true;
}

Result<> make_lock_directory() {
    if (::mkdir(lock_directory, 0755) != 0 && errno != EEXIST)
        return system_error(errno, fmt::format("cannot make the directory {}", lock_directory));
    return {};
}

Result<Lock> Lock::acquire(const Owner* owner) {
    if (auto mounted = kernel::check_bpf_filesystem(); !mounted)
        return std::unexpected(std::move(mounted.error()));
    if (auto made = make_lock_directory(); !made)
        return std::unexpected(std::move(made.error()));
    UniqueFd fd(::open(lock_file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd.valid())
        return system_error(errno, fmt::format("cannot open {}", lock_file));
    while (::flock(fd.get(), LOCK_EX) != 0)
        if (errno != EINTR)
            return system_error(errno, fmt::format("cannot lock {}", lock_file));
    if (auto allowed = check_owner(owner, "change them in /etc/llexec/policies.d; to end "
                                          "enforcement, `systemctl stop llexecd` first, or "
                                          "`touch /etc/llexec/off`");
        !allowed)
        return std::unexpected(std::move(allowed.error()));

    // Nobody else is at work, so these are leftovers of a loader that was killed: neither was, or
    // still is, what enforces.
    for (const std::string_view directory : {staging_directory, doomed_directory})
        if (auto removed = remove_directory(directory); !removed)
            return std::unexpected(std::move(removed.error()));
    return Lock(std::move(fd));
}

} // namespace llexec::attach
