// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "attach/exec_object.hpp"

#include "attach/digest.hpp"
#include "exec.skel.h"
#include "kernel/kernel_btf.hpp"
#include "kernel/libbpf_log.hpp"
#include "llexec/attach.hpp"

#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <string>
#include <unistd.h>
#include <vector>

namespace llexec::attach {
namespace {

/// In the names of the pins of programs that are about to take the place of others.
constexpr std::string_view successor_mark = "_new";

/// What the names of a successor's pins end with; see attach_successor().
std::string successor_suffix(std::uint64_t generation) {
    return fmt::format("{}{}", successor_mark, generation);
}

/// Empty if it is no successor's.
std::string_view suffix_of(std::string_view pin) {
    const std::size_t mark = pin.rfind(successor_mark);
    return mark == std::string_view::npos ? std::string_view{} : pin.substr(mark);
}

/// llexec_info.programs while one version takes over from another.
constexpr std::uint64_t no_programs = 0;

struct ProgramPin {
    const char* name; ///< of the program; its pins are prog_NAME and link_NAME
    bpf_program* program;
    bpf_link** link; ///< nullptr: it is not attached
};

/// Those that are attached, in this order: what selects comes before what enforces.
constexpr std::array<const char*, 4> attached_programs{"llexec_select", "llexec_select_final",
                                                       "llexec_enforce", "llexec_fork"};

std::array<ProgramPin, 6> programs_of(exec_bpf& skeleton) {
    return {{{attached_programs[0], skeleton.progs.llexec_select, &skeleton.links.llexec_select},
             {attached_programs[1], skeleton.progs.llexec_select_final,
              &skeleton.links.llexec_select_final},
             {attached_programs[2], skeleton.progs.llexec_enforce, &skeleton.links.llexec_enforce},
             {attached_programs[3], skeleton.progs.llexec_fork, &skeleton.links.llexec_fork},
             {"llexec_files", skeleton.progs.llexec_files, nullptr},
             {"llexec_procs", skeleton.progs.llexec_procs, nullptr}}};
}

Result<> set_ruleset_map_type(exec_bpf& skeleton) {
    const auto btf = kernel::KernelBtf::open();
    if (!btf)
        return std::unexpected(btf.error());
    const auto type = btf->map_type(kernel::ruleset_map_type);
    if (!type)
        return failure(ErrorKind::unsupported,
                       "this kernel has no BPF map type for Landlock rulesets",
                       "`llexec probe` tells what is missing; `llexec run` works without it");
    if (const int error =
            bpf_map__set_type(skeleton.maps.llexec_rulesets, static_cast<bpf_map_type>(*type));
        error != 0)
        return system_error(-error, "cannot set the type of the map llexec_rulesets");
    return {};
}

Result<> reuse_maps(exec_bpf& skeleton, const Maps& maps) {
    for (const MapLayout& layout : map_layouts) {
        bpf_map* const map = bpf_object__find_map_by_name(skeleton.obj, layout.name);
        if (const int error = bpf_map__reuse_fd(map, maps.fd(layout.id)); error != 0)
            return system_error(-error, fmt::format("cannot use the pinned map {}", layout.name));
    }
    return {};
}

} // namespace

void ExecObject::Destroy::operator()(exec_bpf* skeleton) const {
    exec_bpf::destroy(skeleton);
}

std::uint64_t programs_digest() {
    static const std::uint64_t of_programs = [] {
        std::size_t size = 0;
        const void* const bytes = exec_bpf::elf_bytes(&size);
        return digest_of(bytes, size);
    }();
    std::uint64_t digest = of_programs;
    // Filesystems whose structures file_id.bpf.h reads. As modules that come later, they were not
    // there for the programs to be adapted to.
    for (const char* const module : {"btrfs", "overlay"}) {
        const bool known = kernel::module_has_btf(module);
        digest = digest_of(&known, sizeof(known), digest);
    }
    return digest;
}

Result<ExecObject> ExecObject::load(std::uint64_t path_hash_seed, const Maps* reuse) {
    const kernel::LibbpfLog log;
    // Before the programs are adapted to the kernel.
    const std::uint64_t digest = programs_digest();
    ExecObject object{std::unique_ptr<exec_bpf, Destroy>(exec_bpf::open())};
    if (!object.skeleton_)
        return logged_error(errno, "cannot open the exec programs", log.text());
    exec_bpf& skeleton = *object.skeleton_;
    object.seed_ = path_hash_seed;
    skeleton.rodata->path_hash_seed = path_hash_seed;
    if (auto type = set_ruleset_map_type(skeleton); !type)
        return std::unexpected(std::move(type.error()));
    if (reuse != nullptr)
        if (auto reused = reuse_maps(skeleton, *reuse); !reused)
            return std::unexpected(std::move(reused.error()));
    if (const int error = exec_bpf::load(&skeleton); error != 0)
        return logged_error(-error, "the kernel does not take the exec programs", log.text());
    // A module that came meanwhile may be known to them or not: they would be taken for others.
    if (programs_digest() != digest)
        return load(path_hash_seed, reuse);
    object.digest_ = digest;
    return object;
}

Result<UniqueFd> ExecObject::identifier() const {
    UniqueFd copy(::fcntl(bpf_program__fd(skeleton_->progs.llexec_files), F_DUPFD_CLOEXEC, 0));
    if (!copy.valid())
        return system_error(errno, "cannot duplicate the descriptor of a program");
    return copy;
}

Result<> ExecObject::attach() {
    const kernel::LibbpfLog log;
    for (const ProgramPin& pin : programs_of(*skeleton_)) {
        if (pin.link == nullptr)
            continue;
        *pin.link = bpf_program__attach(pin.program);
        if (*pin.link == nullptr)
            return logged_error(errno, fmt::format("cannot attach {}", pin.name), log.text());
    }
    return {};
}

Result<> ExecObject::pin_programs(std::string_view directory, std::string_view suffix) {
    for (const ProgramPin& pin : programs_of(*skeleton_)) {
        const std::string program = fmt::format("{}/prog_{}{}", directory, pin.name, suffix);
        if (bpf_obj_pin(bpf_program__fd(pin.program), program.c_str()) != 0)
            return system_error(errno, "cannot pin " + program);
        if (pin.link == nullptr)
            continue;
        const std::string link = fmt::format("{}/link_{}{}", directory, pin.name, suffix);
        if (bpf_obj_pin(bpf_link__fd(*pin.link), link.c_str()) != 0)
            return system_error(errno, "cannot pin " + link);
    }
    return {};
}

Result<Maps> ExecObject::pin_maps(std::string_view directory) {
    Maps maps;
    for (const MapLayout& layout : map_layouts) {
        const int fd = bpf_object__find_map_fd_by_name(skeleton_->obj, layout.name);
        const std::string path = fmt::format("{}/{}", directory, layout.name);
        if (bpf_obj_pin(fd, path.c_str()) != 0)
            return system_error(errno, "cannot pin " + path);
        UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
        if (!copy.valid())
            return system_error(errno, "cannot duplicate the descriptor of a map");
        maps.set(layout.id, std::move(copy));
    }
    return maps;
}

Result<Maps> ExecObject::attach_new(const Lock&) {
    // A failure leaves staging_directory behind, which the caller removes, and with it the last
    // reference to what was attached.
    if (auto made = make_directory(staging_directory); !made)
        return std::unexpected(std::move(made.error()));
    auto maps = pin_maps(staging_directory);
    if (!maps)
        return maps;
    const llexec_info info{
        .abi = LLEXEC_ABI, .reserved = 0, .path_hash_seed = seed_, .programs = digest_};
    if (auto stored = maps->store(MapId::info, std::uint32_t{0}, info); !stored)
        return std::unexpected(std::move(stored.error()));
    if (auto attached = attach(); !attached)
        return std::unexpected(std::move(attached.error()));
    if (auto pinned = pin_programs(staging_directory, ""); !pinned)
        return std::unexpected(std::move(pinned.error()));
    return maps;
}

Result<bool> ExecObject::is_whole() {
    std::vector<std::string> names{std::string(files_pin), std::string(processes_pin)};
    for (const char* const name : attached_programs)
        names.push_back(fmt::format("link_{}", name));
    for (const std::string& name : names) {
        const std::string path = pin_path(name);
        if (::access(path.c_str(), F_OK) == 0)
            continue;
        if (errno == ENOENT)
            return false;
        return system_error(errno, "cannot look at " + path);
    }
    return true;
}

Result<> ExecObject::install(const Lock&) {
    const std::string staging(staging_directory);
    const std::string current(pin_directory);
    if (::rename(staging.c_str(), current.c_str()) == 0)
        return {};
    // At no time is there none.
    if (errno != ENOTEMPTY && errno != EEXIST)
        return system_error(errno, "cannot make " + current);
    if (::renameat2(AT_FDCWD, staging.c_str(), AT_FDCWD, current.c_str(), RENAME_EXCHANGE) != 0)
        return system_error(errno, "cannot replace " + current);
    return {};
}

void ExecObject::unpin_successor(const Lock&, const Maps& maps) {
    // Best effort: programs that stay confine what they select, and the next load removes them.
    static_cast<void>(remove_pins(
        pin_directory, [this](std::string_view name) { return suffix_of(name) == suffix_; }));
    // So is this: without it, the next load only attaches its programs anew.
    static_cast<void>(maps.set_programs(replaced_));
}

Result<> ExecObject::attach_successor(const Lock& lock, const Maps& maps) {
    const auto info = maps.info();
    if (!info)
        return std::unexpected(info.error());
    const auto current = maps.current();
    if (!current)
        return std::unexpected(current.error());
    // A loader that was killed leaves its pins. If its generation was published, they are the ones
    // that know the files in the way that it describes them, and stay until there is another one;
    // the others would only be in the way. Fail closed: where they cannot be removed, nothing is
    // loaded, and what enforces goes on.
    const std::string kept = successor_suffix(*current);
    if (auto removed = remove_pins(pin_directory,
                                   [&](std::string_view name) {
                                       const std::string_view suffix = suffix_of(name);
                                       return !suffix.empty() && suffix != kept;
                                   });
        !removed)
        return removed;
    replaced_ = info->programs;
    suffix_ = successor_suffix(*current + 1);
    if (auto attached = attach(); !attached)
        return attached;
    // If this loader is killed, the next one finds programs that are not its own, whatever its
    // version: it takes over, and nothing is left of these pins.
    if (auto stored = maps.set_programs(no_programs); !stored)
        return stored;
    auto pinned = pin_programs(pin_directory, suffix_);
    if (!pinned)
        unpin_successor(lock, maps);
    return pinned;
}

Result<> ExecObject::take_over(const Lock&, const Maps& maps) {
    for (const ProgramPin& pin : programs_of(*skeleton_))
        for (const std::string_view kind : {"prog_", "link_"}) {
            if (pin.link == nullptr && kind == "link_")
                continue;
            const std::string path = fmt::format("{}/{}{}", pin_directory, kind, pin.name);
            // Replacing the pin of a link detaches the old program; the new one is at work already.
            if (::rename((path + suffix_).c_str(), path.c_str()) != 0)
                return system_error(errno, "cannot replace the pin " + path);
        }
    // Their generation is replaced. Where they cannot be removed, they enforce beside these, and
    // the next load takes over again.
    if (auto removed = remove_pins(pin_directory,
                                   [](std::string_view name) { return !suffix_of(name).empty(); });
        !removed)
        return removed;
    return maps.set_programs(digest_);
}

} // namespace llexec::attach
