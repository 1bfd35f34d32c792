// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "attach/compile.hpp"

#include "llexec/landlock.hpp"

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

    friend auto operator<=>(const Rule&, const Rule&) = default;
};

template<class Id, class Order = std::less<Id>>
using RulesOf = std::map<Id, std::vector<Rule>, Order>;

bool same_inode(const llexec_inode_id& a, const llexec_inode_id& b) {
    return !InodeOrder{}(a, b) && !InodeOrder{}(b, a);
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

/// All rules of all policies, by what they are looked up by.
struct Index {
    RulesOf<llexec_inode_id, InodeOrder> by_inode;
    RulesOf<PathId> by_path;
    RulesOf<std::uint32_t> by_user;
    RulesOf<std::uint32_t> by_group;

    void add(const MatchBlock& block, std::uint32_t policy, const ExeIds& exes) {
        for (const std::uint32_t user : ids_of(block.users))
            for (const std::uint32_t group : ids_of(block.groups))
                add(block, Rule{.policy = policy, .user = user, .group = group}, exes);
    }

  private:
    void add(const MatchBlock& block, const Rule& rule, const ExeIds& exes) {
        if (!block.exes.empty()) {
            for (const ExePath& exe : block.exes)
                if (const auto found = exes.find(exe.path); found != exes.end())
                    add_exe(found->second, rule);
        } else if (rule.user != LLEXEC_ANY_ID) {
            by_user[rule.user].push_back(rule);
        } else if (rule.group != LLEXEC_ANY_ID) {
            by_group[rule.group].push_back(rule);
        }
    }

    void add_exe(const llexec_file_id& id, const Rule& rule) {
        by_inode[id.inode].push_back(rule);
        if (id.path_hash != 0)
            by_path[{id.inode.dev, id.path_hash}].push_back(rule);
    }
};

llexec_rule to_abi(const Rule& rule) {
    return {.policy = rule.policy, .user = rule.user, .group = rule.group};
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

llexec_policy to_abi(const Policy& policy) {
    llexec_policy result{};
    // The parser refuses longer names; a policy from elsewhere is cut rather than overrun.
    std::strncpy(result.name, policy.name.c_str(), sizeof(result.name) - 1);
    result.mode = policy.enforce.mode == Mode::observe ? LLEXEC_MODE_OBSERVE : LLEXEC_MODE_ENFORCE;
    result.on_error =
        policy.enforce.on_error == OnError::allow ? LLEXEC_ON_ERROR_ALLOW : LLEXEC_ON_ERROR_DENY;
    result.restrict_flags = restrict_flags(policy.enforce);
    return result;
}

Result<> check_self(std::span<const Policy> policies, const ExeIds& exes,
                    const llexec_file_id& self) {
    Error error{.kind = ErrorKind::policy,
                .code = 0,
                .what = "a policy selects llexec itself, which is never confined",
                .hint = {},
                .diagnostics = {}};
    for (const Policy& policy : policies)
        for (const MatchBlock& block : policy.match)
            for (const ExePath& exe : block.exes)
                if (const auto found = exes.find(exe.path);
                    found != exes.end() && same_inode(found->second.inode, self.inode))
                    error.diagnostics.push_back({.severity = Severity::error,
                                                 .file = policy.file,
                                                 .position = exe.position,
                                                 .message = exe.path + " is llexec itself",
                                                 .advice = "remove it: llexec is never selected"});
    if (error.diagnostics.empty())
        return {};
    return std::unexpected(std::move(error));
}

} // namespace

Result<CompiledSet> compile(std::span<const Policy> policies, const ExeIds& exes,
                            const llexec_file_id& self, std::uint64_t generation) {
    if (auto checked = check_self(policies, exes, self); !checked)
        return std::unexpected(std::move(checked.error()));

    CompiledSet set;
    set.generation = generation;
    Index index;
    for (const Policy& policy : policies) {
        const auto number = static_cast<std::uint32_t>(set.policies.size());
        set.policies.push_back(to_abi(policy));
        for (const MatchBlock& block : policy.match)
            index.add(block, number, exes);
    }

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
    for (auto& [user, rules] : index.by_user)
        set.by_user.emplace_back(id_key(generation, user), layout.place(std::move(rules)));
    for (auto& [group, rules] : index.by_group)
        set.by_group.emplace_back(id_key(generation, group), layout.place(std::move(rules)));

    const llexec_inode_key self_key{.generation = generation, .inode = self.inode};
    set.by_inode.emplace_back(self_key, llexec_rule_range{.first = 0, .count = 0, .never = 1});
    return set;
}

} // namespace llexec::attach
