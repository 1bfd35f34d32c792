// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "attach/compile.hpp"

#include "attach/digest.hpp"
#include "kernel/path_hash.hpp"
#include "llexec/landlock.hpp"
#include "llexec/name_hash.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <tuple>

namespace llexec::attach {
namespace {

// Keys without the generation, which is the same for all.
struct InodeOrder {
    bool operator()(const llexec_inode_id& a, const llexec_inode_id& b) const {
        const auto members = [](const llexec_inode_id& id) {
            return std::tie(id.dev, id.real_dev, id.subvolume, id.ino, id.igeneration);
        };
        return members(a) < members(b);
    }
};

using PathId = std::pair<std::uint32_t, std::uint64_t>;

/// As llexec_rule, with an order: rules are compared to find lists that two keys share.
struct Rule {
    std::uint32_t policy;
    std::uint32_t user;
    std::uint32_t group;
    std::uint64_t cgroup;
    std::uint64_t directory;

    friend auto operator<=>(const Rule&, const Rule&) = default;
};

template<class Id, class Order = std::less<Id>>
using RulesOf = std::map<Id, std::vector<Rule>, Order>;

bool same_inode(const llexec_inode_id& a, const llexec_inode_id& b) {
    return !InodeOrder{}(a, b) && !InodeOrder{}(b, a);
}

/// No file has the inode number 0.
bool exists(const llexec_file_id& id) {
    return id.inode.ino != 0;
}

bool same_file(const llexec_file_id& a, const llexec_file_id& b) {
    return (exists(a) && same_inode(a.inode, b.inode)) ||
           (a.path_hash != 0 && a.path_hash == b.path_hash && a.inode.dev == b.inode.dev);
}

llexec_id_key id_key(std::uint64_t generation, std::uint32_t id) {
    return {.generation = generation, .id = id, .reserved = 0};
}

/// Each ID once; "any" for an empty list.
std::vector<std::uint32_t> ids_of(const std::vector<Principal>& principals) {
    std::vector<std::uint32_t> ids(principals.size());
    std::ranges::transform(principals, ids.begin(), &Principal::id);
    if (ids.empty())
        ids.push_back(LLEXEC_ANY_ID);
    std::ranges::sort(ids);
    ids.erase(std::ranges::unique(ids).begin(), ids.end());
    return ids;
}

std::vector<std::uint64_t> places_of(const std::vector<CgroupPath>& cgroups, std::uint64_t seed) {
    std::vector<std::uint64_t> places(cgroups.size());
    std::ranges::transform(cgroups, places.begin(), [seed](const CgroupPath& cgroup) {
        return cgroup_place(cgroup.path, seed);
    });
    return places;
}

/// Of those that exist.
std::vector<std::uint64_t> places_of(const std::vector<DirectoryPath>& directories,
                                     const Identities& ids) {
    std::vector<std::uint64_t> places;
    for (const DirectoryPath& directory : directories)
        if (const auto found = ids.directories.find(directory.path); found != ids.directories.end())
            places.push_back(found->second);
    return places;
}

/// Those of one block.
struct Places {
    std::vector<std::uint64_t> cgroups;
    std::vector<std::uint64_t> directories;
};

/// All rules of all policies, by what they are looked up by.
struct Index {
    RulesOf<llexec_inode_id, InodeOrder> by_inode;
    RulesOf<PathId> by_path;
    RulesOf<std::uint64_t> by_place;
    RulesOf<std::uint32_t> by_user;
    RulesOf<std::uint32_t> by_group;
    bool cgroups = false;
    bool directories = false;

    void add(const MatchBlock& block, std::uint32_t policy, const Identities& ids) {
        const Places places{.cgroups = places_of(block.cgroups, ids.seed),
                            .directories = places_of(block.directories, ids)};
        cgroups = cgroups || !places.cgroups.empty();
        directories = directories || !places.directories.empty();
        for (const std::uint32_t user : ids_of(block.users))
            for (const std::uint32_t group : ids_of(block.groups))
                add(block,
                    Rule{.policy = policy,
                         .user = user,
                         .group = group,
                         .cgroup = LLEXEC_ANY_PLACE,
                         .directory = LLEXEC_ANY_PLACE},
                    places, ids);
    }

