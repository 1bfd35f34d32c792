// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "attach/exe_files.hpp"

#include "kernel/file_identity.hpp"
#include "llexec/fd.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>

namespace llexec::attach {
namespace {

/// Files at once, well below the usual limit of 1024 descriptors.
constexpr std::size_t batch_size = 256;

enum class Kind { program, directory, self };

/// What a policy names.
struct Named {
    const Policy& policy;
    Kind kind;
    const std::string& path;
    Position position;
};

class Identifier {
  public:
    explicit Identifier(std::uint64_t seed) { result_.ids.seed = seed; }

    Result<> add(const Named& named) {
        if (known(named.kind, named.path))
            return {};
        UniqueFd fd(::open(named.path.c_str(), O_PATH | O_CLOEXEC));
        if (!fd.valid()) {
            note_missing(named, errno);
            return {};
        }
        struct stat status{};
        if (::fstat(fd.get(), &status) != 0)
            return system_error(errno, "cannot look at " + named.path);
        const bool program = named.kind == Kind::program;
        if (program ? !S_ISREG(status.st_mode) : !S_ISDIR(status.st_mode)) {
            errors_.push_back(diagnostic(
                named, Severity::error, program ? "is not a regular file" : "is not a directory",
                program ? "name the program's file" : "name a directory, or use exe"));
            return {};
        }
        return add_open(named.kind, named.path, std::move(fd));
    }

    Result<NamedFiles> finish() {
        UniqueFd self(::open("/proc/self/exe", O_PATH | O_CLOEXEC));
        if (!self.valid())
            return system_error(errno, "cannot open /proc/self/exe");
        if (auto added = add_open(Kind::self, {}, std::move(self)); !added)
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
    };

    static Diagnostic diagnostic(const Named& named, Severity severity, std::string_view what,
                                 std::string advice) {
        return {.severity = severity,
                .file = named.policy.file,
                .position = named.position,
                .message = named.path + " " + std::string(what),
                .advice = std::move(advice)};
    }

    bool known(Kind kind, const std::string& path) const {
        return (kind == Kind::program ? result_.ids.exes.contains(path)
                                      : result_.ids.directories.contains(path)) ||
               std::ranges::any_of(pending_, [&](const Pending& pending) {
                   return pending.kind == kind && pending.path == path;
               });
    }

    void note_missing(const Named& named, int code) {
        const std::string what = std::string("cannot be opened: ") + std::strerror(code);
        if (named.policy.enforce.missing_paths == MissingPaths::error)
            errors_.push_back(diagnostic(named, Severity::error, what,
                                         "or allow it with missing_paths = \"warn\""));
        else
            result_.notes.push_back(diagnostic(
                named, Severity::warning, what,
                named.kind == Kind::program
                    ? "executions of it are not selected until the policies are loaded again"
                    : "programs beneath it are not selected until the policies are loaded again"));
    }

    Result<> add_open(Kind kind, std::string path, UniqueFd fd) {
        pending_.push_back({.kind = kind, .path = std::move(path), .fd = std::move(fd)});
        return pending_.size() == batch_size ? flush() : Result<>{};
    }

    Result<> flush() {
        std::vector<int> fds(pending_.size());
        std::ranges::transform(pending_, fds.begin(),
                               [](const Pending& pending) { return pending.fd.get(); });
        const auto files = kernel::identify_files(fds, result_.ids.seed);
        if (!files)
            return std::unexpected(files.error());
        for (std::size_t i = 0; i < files->size(); ++i)
            keep(pending_[i], (*files)[i]);
        pending_.clear();
        return {};
    }

    void keep(Pending& pending, const llexec_open_file& file) {
        if (pending.kind == Kind::self)
            result_.ids.self = file.id;
        else if (pending.kind == Kind::program)
            result_.ids.exes.emplace(std::move(pending.path), file.id);
        else
            result_.ids.directories.emplace(std::move(pending.path), file.place);
    }

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
                                        std::uint64_t path_hash_seed) {
    Identifier identifier(path_hash_seed);
    for (const Policy& policy : policies)
        for (const MatchBlock& block : policy.match)
            if (auto added = add_block(identifier, policy, block); !added)
                return std::unexpected(std::move(added.error()));
    return identifier.finish();
}

} // namespace llexec::attach
