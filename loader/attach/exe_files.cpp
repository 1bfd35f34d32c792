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

class Identifier {
  public:
    explicit Identifier(std::uint64_t seed) : seed_(seed) {}

    Result<> add(const Policy& policy, const ExePath& exe) {
        if (result_.ids.contains(exe.path) || pending(exe.path))
            return {};
        UniqueFd fd(::open(exe.path.c_str(), O_PATH | O_CLOEXEC));
        if (!fd.valid()) {
            note_missing(policy, exe, errno);
            return {};
        }
        struct stat status{};
        if (::fstat(fd.get(), &status) != 0)
            return system_error(errno, "cannot look at " + exe.path);
        if (!S_ISREG(status.st_mode)) {
            errors_.push_back(diagnostic(policy, exe, Severity::error, "is not a regular file",
                                         "name the program's file"));
            return {};
        }
        paths_.push_back(exe.path);
        fds_.push_back(std::move(fd));
        return fds_.size() == batch_size ? flush() : Result<>{};
    }

    Result<ExeFiles> finish() {
        UniqueFd self(::open("/proc/self/exe", O_PATH | O_CLOEXEC));
        if (!self.valid())
            return system_error(errno, "cannot open /proc/self/exe");
        paths_.emplace_back();
        fds_.push_back(std::move(self));
        if (auto flushed = flush(); !flushed)
            return std::unexpected(std::move(flushed.error()));
        result_.self = result_.ids[std::string()];
        result_.ids.erase(std::string());
        if (!errors_.empty())
            return std::unexpected(Error{.kind = ErrorKind::policy,
                                         .code = 0,
                                         .what = "programs that policies name cannot be used",
                                         .hint = {},
                                         .diagnostics = std::move(errors_)});
        return std::move(result_);
    }

  private:
    static Diagnostic diagnostic(const Policy& policy, const ExePath& exe, Severity severity,
                                 std::string_view what, std::string advice) {
        return {.severity = severity,
                .file = policy.file,
                .position = exe.position,
                .message = exe.path + " " + std::string(what),
                .advice = std::move(advice)};
    }

    bool pending(const std::string& path) const {
        return std::ranges::find(paths_, path) != paths_.end();
    }

    void note_missing(const Policy& policy, const ExePath& exe, int code) {
        const std::string what = std::string("cannot be opened: ") + std::strerror(code);
        if (policy.enforce.missing_paths == MissingPaths::error)
            errors_.push_back(diagnostic(policy, exe, Severity::error, what,
                                         "or allow it with missing_paths = \"warn\""));
        else
            result_.notes.push_back(diagnostic(
                policy, exe, Severity::warning, what,
                "executions of it are not selected until the policies are loaded again"));
    }

    Result<> flush() {
        std::vector<int> fds(fds_.size());
        std::ranges::transform(fds_, fds.begin(), &UniqueFd::get);
        const auto files = kernel::identify_files(fds, seed_);
        if (!files)
            return std::unexpected(files.error());
        for (std::size_t i = 0; i < files->size(); ++i)
            result_.ids.emplace(std::move(paths_[i]), (*files)[i].id);
        paths_.clear();
        fds_.clear();
        return {};
    }

    std::uint64_t seed_;
    std::vector<std::string> paths_;
    std::vector<UniqueFd> fds_;
    std::vector<Diagnostic> errors_;
    ExeFiles result_;
};

} // namespace

Result<ExeFiles> identify_exes(std::span<const Policy> policies, std::uint64_t path_hash_seed) {
    Identifier identifier(path_hash_seed);
    for (const Policy& policy : policies)
        for (const MatchBlock& block : policy.match)
            for (const ExePath& exe : block.exes)
                if (auto added = identifier.add(policy, exe); !added)
                    return std::unexpected(std::move(added.error()));
    return identifier.finish();
}

} // namespace llexec::attach
