// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Several bodies as one.
#include "policy/body.hpp"

#include <algorithm>
#include <iterator>

namespace llexec {
namespace {

void add_variables(Variables& variables, const Variables& more) {
    for (const auto& [name, values] : more) {
        std::vector<std::string>& own = variables[name];
        own.insert(own.end(), values.begin(), values.end());
        std::ranges::sort(own);
        own.erase(std::ranges::unique(own).begin(), own.end());
    }
}

template<class Rule>
void add_rule(Rule& rule, const Rule& more) {
    rule.quiet = rule.quiet || more.quiet;
    rule.grants.insert(rule.grants.end(), more.grants.begin(), more.grants.end());
}

void add_rules(Body& body, const Body& other) {
    for (const auto& [text, rule] : other.paths)
        if (const auto [own, added] = body.paths.try_emplace(text, rule); !added)
            add_rule(own->second, rule);
    for (const auto& [port, rule] : other.ports)
        if (const auto [own, added] = body.ports.try_emplace(port, rule); !added)
            add_rule(own->second, rule);
}

/// Takes rights that are not handled out of the rules, and rules out that then say nothing.
template<class Rules>
void restrict_rules(Rules& rules, std::uint64_t handled) {
    for (auto entry = rules.begin(); entry != rules.end();) {
        auto& rule = entry->second;
        for (Grant& grant : rule.grants)
            grant.access &= handled;
        if (!rule.quiet)
            std::erase_if(rule.grants, [](const Grant& grant) { return grant.access == 0; });
        entry = rule.grants.empty() ? rules.erase(entry) : std::next(entry);
    }
}

} // namespace

void compose(Body& body, const Body& other) {
    add_variables(body.variables, other.variables);
    add_rules(body, other);
    for (const AccessClass access_class : access_classes) {
        body.handled.of(access_class) &= other.handled.of(access_class);
        body.quiet.of(access_class) &= other.quiet.of(access_class);
    }
    restrict_rules(body.paths, body.handled.fs);
    restrict_rules(body.ports, body.handled.net);
    if (other.abi)
        body.abi = body.abi ? std::min(*body.abi, *other.abi) : other.abi;
}

void take_in(Body& body, const Body& other) {
    add_variables(body.variables, other.variables);
    add_rules(body, other);
    for (const AccessClass access_class : access_classes) {
        body.handled.of(access_class) |= other.handled.of(access_class);
        body.quiet.of(access_class) |= other.quiet.of(access_class);
    }
    body.quiet_keys.insert(body.quiet_keys.end(), other.quiet_keys.begin(), other.quiet_keys.end());
}

} // namespace llexec
