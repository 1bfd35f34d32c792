// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/policy_diff.hpp"
#include "query/hierarchy.hpp"

#include <functional>
#include <map>
#include <set>
#include <string_view>
#include <utility>

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

/// Compares one class of rights. A right that is allowed at a place is allowed beneath it too, by
/// both policies. So on the way down a difference begins once, where one of them allows the right,
/// and ends once, where the other one does as well: what is beneath that is none again.
class Comparison {
  public:
    Comparison(AccessClass access_class, const Meaning& less, const Meaning& more)
        : top_(access_class == AccessClass::fs ? "/" : ""), less_(less), more_(more),
          access_class_(access_class) {}

    /// What `more` allows and `less` does not, each right at the highest place only.
    void add_to(std::vector<AccessDifference>& differences) const {
        std::set<std::string> places{top_};
        for (const Meaning* meaning : {&less_, &more_})
            for (const auto& [where, access] : meaning->rules)
                places.insert(where);
        std::map<std::string_view, Ends> begun;
        for (const std::string& where : places) {
            const std::uint64_t here = extra_at(where);
            const std::uint64_t over = where == top_ ? 0 : extra_at(above(where));
            for (std::uint64_t left = here & ~over; left != 0; left &= left - 1)
                begun[where].try_emplace(lowest(left));
            for (std::uint64_t left = over & ~here; left != 0; left &= left - 1)
                begun[*places.find(beginning(where, lowest(left)))][lowest(left)].push_back(where);
        }
        for (const auto& [where, ends] : begun)
            add_to(differences, where, ends);
    }

  private:
    /// Where the difference of a right, by its bit, ends.
    using Ends = std::map<std::uint64_t, std::vector<std::string_view>>;

    static std::uint64_t lowest(std::uint64_t rights) { return rights & ~(rights - 1); }

    /// Rights that end at the same places are one difference.
    void add_to(std::vector<AccessDifference>& differences, std::string_view where,
                const Ends& ends) const {
        std::map<std::vector<std::string_view>, std::uint64_t> rights_by_end;
        for (const auto& [right, except] : ends)
            rights_by_end[except] |= right;
        for (const auto& [except, rights] : rights_by_end)
            differences.push_back({.access_class = access_class_,
                                   .rights = rights,
                                   .where = std::string(where),
                                   .except = {except.begin(), except.end()}});
    }

    /// The next place up. Not of the top. A relative path is somewhere beneath the root.
    [[nodiscard]] std::string above(const std::string& where) const {
        const std::size_t slash = where.rfind('/');
        return access_class_ != AccessClass::fs || slash == 0 || slash == std::string::npos
                   ? top_
                   : where.substr(0, slash);
    }

    /// Where the difference of a right begins that ends at `where`: one of the places.
    [[nodiscard]] std::string beginning(const std::string& where, std::uint64_t right) const {
        std::string place = above(where);
        while (place != top_ && (extra_at(above(place)) & right) != 0)
            place = above(place);
        return place;
    }

    [[nodiscard]] std::uint64_t extra_at(const std::string& where) const {
        return allowed_at(more_, where) & ~allowed_at(less_, where);
    }

    [[nodiscard]] std::uint64_t allowed_at(const Meaning& meaning, std::string where) const {
        std::uint64_t access = meaning.free;
        for (;; where = above(where)) {
            if (const auto rule = meaning.rules.find(where); rule != meaning.rules.end())
                access |= rule->second;
            if (where == top_)
                return access;
        }
    }

    std::string top_; ///< everywhere
    const Meaning& less_;
    const Meaning& more_;
    AccessClass access_class_;
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
