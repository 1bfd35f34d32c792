// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "program/link_map.hpp"

#include "program/search_path.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <set>
#include <utility>

namespace llexec::program {
namespace {

constexpr const char* cache_file = "/etc/ld.so.cache";

/// A file in memory, in the order of loading.
struct Object {
    std::string path;   ///< as it was found
    std::string origin; ///< what $ORIGIN is in it
    ElfFile file;
    std::optional<std::size_t> loader; ///< the one that needed it; none for the program
};

/// Where a library was found.
struct Location {
    std::string path;
    FoundFile file;
};

class LinkMap {
  public:
    LinkMap(const FileTree& tree, const ElfProgram& program, Findings& findings)
        : tree_(tree), findings_(findings), format_(program.file.format),
          interpreter_(*program.file.interpreter),
          musl_(name_of(interpreter_).starts_with("ld-musl-")),
          directories_(musl_ ? musl_directories(tree, interpreter_)
                             : glibc_directories(tree, format_)) {
        objects_.push_back({.path = program.path,
                            .origin = directory_of(program.target),
                            .file = program.file,
                            .loader = {}});
    }

    void load() {
        load_interpreter();
        if (!musl_)
            for (const std::string& name : preloaded(tree_))
                load_library(name, 0, FileUse::preload);
        // Objects are added behind while this goes on: breadth first.
        for (std::size_t i = 0; i < objects_.size(); ++i)
            for (const std::string& name : std::vector(objects_[i].file.needed)) {
                load_library(name, i, FileUse::library);
                if (findings_.exhausted())
                    return;
            }
    }

  private:
    void load_interpreter() {
        // Libraries name it too, and ld.so knows then that it is there already.
        names_.insert({interpreter_, name_of(interpreter_)});
        const std::string& program = objects_.front().path;
        const auto missing = [&](std::string reason) {
            findings_.add_missing(FileUse::elf_interpreter, interpreter_, program,
                                  std::move(reason));
        };
        const auto found = tree_.find(interpreter_);
        if (!found)
            return missing(std::strerror(found.error()));
        findings_.add(FileUse::elf_interpreter, tree_.absolute(interpreter_), program);
        if (!found->executable())
            return missing("not executable");
        const auto fd = tree_.open_file(*found);
        if (!fd)
            return missing(std::strerror(fd.error()));
        if (read_elf_format(fd->get()) != format_)
            return missing("not an ELF file for the program's machine");
        if (const auto file = read_elf(fd->get()))
            names_.insert(file->soname);
        else
            missing(file.error());
    }

    void load_library(const std::string& name, std::size_t loader, FileUse use) {
        const std::string needed_by =
            use == FileUse::preload ? preload_file : objects_[loader].path;
        if (part_of_musl(name) || !names_.insert(name).second)
            return;
        auto location = find(name, loader);
        if (!location) {
            if (use == FileUse::library) // ld.so goes on without the others
                findings_.add_missing(use, name, needed_by, "not found");
            return;
        }
        findings_.add(use, location->path, needed_by);
        if (files_.insert({location->file.status.st_dev, location->file.status.st_ino}).second)
            map(std::move(*location), loader, use, needed_by);
    }

    void map(Location location, std::size_t loader, FileUse use, const std::string& needed_by) {
        const auto fd = tree_.open_file(location.file);
        auto file = fd ? read_elf(fd->get()) : std::unexpected(std::strerror(fd.error()));
        if (!file) {
            if (use == FileUse::library)
                findings_.add_missing(use, location.path, needed_by, std::move(file.error()));
            return;
        }
        // All of it is kept until its turn comes.
        std::size_t size = file->rpath.value_or("").size() + file->runpath.value_or("").size();
        for (const std::string& name : file->needed)
            size += name.size();
        if (!findings_.spend(size))
            return;
        names_.insert(file->soname);
        std::string origin = directory_of(location.path);
        objects_.push_back({.path = std::move(location.path),
                            .origin = std::move(origin),
                            .file = std::move(*file),
                            .loader = loader});
    }

    /// musl's ld.so is these libraries.
    [[nodiscard]] bool part_of_musl(const std::string& name) const {
        constexpr std::array<const char*, 7> names{"libc.",  "libpthread.", "librt.",  "libm.",
                                                   "libdl.", "libutil.",    "libxnet."};
        return musl_ && std::ranges::any_of(
                            names, [&](const char* prefix) { return name.starts_with(prefix); });
    }