  private:
    void add(const MatchBlock& block, const Rule& rule, const Places& places,
             const Identities& ids) {
        if (!block.exes.empty() || !block.directories.empty()) {
            for_each(rule, &Rule::cgroup, places.cgroups, block.cgroups.empty(),
                     [&](const Rule& inside) { add_files(block, inside, places, ids); });
        } else if (!block.cgroups.empty()) {
            add_places(places.cgroups, rule);
        } else if (rule.user != LLEXEC_ANY_ID) {
            by_user[rule.user].push_back(rule);
        } else if (rule.group != LLEXEC_ANY_ID) {
            by_group[rule.group].push_back(rule);
        }
    }

    void add_files(const MatchBlock& block, const Rule& rule, const Places& places,
                   const Identities& ids) {
        if (block.exes.empty()) {
            add_places(places.directories, rule);
            return;
        }
        for_each(rule, &Rule::directory, places.directories, block.directories.empty(),
                 [&](const Rule& beneath) {
                     for (const ExePath& exe : block.exes)
                         if (const auto found = ids.exes.find(exe.path); found != ids.exes.end())
                             add_exe(found->second, beneath);
                 });
    }

    void add_places(const std::vector<std::uint64_t>& places, const Rule& rule) {
        for (const std::uint64_t place : places)
            by_place[place].push_back(rule);
    }

    /// A rule for each place or, if the block does not have that key at all, for any: a key none of
    /// whose values exists must not become one that always holds.
    template<class Add>
    static void for_each(Rule rule, std::uint64_t Rule::* condition,
                         const std::vector<std::uint64_t>& places, bool any, Add add) {
        if (any)
            add(rule);
        for (const std::uint64_t place : places) {
            rule.*condition = place;
            add(rule);
        }
    }

    void add_exe(const llexec_file_id& id, const Rule& rule) {
        if (exists(id))
            by_inode[id.inode].push_back(rule);
        if (id.path_hash != 0)
            by_path[{id.inode.dev, id.path_hash}].push_back(rule);
    }
};

llexec_rule to_abi(const Rule& rule) {
    return {.directory = rule.directory,
            .cgroup = rule.cgroup,
            .policy = rule.policy,
            .user = rule.user,
            .group = rule.group,
            .reserved = 0};
}

/// Lays lists of rules out one after the other, equal lists only once: both halves of a file's
/// identity usually have the same.
class RuleLayout {
  public:
    explicit RuleLayout(std::vector<llexec_rule>& rules) : rules_(rules) {}

    llexec_rule_range place(std::vector<Rule> list) {
        std::ranges::sort(list);
        list.erase(std::ranges::unique(list).begin(), list.end());
        const auto [found, inserted] = placed_.try_emplace(list);
        if (inserted) {
            found->second = {.first = static_cast<std::uint32_t>(rules_.size()),
                             .count = static_cast<std::uint32_t>(list.size()),
                             .never = 0};
            for (const Rule& rule : list)
                rules_.push_back(to_abi(rule));
        }
        return found->second;
    }

