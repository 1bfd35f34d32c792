// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "attach/compile.hpp"

#include "attach/digest.hpp"
#include "kernel/path_hash.hpp"
#include "llexec/landlock.hpp"
#include "llexec/name_hash.h"

#include <fmt/format.h>

#include <algorithm>
#include <compare>
#include <cstring>
#include <optional>
#include <tuple>
#include <utility>

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

// Of one generation: that of the set before is in the same maps while they change over. Fail
// closed: what only fitted into empty maps could never be renewed.
constexpr std::size_t max_rules = LLEXEC_MAX_RULES / 2;

constexpr std::uint32_t anybody = LLEXEC_ANY_ID;
constexpr std::uint64_t anywhere = LLEXEC_ANY_PLACE;

using PathId = std::pair<std::uint32_t, std::uint64_t>;

/// What one block asks of an execution besides what it is looked up by. None of the lists is empty.
struct Conditions {
    std::uint32_t policy;
    std::vector<std::uint32_t> users;
    std::vector<std::uint32_t> groups;
    std::vector<std::uint64_t> cgroups;
    std::vector<std::uint64_t> directories;

    friend auto operator<=>(const Conditions&, const Conditions&) = default;
};

/// Conditions by their number in the index.
using Numbers = std::vector<std::uint32_t>;

template<class Id, class Order = std::less<Id>>
using NumbersOf = std::map<Id, Numbers, Order>;

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

template<class Value>
void sort_once(std::vector<Value>& values) {
    std::ranges::sort(values);
    values.erase(std::ranges::unique(values).begin(), values.end());
}

/// Each ID once; "any" for a key that the block does not have.
std::vector<std::uint32_t> ids_of(const std::vector<Principal>& principals) {
    if (principals.empty())
        return {anybody};
    std::vector<std::uint32_t> ids(principals.size());
    std::ranges::transform(principals, ids.begin(), &Principal::id);
    sort_once(ids);
    return ids;
}

/// Each place once; "anywhere" for a key that the block does not have.
std::vector<std::uint64_t> places_of(const std::vector<CgroupPath>& cgroups, std::uint64_t seed) {
    if (cgroups.empty())
        return {anywhere};
    std::vector<std::uint64_t> places(cgroups.size());
    std::ranges::transform(cgroups, places.begin(), [seed](const CgroupPath& cgroup) {
        return cgroup_place(cgroup.path, seed);
    });
    sort_once(places);
    return places;
}

/// As above, of those that exist. None, if none does: a key must not become one that always holds.
std::vector<std::uint64_t> places_of(const std::vector<DirectoryPath>& directories,
                                     const Identities& ids) {
    if (directories.empty())
        return {anywhere};
    std::vector<std::uint64_t> places;
    for (const DirectoryPath& directory : directories)
        if (const auto found = ids.directories.find(directory.path); found != ids.directories.end())
            places.push_back(found->second);
    sort_once(places);
    return places;
}

/// The conditions of all blocks of all policies, by what they are looked up by. A few numbers for
/// each key: a block of thousands of programs may have thousands of combinations.
struct Index {
    std::vector<Conditions> conditions;
    NumbersOf<llexec_inode_id, InodeOrder> by_inode;
    NumbersOf<PathId> by_path;
    NumbersOf<std::uint64_t> by_place;
    NumbersOf<std::uint32_t> by_user;
    NumbersOf<std::uint32_t> by_group;
    bool cgroups = false;
    bool directories = false;

    void add(const MatchBlock& block, std::uint32_t policy, const Identities& ids) {
        Conditions block_conditions{.policy = policy,
                                    .users = ids_of(block.users),
                                    .groups = ids_of(block.groups),
                                    .cgroups = places_of(block.cgroups, ids.seed),
                                    .directories = places_of(block.directories, ids)};
        if (block_conditions.directories.empty())
            return;
        cgroups = cgroups || !block.cgroups.empty();
        directories = directories || !block.directories.empty();
        // What a block is looked up by holds, and is no condition any more.
        if (!block.exes.empty())
            add_exes(block.exes, number_of(std::move(block_conditions)), ids);
        else if (!block.directories.empty())
            add(by_place, &Conditions::directories, anywhere, std::move(block_conditions));
        else if (!block.cgroups.empty())
            add(by_place, &Conditions::cgroups, anywhere, std::move(block_conditions));
        else if (!block.users.empty())
            add(by_user, &Conditions::users, anybody, std::move(block_conditions));
        else if (!block.groups.empty())
            add(by_group, &Conditions::groups, anybody, std::move(block_conditions));
    }

  private:
    std::map<Conditions, std::uint32_t> numbers_;

    std::uint32_t number_of(Conditions block_conditions) {
        const auto [found, inserted] = numbers_.try_emplace(
            std::move(block_conditions), static_cast<std::uint32_t>(conditions.size()));
        if (inserted)
            conditions.push_back(found->first);
        return found->second;
    }

    template<class Id>
    void add(NumbersOf<Id>& index, std::vector<Id> Conditions::* key, Id any,
             Conditions block_conditions) {
        const std::vector<Id> looked_up_by = std::exchange(block_conditions.*key, {any});
        const std::uint32_t number = number_of(std::move(block_conditions));
        for (const Id& id : looked_up_by)
            index[id].push_back(number);
    }

