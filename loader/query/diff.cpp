// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/policy_diff.hpp"
#include "query/hierarchy.hpp"

#include <functional>
#include <map>
#include <set>

namespace llexec {
namespace {

using Rules = std::map<std::string, std::uint64_t, std::less<>>;

/// What a policy means for one class of rights.
struct Meaning {
    std::uint64_t free = 0; ///< not handled: allowed everywhere
    Rules rules;            ///< what is granted besides
};

/// Of the rights in `universe`.
Meaning meaning_of(const Policy& policy, AccessClass access_class, std::uint64_t universe) {
    Meaning meaning;
    std::uint64_t handled = policy.handled.of(access_class);
    // A ruleset of filesystem rights denies reparenting also where it does not handle refer.
    if (access_class == AccessClass::fs && handled != 0)
        handled |= find_access_right(AccessClass::fs, "refer")->bit;
    meaning.free = universe & ~handled;
    if (access_class == AccessClass::fs)
        for (const PathRule& rule : policy.paths)
            meaning.rules[real_path(rule.path).value_or(rule.path)] |= rule.access;
    if (access_class == AccessClass::net)
        for (const PortRule& rule : policy.ports)
            meaning.rules[std::to_string(rule.port)] |= rule.access;
    return meaning;
}

/// The directory above; empty above "/", and above a relative path's first component.
std::string above(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    if (path == "/" || slash == std::string::npos)
        return {};
    return slash == 0 ? "/" : path.substr(0, slash);
}

std::uint64_t allowed_at(const Meaning& meaning, AccessClass access_class, std::string where) {
    std::uint64_t access = meaning.free;
    for (;; where = above(where)) {
        if (const auto rule = meaning.rules.find(where); rule != meaning.rules.end())
            access |= rule->second;
        if (access_class != AccessClass::fs || where.empty())
            return access;
    }
}

class Comparison {
  public:
    Comparison(AccessClass access_class, const Meaning& less, const Meaning& more)
        : access_class_(access_class), less_(less), more_(more) {}

    /// What `more` allows and `less` does not, each right at the highest place only.
    void add_to(std::vector<AccessDifference>& differences) const {
        std::set<std::string> places{""};
        for (const Meaning* meaning : {&less_, &more_})
            for (const auto& [where, access] : meaning->rules)
                places.insert(where);
        for (const std::string& where : places) { // what is above comes first
            std::uint64_t rights = extra_at(where);
            if (!where.empty())
                rights &= ~extra_at(access_class_ == AccessClass::fs ? above(where) : "");
            if (rights != 0)
                differences.push_back(
                    {.access_class = access_class_, .rights = rights, .where = where});
        }
    }

  private:
    [[nodiscard]] std::uint64_t extra_at(const std::string& where) const {
        return allowed_at(more_, access_class_, where) & ~allowed_at(less_, access_class_, where);
    }

    AccessClass access_class_;
    const Meaning& less_;
    const Meaning& more_;
};

} // namespace

PolicyDifference diff_policies(const Policy& first, const Policy& second) {
    PolicyDifference difference;
    for (const AccessClass access_class : access_classes) {
        std::uint64_t universe = first.handled.of(access_class) | second.handled.of(access_class);
        if (access_class == AccessClass::fs && universe != 0)
            universe |= find_access_right(AccessClass::fs, "refer")->bit;
        const Meaning a = meaning_of(first, access_class, universe);
        const Meaning b = meaning_of(second, access_class, universe);
        Comparison(access_class, a, b).add_to(difference.gained);
        Comparison(access_class, b, a).add_to(difference.lost);
    }
    return difference;
}

} // namespace llexec
