// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/attach.hpp"

#include "attach/pins.hpp"
#include "llexec/fd.hpp"

#include <bpf/bpf.h>
#include <cerrno>
#include <chrono>
#include <thread>

namespace llexec {
namespace {

using namespace attach;

bool exists(const ObjectId& object) {
    const UniqueFd fd(object.kind == ObjectKind::link      ? bpf_link_get_fd_by_id(object.id)
                      : object.kind == ObjectKind::program ? bpf_prog_get_fd_by_id(object.id)
                                                           : bpf_map_get_fd_by_id(object.id));
    // Not to be allowed to look is not a proof that it is gone.
    return fd.valid() || errno != ENOENT;
}

/// The kernel frees these objects some time after their last reference is gone.
bool wait_until_gone(const std::vector<ObjectId>& objects) {
    using namespace std::chrono_literals;
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    for (const ObjectId& object : objects)
        while (exists(object)) {
            if (std::chrono::steady_clock::now() > deadline)
                return false;
            std::this_thread::sleep_for(10ms);
        }
    return true;
}

} // namespace

Result<bool> unload(const Owner* owner) {
    const auto loaded = is_loaded();
    if (!loaded)
        return std::unexpected(loaded.error());
    const auto lock = Lock::acquire(owner);
    if (!lock)
        return std::unexpected(lock.error());
    const auto names = list_pins(pin_directory);
    if (!names)
        return std::unexpected(names.error());

    std::vector<ObjectId> objects;
    for (const std::string& name : *names) {
        const auto object = object_id(name);
        if (!object)
            return std::unexpected(object.error());
        objects.push_back(*object);
    }
    const auto removed = remove_loaded(*lock);
    if (!removed || !*removed)
        return removed;
    if (!wait_until_gone(objects))
        return failure(ErrorKind::system, "all pins are removed, but some objects are still there",
                       "another process holds them; `bpftool prog` shows which");
    return true;
}

} // namespace llexec
