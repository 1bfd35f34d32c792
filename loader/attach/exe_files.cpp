// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "attach/exe_files.hpp"

#include "llexec/fd.hpp"
#include "llexec/lint.hpp"
#include "llexec/path_walk.hpp"
#include "program/own_programs.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>

namespace llexec::attach {
namespace {

/// Files at once, well below the usual limit of 1024 descriptors.
constexpr std::size_t batch_size = 256;

enum class Kind { program, directory, never };

/// What a policy names.
struct Named {
    const Policy& policy;
    Kind kind;
    const std::string& path;
    Position position;
};

class Identifier {
  public:
    explicit Identifier(const kernel::FileIdentifier& by) : by_(by) { result_.ids.seed = by.seed; }

    Result<> add(const Named& named) {
        if (known(named.kind, named.path))
            return {};
        auto end = walk_named(named.path);
        if (!end)
            return is_shortage(end.error())
                       ? Result<>(std::unexpected(std::move(end.error())))
                       : leave_out(named, "cannot be used: " + end.error().reason());
        if (!end->below.empty())
            return add_missing(named, std::move(*end));
        // A file system in user space may not even tell root what its files are.
        struct stat status{};
        if (::fstat(end->fd.get(), &status) != 0)
            return leave_out(named, std::string("cannot be used: ") + std::strerror(errno));
        const bool program = named.kind == Kind::program;
        if (program ? !S_ISREG(status.st_mode) : !S_ISDIR(status.st_mode))
            return add_other(named, *end);
        return add_open(named.kind, named.path, std::move(end->fd));
    }

    Result<NamedFiles> finish() {
        if (auto added = add_never(); !added)
            return std::unexpected(std::move(added.error()));
        if (auto flushed = flush(); !flushed)
            return std::unexpected(std::move(flushed.error()));
        if (!errors_.empty())
            return std::unexpected(Error{.kind = ErrorKind::policy,
                                         .code = 0,
                                         .what = "what policies name cannot be used",
                                         .hint = {},
                                         .diagnostics = std::move(errors_)});
        return std::move(result_);
    }

  private:
    struct Pending {
        Kind kind;
        std::string path;
        UniqueFd fd;
        std::string below; ///< as in IdentifiedFile
    };

    bool known(Kind kind, const std::string& path) const {
        return (kind == Kind::program ? result_.ids.exes.contains(path)
                                      : result_.ids.directories.contains(path)) ||
               std::ranges::any_of(pending_, [&](const Pending& pending) {
                   return pending.kind == kind && pending.path == path;
               });
    }

    /// A program that does not exist is known by its path: it is selected as soon as it is there.
    Result<> add_missing(const Named& named, PathEnd end) {
        note(named, std::string("cannot be opened: ") + std::strerror(ENOENT), end.ends);
        if (named.kind != Kind::program || !end.ends)
            return {};
        return add_open(named.kind, named.path, std::move(end.fd), std::move(end.below));
    }

    /// Something else stands there, maybe for as long as somebody likes who may write to that
    /// directory. So does a program that is put there instead, without a reload.
    Result<> add_other(const Named& named, const PathEnd& end) {
        const bool program = named.kind == Kind::program;
        note(named, program ? "is not a regular file" : "is not a directory", true);
        const std::size_t slash = end.path.rfind('/');
        std::string name = end.path.substr(slash + 1);
        if (!program || name.empty())
            return {};
        auto directory = walk_named(end.path.substr(0, std::max<std::size_t>(slash, 1)));
        if (!directory)
            return is_shortage(directory.error()) ? Result<>(std::unexpected(directory.error()))
                                                  : Result<>();
        // It may have gone meanwhile; its name is as good.
        if (!directory->ends)
            return {};
        if (!directory->below.empty())
            name = directory->below + "/" + name;
        return add_open(named.kind, named.path, std::move(directory->fd), std::move(name));
    }

    /// Fail-open, and said: of what nobody can look at, not even a path is known. One program must
    /// not be the end of all policies.
    Result<> leave_out(const Named& named, std::string_view what) {
        note(named, what, false);
        return {};
    }

