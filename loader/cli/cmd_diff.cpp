// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// llexec diff: what one policy allows that another one does not.
#include "commands.hpp"
#include "llexec/policy_diff.hpp"
#include "llexec/policy_dump.hpp"
#include "output.hpp"
#include "policy_arguments.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <memory>

namespace llexec::cli {
namespace {

/// A pair of policies; one of them is missing if only the other set has its name.
struct Pair {
    std::string name;
    const Policy* first = nullptr;
    const Policy* second = nullptr;
};

/// By name; a single policy on each side is a pair whatever the names are.
std::vector<Pair> pairs_of(const PolicySet& first, const PolicySet& second) {
    if (first.policies.size() == 1 && second.policies.size() == 1)
        return {{.name = second.policies.front().name,
                 .first = &first.policies.front(),
                 .second = &second.policies.front()}};
    std::map<std::string, Pair> pairs;
    for (const Policy& policy : first.policies)
        pairs[policy.name] = {.name = policy.name, .first = &policy};
    for (const Policy& policy : second.policies) {
        pairs[policy.name].name = policy.name;
        pairs[policy.name].second = &policy;
    }
    std::vector<Pair> result;
    result.reserve(pairs.size());
    for (auto& [name, pair] : pairs)
        result.push_back(std::move(pair));
    return result;
}

/// The tables that say whom a policy is for and how it is enforced, where they differ.
Json changed_tables(const Policy& first, const Policy& second) {
    const Json a = Json::parse(*dump_policy(first, DumpFormat::json));
    const Json b = Json::parse(*dump_policy(second, DumpFormat::json));
    Json changes = Json::object();
    const auto compare = [&](const std::string& key, const Json& before, const Json& after) {
        if (before != after)
            changes[key] = {{"first", before}, {"second", after}};
    };
    compare("match", a.value("match", Json::array()), b.value("match", Json::array()));
    for (const auto& [key, value] : a["enforce"].items())
        compare("enforce." + key, value, b["enforce"].value(key, Json(nullptr)));
    for (const auto& [key, value] : b["enforce"].items())
        if (!a["enforce"].contains(key))
            compare("enforce." + key, nullptr, value);
    return changes;
}

std::string place_text(const AccessDifference& difference) {
    if (difference.access_class == AccessClass::scope)
        return "outside of the domain";
    std::string text = difference.access_class == AccessClass::fs ? "beneath " + difference.where
                       : difference.where.empty()                 ? "on all ports"
                                                                  : "on port " + difference.where;
    if (!difference.except.empty())
        text += fmt::format(" except {}", fmt::join(difference.except, ", "));
    return text;
}

void print_differences(char sign, std::span<const AccessDifference> differences) {
    for (const AccessDifference& difference : differences)
        print_line(stdout, fmt::format("  {} {}: {}", sign, place_text(difference),
                                       fmt::join(names_of_rights(difference.access_class,
                                                                 difference.rights),
                                                 ", ")));
}

Json differences_json(std::span<const AccessDifference> differences) {
    Json json = Json::array();
    for (const AccessDifference& difference : differences)
        json.push_back(
            {{"class", to_string(difference.access_class)},
             {"rights", names_of_rights(difference.access_class, difference.rights)},
             {"where", difference.where.empty() ? Json(nullptr) : Json(difference.where)},
             {"except", difference.except}});
    return json;
}

/// Whether they differ.
bool compare(const Pair& pair, const Context& context, Json& report) {
    Json json{{"policy", pair.name}};
    if (pair.first == nullptr || pair.second == nullptr) {
        json["only_in"] = pair.first == nullptr ? "second" : "first";
        report.push_back(std::move(json));
        if (!context.json)
            print_line(stdout, fmt::format("{}: only in the {} set", pair.name,
                                           pair.first == nullptr ? "second" : "first"));
        return true;
    }
    const PolicyDifference difference = diff_policies(*pair.first, *pair.second);
    const Json changes = changed_tables(*pair.first, *pair.second);
    if (difference.empty() && changes.empty())
        return false;
    if (context.json) {
        json["gained"] = differences_json(difference.gained);
        json["lost"] = differences_json(difference.lost);
        json["changed"] = changes;
        report.push_back(std::move(json));
        return true;
    }
    print_line(stdout, fmt::format("{} ({} -> {}): + allowed now, - no longer allowed", pair.name,
                                   pair.first->file, pair.second->file));
    print_differences('+', difference.gained);
    print_differences('-', difference.lost);
    for (const auto& [key, change] : changes.items())
        print_line(stdout, fmt::format("  {}: {} -> {}", key, change["first"].dump(),
                                       change["second"].dump()));
    return true;
}

void diff(const std::vector<std::string>& paths, Context& context) {
    std::vector<PolicySet> sets;
    for (const std::string& path : paths) {
        PolicyArguments arguments;
        arguments.paths = {path};
        auto set = read_valid_policies(arguments, context, "nothing is compared");
        if (!set)
            return;
        sets.push_back(std::move(*set));
    }
    Json report = Json::array();
    bool differ = false;
    for (const Pair& pair : pairs_of(sets[0], sets[1]))
        differ = compare(pair, context, report) || differ;
    if (context.json)
        print_json(stdout, Json{{"differences", std::move(report)}});
    else if (!differ)
        print_line(stdout, "no difference");
    context.exit = differ ? ExitCode::negative : ExitCode::ok;
}

} // namespace

void add_diff(CLI::App& app, Context& context) {
    CLI::App* command =
        app.add_subcommand("diff", "Say what one policy allows and another does not");
    const auto paths = std::make_shared<std::vector<std::string>>();
    command->add_option("policy", *paths, "Two policy files, or two directories of them")
        ->type_name("FILE|DIR");
    command->footer("Quiet rules and [lint] are not compared: they allow nothing.");
    command->callback([paths, &context] {
        paths->insert(paths->end(), context.rest.begin(), context.rest.end());
        if (paths->size() != 2)
            fail_usage(context, "diff: two policies, or two directories of them, are needed");
        else
            diff(*paths, context);
    });
}

} // namespace llexec::cli
