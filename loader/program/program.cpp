// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/program.hpp"

#include "program/elf_file.hpp"
#include "program/file_tree.hpp"
#include "program/link_map.hpp"
#include "program/script.hpp"
#include "program/search_path.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <set>
#include <sys/xattr.h>
#include <utility>

namespace llexec {
namespace {

using namespace program;

/// How often env(1) is followed, one after the other: far beyond what anybody writes.
constexpr std::size_t max_executions = 64;

/// What execve(2) would look at next.
struct Executed {
    std::string path;     ///< as it is named
    std::string named_by; ///< the script; empty for the program itself
    FoundFile file;
    UniqueFd content;
    ProgramKind kind = ProgramKind::other;
    std::optional<Shebang> shebang;
};

/// `file.content` is open.
void tell_kind(Executed& file) {
    if (is_elf(file.content.get())) {
        file.kind = ProgramKind::elf;
        return;
    }
    file.shebang = parse_shebang(read_at(file.content.get(), 0, exec_buffer_size));
    if (file.shebang)
        file.kind = ProgramKind::script;
}

class Inspection {
  public:
    Inspection(const FileTree& tree, Program& program)
        : tree_(tree), program_(program), findings_(program) {}

    Result<> run() {
        auto found = tree_.find(program_.path);
        if (!found)
            return system_error(found.error(), "cannot open " + program_.path);
        auto target = tree_.real_path(*found);
        if (!target)
            return std::unexpected(std::move(target.error()));
        program_.target = std::move(*target);
        describe(*found);
        if (!found->regular())
            return {};
        auto content = tree_.open_file(*found);
        if (!content)
            return system_error(content.error(), "cannot read " + program_.path);
        Executed file{.path = program_.path,
                      .named_by = {},
                      .file = std::move(*found),
                      .content = std::move(*content),
                      .shebang = {}};
        tell_kind(file);
        program_.kind = file.kind;
        if (auto done = follow(std::move(file)); !done)
            return done;
        if (findings_.exhausted())
            return failure(
                ErrorKind::system,
                fmt::format("{} needs more files than can be looked for", program_.path));
        return {};
    }

  private:
    void describe(const FoundFile& file) {
        program_.regular_file = file.regular();
        program_.executable = file.executable();
        if (!file.regular() || file.mounted_nosuid())
            return;
        program_.set_user_id = (file.status.st_mode & S_ISUID) != 0;
        // Without the group's execute bit it means mandatory locking, in former times.
        constexpr mode_t set_group_id = S_ISGID | S_IXGRP;
        program_.set_group_id = (file.status.st_mode & set_group_id) == set_group_id;
        const std::string path = fmt::format("/proc/self/fd/{}", file.fd.get());
        program_.file_capabilities =
            ::getxattr(path.c_str(), "security.capability", nullptr, 0) > 0;
    }

    /// One execve(2): the file, and the interpreters that it leads to. What env(1) executes is
    /// another one.
    Result<> follow(Executed file) {
        executed_.insert(file.path);
        for (int scripts = 0; file.kind == ProgramKind::script; ++scripts) {
            const Shebang shebang = *file.shebang;
            const std::string script = file.path;
            if (scripts == max_scripts) {
                miss(shebang.interpreter, script,
                     fmt::format("the kernel follows {} scripts, and no more", max_scripts));
                return {};
            }
            auto next = interpreter(shebang.interpreter, script);
            if (!next)
                return {};
            file = std::move(*next);
            if (name_of(file.path) == "env" && file.kind != ProgramKind::script)
                follow_env(shebang.argument, script);
        }
        return file.kind == ProgramKind::elf ? link(file) : Result<>{};
    }

    /// What the kernel opens for a #! line; none if it cannot, which is reported.
    std::optional<Executed> interpreter(const std::string& name, const std::string& script) {
        auto found = tree_.find(name);
        if (!found) {
            miss(name, script, std::strerror(found.error()));
            return std::nullopt;
        }
        const std::string path = tree_.absolute(name);
        findings_.add(FileUse::script_interpreter, path, script);
        if (!found->executable()) {
            miss(name, script, "not executable");
            return std::nullopt;
        }
        auto content = tree_.open_file(*found);
        if (!content) {
            miss(name, script, std::strerror(content.error()));
            return std::nullopt;
        }
        Executed file{.path = path,
                      .named_by = script,
                      .file = std::move(*found),
                      .content = std::move(*content),
                      .shebang = {}};
        tell_kind(file);
        return file;
    }

    void follow_env(const std::string& argument, const std::string& script) {
        const auto wanted = parse_env(argument);
        if (!wanted)
            return;
        std::optional<Executed> file;
        if (wanted->name.contains('/'))
            file = interpreter(wanted->name, script);
        else if (const auto path = in_path(*wanted))
            file = interpreter(*path, script);
        else
            miss(wanted->name, script,
                 "not found in " + wanted->path.value_or(std::string(default_path())));
        // A script that leads env to itself, or to another that leads back, is executed for ever.
        if (!file || executed_.contains(file->path))
            return;
        if (executed_.size() == max_executions) {
            miss(wanted->name, script, "too many programs that execute one another");
            return;
        }
        if (const auto done = follow(std::move(*file)); !done)
            miss(wanted->name, script, done.error().message());
    }

    /// As execvp(3) finds it.
    std::optional<std::string> in_path(const EnvProgram& wanted) {
        std::string_view directories = wanted.path ? *wanted.path : default_path();
        while (true) {
            const std::size_t end = std::min(directories.find(':'), directories.size());
            const std::string_view directory = directories.substr(0, end);
            std::string path = below(directory.empty() ? "." : directory, wanted.name);
            const auto found = tree_.find(path);
            if (found && found->executable())
                return path;
            if (end == directories.size())
                return std::nullopt;
            directories.remove_prefix(end + 1);
        }
    }

    Result<> link(const Executed& file) {
        auto elf = read_elf(file.content.get());
        auto target = tree_.real_path(file.file);
        if (!target)
            return std::unexpected(std::move(target.error()));
        if (elf) {
            add_linked_files(tree_, {.path = file.path, .target = *target, .file = std::move(*elf)},
                             findings_);
            return {};
        }
        if (file.named_by.empty())
            return system_error(ENOEXEC, fmt::format("cannot read {}: {}", file.path, elf.error()));
        miss(file.path, file.named_by, elf.error());
        return {};
    }

    void miss(const std::string& name, const std::string& script, std::string reason) {
        findings_.add_missing(FileUse::script_interpreter, name, script, std::move(reason));
    }

    const FileTree& tree_;
    Program& program_;
    Findings findings_;
    std::set<std::string> executed_; ///< what a new execve(2) began with
};

} // namespace

std::string_view to_string(FileUse use) {
    switch (use) {
    case FileUse::script_interpreter:
        return "script-interpreter";
    case FileUse::elf_interpreter:
        return "elf-interpreter";
    case FileUse::library:
        return "library";
    case FileUse::preload:
        return "preload";
    case FileUse::library_cache:
        return "library-cache";
    }
    return "library";
}

std::string_view default_path() {
    return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

Result<Program> inspect_program(const std::string& path, const std::string& root) {
    const auto tree = FileTree::open(root);
    if (!tree)
        return std::unexpected(tree.error());
    Program result;
    result.path = path;
    if (auto done = Inspection(*tree, result).run(); !done)
        return std::unexpected(std::move(done.error()));
    return result;
}

} // namespace llexec
