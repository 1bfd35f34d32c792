// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Landlock's own decision, made again from the rules of policies. What it has to agree with is
// security/landlock/fs.c; a test compares the two.
#include "llexec/explain.hpp"
#include "query/hierarchy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <sys/stat.h>

namespace llexec {
namespace {

using Layer = Explainer::Layer;
using Target = AccessRequest::Target;
using Why = RightVerdict::Why;

/// The right that is needed to make an entry of that type.
std::uint64_t making_right(mode_t mode) {
    switch (mode & S_IFMT) {
    case S_IFLNK:
        return fs_rights({"make_sym"});
    case S_IFDIR:
        return fs_rights({"make_dir"});
    case S_IFCHR:
        return fs_rights({"make_char"});
    case S_IFBLK:
        return fs_rights({"make_block"});
    case S_IFIFO:
        return fs_rights({"make_fifo"});
    case S_IFSOCK:
        return fs_rights({"make_sock"});
    default:
        return fs_rights({"make_reg"});
    }
}

std::uint64_t removing_right(mode_t mode) {
    return S_ISDIR(mode) ? fs_rights({"remove_dir"}) : fs_rights({"remove_file"});
}

/// The rights of a request that the kernel does not ask for on what it is about.
std::uint64_t not_asked(const AccessRequest& request, const Hierarchy& object) {
    if (!object.exists)
        return 0; // it may become anything
    return (S_ISREG(object.mode) ? 0 : request.regular_rights) |
           (S_ISCHR(object.mode) || S_ISBLK(object.mode) ? 0 : request.device_rights);
}

/// Of one layer of a domain.
class Judge {
  public:
    Judge(std::span<const Layer> layers, const Layer& own, std::uint64_t kernel_fs)
        : policy_(*own.policy), ruleset_(own.ruleset), kernel_fs_(kernel_fs) {
        for (const Layer& layer : layers)
            if (&layer == &own || layer.policy->enforce.mode != Mode::observe)
                domain_.push_back(&layer.ruleset);
        // A domain that handles filesystem rights denies reparenting in each of its layers.
        if (std::ranges::any_of(domain_,
                                [](const DryRun* ruleset) { return ruleset->handled.fs != 0; }))
            always_handled_ = fs_rights({"refer"});
        handled_fs_ = ruleset_.handled.fs | always_handled_;
    }

    Result<Verdict> judge(const AccessRequest& request) {
        switch (request.target) {
        case Target::object:
            return judge_object(request);
        case Target::directory:
            return judge_entry(request);
        case Target::rename:
        case Target::link:
            return judge_move(request);
        case Target::port:
            need_on_port(request.rights, request.port);
            need_on_port(request.source_rights, 0);
            return finish(EACCES);
        case Target::scope:
            judge_scope(request);
            return finish(EPERM);
        }
        return finish(EACCES);
    }

  private:
    Result<Verdict> finish(int error) {
        verdict_.allowed = std::ranges::all_of(verdict_.rights, &RightVerdict::allowed);
        verdict_.error = verdict_.allowed ? 0 : error;
        return std::move(verdict_);
    }

    Result<Verdict> judge_object(const AccessRequest& request) {
        const auto hierarchy = hierarchy_of(request.path);
        if (!hierarchy)
            return std::unexpected(hierarchy.error());
        verdict_.exists = hierarchy->exists;
        const bool directory = hierarchy->exists && S_ISDIR(hierarchy->mode);
        need(directory && request.directory_rights != 0 ? request.directory_rights : request.rights,
             *hierarchy, where_of(*hierarchy, request.path), not_asked(request, *hierarchy));
        return finish(EACCES);
    }

    Result<Verdict> judge_entry(const AccessRequest& request) {
        const std::string path = without_trailing_slashes(request.path);
        const auto directory = hierarchy_of(directory_of(path));
        if (!directory)
            return std::unexpected(directory.error());
        verdict_.exists = directory->exists;
        const std::string where = where_of(*directory, directory_of(path));
        need(request.rights, *directory, where);
        // A new file has the rights of its directory.
        need(request.object_rights, *directory, where);
        return finish(EACCES);
    }