    std::optional<Location> find(const std::string& name, std::size_t loader) {
        const Object& object = objects_[loader];
        if (name.contains('/')) {
            if (!findings_.spend(name.size()))
                return std::nullopt;
            for (const std::string& path : expand_tokens(name, object.origin, format_))
                if (auto location = usable(path))
                    return location;
            return std::nullopt;
        }
        if (auto location = find_in_own(name, loader))
            return location;
        return find_in_system(name, object);
    }

    /// In the directories of DT_RPATH and DT_RUNPATH.
    std::optional<Location> find_in_own(const std::string& name, std::size_t loader) {
        const ElfFile& first = objects_[loader].file;
        // With DT_RUNPATH of its own, a glibc object inherits nothing. musl takes both for the
        // same, and inherits them.
        if (!musl_ && first.runpath)
            return find_in_list(name, *first.runpath, objects_[loader]);
        for (std::optional<std::size_t> i = loader; i && findings_.spend();
             i = objects_[*i].loader) {
            const Object& object = objects_[*i];
            const std::optional<std::string>& list =
                object.file.runpath && musl_ ? object.file.runpath : object.file.rpath;
            if (!list || (object.file.runpath && !musl_))
                continue;
            if (auto location = find_in_list(name, *list, object))
                return location;
        }
        return std::nullopt;
    }

    std::optional<Location> find_in_list(const std::string& name, std::string_view list,
                                         const Object& object) {
        // An empty list is none; an empty element is the current directory.
        while (!list.empty()) {
            const std::size_t end = std::min(list.find(':'), list.size());
            const std::string_view element = end == 0 ? "." : list.substr(0, end);
            if (!findings_.spend(element.size()))
                break;
            for (const std::string& directory : expand_tokens(element, object.origin, format_))
                if (auto location = usable(below(directory, name)))
                    return location;
            list.remove_prefix(std::min(end + 1, list.size()));
        }
        return std::nullopt;
    }

    std::optional<Location> find_in_system(const std::string& name, const Object& object) {
        const auto is_default = [&](const std::string& directory) {
            return std::ranges::find(directories_.defaults, directory) !=
                   directories_.defaults.end();
        };
        std::optional<Location> configured;
        for (const std::string& directory : directories_.configured) {
            if (object.file.no_default_directories && is_default(directory))
                continue;
            configured = usable(below(directory, name));
            if (configured && is_default(directory))
                return configured;
            if (configured)
                break;
        }
        std::optional<Location> fallback;
        if (!object.file.no_default_directories)
            for (const std::string& directory : directories_.defaults)
                if (fallback = usable(below(directory, name)); fallback)
                    break;
        if (!configured)
            return fallback;
        if (!fallback)
            need_cache(object.path);
        return configured;
    }

    void need_cache(const std::string& needed_by) {
        findings_.add(FileUse::library_cache, cache_file, needed_by);
        if (const auto found = tree_.find(cache_file); !found)
            findings_.add_missing(FileUse::library_cache, cache_file, needed_by,
                                  std::strerror(found.error()));
    }

    /// ld.so passes over what is for another machine.
    std::optional<Location> usable(const std::string& path) {
        if (!findings_.spend())
            return std::nullopt;
        auto found = tree_.find(path);
        if (!found)
            return std::nullopt;
        const auto fd = tree_.open_file(*found);
        if (!fd || read_elf_format(fd->get()) != format_)
            return std::nullopt;
        return Location{.path = tree_.absolute(path), .file = std::move(*found)};
    }

    const FileTree& tree_;
    Findings& findings_;
    ElfFormat format_;
    std::string interpreter_;
    bool musl_;
    SystemDirectories directories_;
    std::vector<Object> objects_;
    std::set<std::pair<dev_t, ino_t>> files_; ///< of the objects, less the program
    std::set<std::string> names_;             ///< that are loaded, or known not to be there
};

} // namespace

bool Findings::add(FileUse use, const std::string& path, const std::string& needed_by) {
    if (!known_.insert({use, path}).second)
        return false;
    program_.needs.push_back({.use = use, .path = path, .needed_by = needed_by});
    return true;
}

void Findings::add_missing(FileUse use, const std::string& name, const std::string& needed_by,
                           std::string reason) {
    if (missing_.insert({use, name, needed_by, reason}).second)
        program_.missing.push_back(
            {.use = use, .name = name, .needed_by = needed_by, .reason = std::move(reason)});
}

void add_linked_files(const FileTree& tree, const ElfProgram& program, Findings& findings) {
    if (program.file.interpreter)
        LinkMap(tree, program, findings).load();
}

} // namespace llexec::program