  private:
    std::vector<llexec_rule>& rules_;
    std::map<std::vector<Rule>, llexec_rule_range> placed_;
};

std::uint64_t name_hash(std::string_view name) {
    const std::uint64_t hash = digest_of(name.data(), name.size());
    return hash != 0 ? hash : 1;
}

llexec_policy to_abi(const Policy& policy) {
    llexec_policy result{};
    // The parser refuses longer names; a policy from elsewhere is cut rather than overrun.
    std::strncpy(result.name, policy.name.c_str(), sizeof(result.name) - 1);
    result.mode = policy.enforce.mode == Mode::observe ? LLEXEC_MODE_OBSERVE : LLEXEC_MODE_ENFORCE;
    result.on_error =
        policy.enforce.on_error == OnError::allow ? LLEXEC_ON_ERROR_ALLOW : LLEXEC_ON_ERROR_DENY;
    result.restrict_flags = restrict_flags(policy.enforce);
    result.name_hash = name_hash(policy.name);
    return result;
}

Result<> check_self(std::span<const Policy> policies, const Identities& ids) {
    Error error{.kind = ErrorKind::policy,
                .code = 0,
                .what = "a policy selects llexec itself, which is never confined",
                .hint = {},
                .diagnostics = {}};
    for (const Policy& policy : policies)
        for (const MatchBlock& block : policy.match)
            for (const ExePath& exe : block.exes)
                if (const auto found = ids.exes.find(exe.path);
                    found != ids.exes.end() &&
                    std::ranges::any_of(ids.never, [&](const llexec_file_id& never) {
                        return same_file(found->second, never);
                    }))
                    error.diagnostics.push_back({.severity = Severity::error,
                                                 .file = policy.file,
                                                 .position = exe.position,
                                                 .message = exe.path + " is llexec itself",
                                                 .advice = "remove it: llexec is never selected"});
    if (error.diagnostics.empty())
        return {};
    return std::unexpected(std::move(error));
}

/// Of one generation: that of the set before is in the same maps while they change over. Fail
/// closed: what only fitted into empty maps could never be renewed.
Result<> check_size(const CompiledSet& set) {
    struct Part {
        std::size_t size;
        std::size_t limit;
        const char* of_what;
    };
    for (const Part& part : {Part{set.policies.size(), LLEXEC_MAX_POLICIES, "policies"},
                             Part{set.rules.size(), LLEXEC_MAX_RULES,
                                  "combinations of users, groups, cgroups and directories"},
                             Part{set.by_inode.size(), LLEXEC_MAX_FILES, "programs"},
                             Part{set.by_path.size(), LLEXEC_MAX_FILES, "paths of programs"},
                             Part{set.by_place.size(), LLEXEC_MAX_FILES, "directories and cgroups"},
                             Part{set.by_user.size(), LLEXEC_MAX_FILES, "users"},
                             Part{set.by_group.size(), LLEXEC_MAX_FILES, "groups"}})
        if (part.size > part.limit / 2)
            return failure(ErrorKind::policy,
                           fmt::format("the set of policies is larger than llexec can hold: {} {}, "
                                       "and {} is the limit",
                                       part.size, part.of_what, part.limit / 2));
    return {};
}

} // namespace

std::uint64_t cgroup_place(std::string_view path, std::uint64_t seed) {
    std::uint64_t hash = llexec_hash_cgroup_root(seed);
    for (std::size_t begin = 1; begin < path.size();) {
        const std::size_t end = std::min(path.find('/', begin), path.size());
        hash = kernel::hash_name(hash, path.substr(begin, end - begin));
        begin = end + 1;
    }
    return hash != LLEXEC_ANY_PLACE ? hash : 1;
}

Result<CompiledSet> compile(std::span<const Policy> policies, const Identities& ids,
                            std::uint64_t generation) {
    if (auto checked = check_self(policies, ids); !checked)
        return std::unexpected(std::move(checked.error()));

    CompiledSet set;
    set.generation = generation;
    Index index;
    for (const Policy& policy : policies) {
        const auto number = static_cast<std::uint32_t>(set.policies.size());
        set.policies.push_back(to_abi(policy));
        for (const MatchBlock& block : policy.match)
            index.add(block, number, ids);
    }
    set.cgroups = index.cgroups;
    set.directories = index.directories;

    RuleLayout layout(set.rules);
    for (auto& [id, rules] : index.by_inode) {
        const llexec_inode_key key{.generation = generation, .inode = id};
        set.by_inode.emplace_back(key, layout.place(std::move(rules)));
    }
    for (auto& [id, rules] : index.by_path) {
        const llexec_path_key key{
            .generation = generation, .path_hash = id.second, .dev = id.first, .reserved = 0};
        set.by_path.emplace_back(key, layout.place(std::move(rules)));
    }
    for (auto& [place, rules] : index.by_place)
        set.by_place.emplace_back(llexec_place_key{.generation = generation, .place = place},
                                  layout.place(std::move(rules)));
    for (auto& [user, rules] : index.by_user)
        set.by_user.emplace_back(id_key(generation, user), layout.place(std::move(rules)));
    for (auto& [group, rules] : index.by_group)
        set.by_group.emplace_back(id_key(generation, group), layout.place(std::move(rules)));

    // Behind the others, which they replace where both have the same key.
    constexpr llexec_rule_range never{.first = 0, .count = 0, .never = 1};
    for (const llexec_file_id& id : ids.never) {
        if (exists(id))
            set.by_inode.emplace_back(llexec_inode_key{.generation = generation, .inode = id.inode},
                                      never);
        if (id.path_hash != 0)
            set.by_path.emplace_back(llexec_path_key{.generation = generation,
                                                     .path_hash = id.path_hash,
                                                     .dev = id.inode.dev,
                                                     .reserved = 0},
                                     never);
    }
    if (auto checked = check_size(set); !checked)
        return std::unexpected(std::move(checked.error()));
    return set;
}

} // namespace llexec::attach