    /// A rule on what is not there is left out, so that the place to name is above it.
    static std::string where_of(const Hierarchy& hierarchy, const std::string& asked) {
        return hierarchy.exists ? asked : hierarchy.places.front().path;
    }

    /// Landlock's current_check_refer_path().
    Result<Verdict> judge_move(const AccessRequest& request) {
        const auto old_object = hierarchy_of_entry(request.path);
        if (!old_object)
            return std::unexpected(old_object.error());
        const auto new_directory =
            hierarchy_of(directory_of(without_trailing_slashes(request.new_path)));
        if (!new_directory)
            return std::unexpected(new_directory.error());
        if (!new_directory->exists)
            return system_error(ENOENT,
                                fmt::format("cannot find the directory of '{}'", request.new_path));
        Hierarchy old_directory = *old_object;
        old_directory.places.erase(old_directory.places.begin());
        if (old_directory.places.empty())
            return system_error(EBUSY, "the root directory cannot be moved");
        const std::string& from = old_directory.places.front().path;
        const std::string& to = new_directory->places.front().path;

        if (request.target == Target::rename)
            need(removing_right(old_object->mode), old_directory, from);
        need(making_right(old_object->mode), *new_directory, to);
        if (request.target == Target::rename)
            if (const auto replaced = hierarchy_of_entry(request.new_path))
                need(removing_right(replaced->mode), *new_directory, to);
        bool reparented = false;
        if (old_directory.places.front().object != new_directory->places.front().object) {
            const std::size_t before = verdict_.rights.size();
            need(fs_rights({"refer"}), old_directory, from);
            need(fs_rights({"refer"}), *new_directory, to);
            if (!grants_all(old_directory) || !grants_all(*new_directory))
                check_gain(*old_object, *new_directory, to);
            reparented =
                std::ranges::all_of(verdict_.rights.begin(),
                                    verdict_.rights.begin() + static_cast<std::ptrdiff_t>(before),
                                    &RightVerdict::allowed);
        }
        return finish(reparented ? EXDEV : EACCES);
    }

    /// A file must not gain rights by standing elsewhere.
    void check_gain(const Hierarchy& object, const Hierarchy& directory, const std::string& where) {
        // The kernel compares the two at each place before it looks at the rule there, and begins
        // at the root of the mount with what is granted up to there. So on any other mount than the
        // real root's, the rule on the real root comes too late to level them.
        const auto compared = [&](std::span<const Hierarchy::Place> places) {
            return directory.places.front().mount == directory.places.back().mount
                       ? places
                       : places.first(places.size() - 1);
        };
        std::uint64_t gained = granted(ruleset_, compared(directory.places)) &
                               ~granted(ruleset_, compared(object.places)) & ruleset_.handled.fs;
        if (!S_ISDIR(object.mode))
            gained &= file_rights();
        for (; gained != 0; gained &= gained - 1)
            verdict_.rights.push_back({.access_class = AccessClass::fs,
                                       .right = gained & -gained,
                                       .why = Why::more_rights,
                                       .where = where});
    }

    /// Whether nothing at all is denied there, by any layer. Then there is nothing to be gained.
    [[nodiscard]] bool grants_all(const Hierarchy& hierarchy) const {
        return std::ranges::all_of(domain_, [&](const DryRun* ruleset) {
            return ((ruleset->handled.fs | always_handled_) &
                    ~granted(*ruleset, hierarchy.places)) == 0;
        });
    }

    static std::uint64_t granted(const DryRun& ruleset, std::span<const Hierarchy::Place> places) {
        std::uint64_t access = 0;
        for (const Hierarchy::Place& place : places)
            for (const DryRun::Rule& rule : ruleset.rules)
                if (rule.object == place.object)
                    access |= rule.access;
        return access;
    }