    Result<> add_never() {
        UniqueFd self(::open("/proc/self/exe", O_PATH | O_CLOEXEC));
        if (!self.valid())
            return system_error(errno, "cannot open /proc/self/exe");
        if (auto added = add_open(Kind::never, {}, std::move(self)); !added)
            return added;
        // Also by path: a package upgrade replaces them.
        for (const std::string& path : installed_programs()) {
            auto end = walk_path(path);
            if (!end || !end->ends)
                continue; // not installed: nothing there could be selected
            if (auto added = add_open(Kind::never, path, std::move(end->fd), std::move(end->below));
                !added)
                return added;
        }
        return {};
    }

    void note(const Named& named, std::string_view what, bool has_path) {
        const bool fatal = named.policy.enforce.missing_paths == MissingPaths::error;
        const std::string advice =
            fatal ? "or allow it with missing_paths = \"warn\""
            : named.kind == Kind::directory
                ? "programs beneath it are not selected until the policies are loaded again"
            : has_path ? "once it is a program, executions are selected by this path alone until "
                         "the policies are loaded again"
                       : "it is not selected until the policies are loaded again";
        Diagnostic note = make_finding("missing-program", named.policy.file, named.position,
                                       named.path + " " + std::string(what), advice);
        if (fatal) {
            note.severity = Severity::error;
            note.lint.clear();
            errors_.push_back(std::move(note));
        } else if (!named.policy.silences(note.lint)) {
            result_.notes.push_back(std::move(note));
        }
    }

    Result<> add_open(Kind kind, std::string path, UniqueFd fd, std::string below = {}) {
        pending_.push_back({.kind = kind,
                            .path = std::move(path),
                            .fd = std::move(fd),
                            .below = std::move(below)});
        return pending_.size() == batch_size ? flush() : Result<>{};
    }

    Result<> flush() {
        std::vector<kernel::IdentifiedFile> open(pending_.size());
        std::ranges::transform(pending_, open.begin(), [](const Pending& pending) {
            return kernel::IdentifiedFile{.fd = pending.fd.get(), .below = pending.below};
        });
        const auto files = kernel::identify_files(by_, open);
        if (!files)
            return std::unexpected(files.error());
        for (std::size_t i = 0; i < files->size(); ++i)
            keep(pending_[i], (*files)[i]);
        pending_.clear();
        return {};
    }

    void keep(Pending& pending, const llexec_open_file& file) {
        llexec_file_id id = file.id;
        if (!pending.below.empty())
            id.inode = {.ino = 0,
                        .subvolume = 0,
                        .dev = id.inode.dev,
                        .real_dev = 0,
                        .igeneration = 0,
                        .reserved = 0};
        if (pending.kind == Kind::never) {
            if (pending.path.empty())
                id.path_hash = 0; // wherever it was built, others may be able to replace it
            result_.ids.never.push_back(id);
        } else if (pending.kind == Kind::program)
            result_.ids.exes.emplace(std::move(pending.path), id);
        else
            result_.ids.directories.emplace(std::move(pending.path), file.place);
    }

    kernel::FileIdentifier by_;
    std::vector<Pending> pending_;
    std::vector<Diagnostic> errors_;
    NamedFiles result_;
};

Result<> add_block(Identifier& identifier, const Policy& policy, const MatchBlock& block) {
    for (const ExePath& exe : block.exes)
        if (auto added = identifier.add({.policy = policy,
                                         .kind = Kind::program,
                                         .path = exe.path,
                                         .position = exe.position});
            !added)
            return added;
    for (const DirectoryPath& directory : block.directories)
        if (auto added = identifier.add({.policy = policy,
                                         .kind = Kind::directory,
                                         .path = directory.path,
                                         .position = directory.position});
            !added)
            return added;
    return {};
}

} // namespace

Result<NamedFiles> identify_named_files(std::span<const Policy> policies,
                                        const kernel::FileIdentifier& by) {
    Identifier identifier(by);
    for (const Policy& policy : policies)
        for (const MatchBlock& block : policy.match)
            if (auto added = add_block(identifier, policy, block); !added)
                return std::unexpected(std::move(added.error()));
    return identifier.finish();
}

} // namespace llexec::attach