    void add_exes(const std::vector<ExePath>& exes, std::uint32_t number, const Identities& ids) {
        for (const ExePath& exe : exes) {
            const auto found = ids.exes.find(exe.path);
            if (found == ids.exes.end())
                continue;
            const llexec_file_id& id = found->second;
            if (exists(id))
                by_inode[id.inode].push_back(number);
            if (id.path_hash != 0)
                by_path[{id.inode.dev, id.path_hash}].push_back(number);
        }
    }
};

/// Lays lists of rules out one after the other, those of the same conditions only once: both halves
/// of a file's identity usually have the same, and so do all files of a block.
class RuleLayout {
  public:
    RuleLayout(const std::vector<Conditions>& conditions, std::vector<llexec_rule>& rules)
        : conditions_(conditions), rules_(rules) {}

    /// None if the set has more rules than fit. It stops there: memory has a bound.
    std::optional<llexec_rule_range> place(Numbers numbers) {
        sort_once(numbers);
        const auto [found, inserted] = placed_.try_emplace(std::move(numbers));
        if (inserted) {
            const std::size_t first = rules_.size();
            for (const std::uint32_t number : found->first)
                if (!add(conditions_[number]))
                    return std::nullopt;
            found->second = {.first = static_cast<std::uint32_t>(first),
                             .count = static_cast<std::uint32_t>(rules_.size() - first),
                             .never = 0};
        }
        return found->second;
    }

  private:
    bool add(const Conditions& conditions) {
        for (const std::uint32_t user : conditions.users)
            for (const std::uint32_t group : conditions.groups)
                for (const std::uint64_t cgroup : conditions.cgroups)
                    for (const std::uint64_t directory : conditions.directories) {
                        if (rules_.size() == max_rules)
                            return false;
                        rules_.push_back({.directory = directory,
                                          .cgroup = cgroup,
                                          .policy = conditions.policy,
                                          .user = user,
                                          .group = group,
                                          .reserved = 0});
                    }
        return true;
    }

    const std::vector<Conditions>& conditions_;
    std::vector<llexec_rule>& rules_;
    std::map<Numbers, llexec_rule_range> placed_;
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

Error too_large(std::string_view what, std::size_t limit) {
    return {.kind = ErrorKind::policy,
            .code = 0,
            .what = fmt::format(
                "the set of policies is larger than llexec can hold: {}, and {} is the limit", what,
                limit),
            .hint = {},
            .diagnostics = {}};
}

/// Adds the elements of one map.
template<class Id, class Order, class Key, class KeyOf>
Result<> lay_out(NumbersOf<Id, Order>& index, RuleLayout& layout, Ranges<Key>& ranges,
                 KeyOf key_of) {
    for (auto& [id, numbers] : index) {
        const auto range = layout.place(std::move(numbers));
        if (!range)
            return std::unexpected(too_large(
                "more combinations of users, groups, cgroups and directories", max_rules));
        ranges.emplace_back(key_of(id), *range);
    }
    return {};
}

/// Of one generation, see max_rules.
Result<> check_size(const CompiledSet& set) {
    struct Part {
        std::size_t size;
        std::size_t limit;
        const char* of_what;
    };
    for (const Part& part : {Part{set.policies.size(), LLEXEC_MAX_POLICIES, "policies"},
                             Part{set.by_inode.size(), LLEXEC_MAX_FILES, "programs"},
                             Part{set.by_path.size(), LLEXEC_MAX_FILES, "paths of programs"},
                             Part{set.by_place.size(), LLEXEC_MAX_FILES, "directories and cgroups"},
                             Part{set.by_user.size(), LLEXEC_MAX_FILES, "users"},
                             Part{set.by_group.size(), LLEXEC_MAX_FILES, "groups"}})
        if (part.size > part.limit / 2)
            return std::unexpected(
                too_large(fmt::format("{} {}", part.size, part.of_what), part.limit / 2));
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
    return hash != anywhere ? hash : 1;
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

    RuleLayout layout(index.conditions, set.rules);
    const auto inode_key = [generation](const llexec_inode_id& id) {
        return llexec_inode_key{.generation = generation, .inode = id};
    };
    const auto path_key = [generation](const PathId& id) {
        return llexec_path_key{
            .generation = generation, .path_hash = id.second, .dev = id.first, .reserved = 0};
    };
    const auto place_key = [generation](std::uint64_t place) {
        return llexec_place_key{.generation = generation, .place = place};
    };
    const auto id_key = [generation](std::uint32_t id) {
        return llexec_id_key{.generation = generation, .id = id, .reserved = 0};
    };
    Result<> laid_out = lay_out(index.by_inode, layout, set.by_inode, inode_key);
    if (laid_out)
        laid_out = lay_out(index.by_path, layout, set.by_path, path_key);
    if (laid_out)
        laid_out = lay_out(index.by_place, layout, set.by_place, place_key);
    if (laid_out)
        laid_out = lay_out(index.by_user, layout, set.by_user, id_key);
    if (laid_out)
        laid_out = lay_out(index.by_group, layout, set.by_group, id_key);
    if (!laid_out)
        return std::unexpected(std::move(laid_out.error()));

    // Behind the others, which they replace where both have the same key.
    constexpr llexec_rule_range never{.first = 0, .count = 0, .never = 1};
    for (const llexec_file_id& id : ids.never) {
        if (exists(id))
            set.by_inode.emplace_back(inode_key(id.inode), never);
        if (id.path_hash != 0)
            set.by_path.emplace_back(path_key({id.inode.dev, id.path_hash}), never);
    }
    if (auto checked = check_size(set); !checked)
        return std::unexpected(std::move(checked.error()));
    return set;
}

} // namespace llexec::attach