    void need(std::uint64_t rights, const Hierarchy& hierarchy, const std::string& where,
              std::uint64_t not_asked = 0) {
        for (; rights != 0; rights &= rights - 1) {
            RightVerdict verdict{
                .access_class = AccessClass::fs, .right = rights & -rights, .where = where};
            if ((not_asked & verdict.right) != 0)
                verdict.why = Why::not_asked;
            else if ((handled_fs_ & verdict.right) == 0)
                verdict.why = why_free(verdict);
            else if ((kernel_fs_ & verdict.right) == 0)
                verdict.why = Why::kernel_denies;
            else
                find_rule(hierarchy, verdict);
            verdict_.rights.push_back(std::move(verdict));
        }
    }

    /// Of what the ruleset does not handle.
    [[nodiscard]] Why why_free(const RightVerdict& verdict) const {
        return (policy_.handled.of(verdict.access_class) & verdict.right) == 0 ? Why::not_handled
                                                                               : Why::kernel_lacks;
    }

    /// The nearest rule that grants it.
    void find_rule(const Hierarchy& hierarchy, RightVerdict& verdict) const {
        for (const Hierarchy::Place& place : hierarchy.places)
            for (const DryRun::Rule& rule : ruleset_.rules)
                if (rule.object == place.object && (rule.access & verdict.right) != 0) {
                    verdict.why = Why::granted;
                    verdict.rule = rule.path;
                    const auto written =
                        std::ranges::find(policy_.paths, rule.path, &PathRule::path);
                    if (written != policy_.paths.end())
                        verdict.grant = grant_of(written->grants, verdict.right);
                    return;
                }
    }

    static std::optional<Grant> grant_of(const std::vector<Grant>& grants, std::uint64_t right) {
        for (const Grant& grant : grants)
            if ((grant.access & right) != 0)
                return grant;
        return std::nullopt;
    }

    void need_on_port(std::uint64_t rights, std::uint16_t port) {
        for (; rights != 0; rights &= rights - 1) {
            RightVerdict verdict{.access_class = AccessClass::net,
                                 .right = rights & -rights,
                                 .where = std::to_string(port)};
            const auto rule = ruleset_.ports.find(port);
            if ((ruleset_.handled.net & verdict.right) == 0) {
                verdict.why = why_free(verdict);
            } else if (rule != ruleset_.ports.end() && (rule->second & verdict.right) != 0) {
                verdict.why = Why::granted;
                verdict.rule = verdict.where;
                const auto written = std::ranges::find(policy_.ports, port, &PortRule::port);
                if (written != policy_.ports.end())
                    verdict.grant = grant_of(written->grants, verdict.right);
            }
            verdict_.rights.push_back(std::move(verdict));
        }
    }

    void judge_scope(const AccessRequest& request) {
        RightVerdict verdict{.access_class = AccessClass::scope, .right = request.rights};
        if ((ruleset_.handled.scoped & request.rights) == 0)
            verdict.why = why_free(verdict);
        verdict_.rights.push_back(std::move(verdict));
    }

    const Policy& policy_;
    const DryRun& ruleset_;
    std::uint64_t kernel_fs_;
    std::vector<const DryRun*> domain_; ///< the rulesets of all layers
    std::uint64_t always_handled_ = 0;  ///< whatever a ruleset of the domain says
    std::uint64_t handled_fs_ = 0;
    Verdict verdict_;
};

} // namespace

Result<Explainer> Explainer::make(std::span<const Policy> policies, const KernelSupport& support) {
    std::vector<Layer> layers;
    for (const Policy& policy : policies) {
        Result<DryRun> ruleset = dry_run(policy, support);
        if (!ruleset)
            return std::unexpected(std::move(ruleset.error()));
        layers.push_back({.policy = &policy, .ruleset = std::move(*ruleset)});
    }
    return Explainer(std::move(layers), support.rights.fs);
}

Result<std::vector<Verdict>> Explainer::explain(const AccessRequest& request) const {
    std::vector<Verdict> verdicts;
    for (const Layer& layer : layers_) {
        Result<Verdict> verdict = Judge(layers_, layer, kernel_fs_).judge(request);
        if (!verdict)
            return std::unexpected(std::move(verdict.error()));
        verdicts.push_back(std::move(*verdict));
    }
    return verdicts;
}

} // namespace llexec
