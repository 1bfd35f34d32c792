// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// llexec check: everything that is wrong with policy files, without using them.
#include "commands.hpp"
#include "llexec/policy_file.hpp"
#include "output.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace llexec::cli {
namespace {

struct Counts {
    std::size_t errors = 0;
    std::size_t warnings = 0;
};

Counts count(const std::vector<Diagnostic>& diagnostics) {
    const auto of = [&](Severity severity) {
        return static_cast<std::size_t>(
            std::ranges::count(diagnostics, severity, &Diagnostic::severity));
    };
    return {.errors = of(Severity::error), .warnings = of(Severity::warning)};
}

/// Warnings become errors, and what has one is not valid.
void make_strict(PolicySet& set) {
    for (Diagnostic& diagnostic : set.diagnostics) {
        if (diagnostic.severity != Severity::warning)
            continue;
        diagnostic.severity = Severity::error;
        std::erase_if(set.policies,
                      [&](const Policy& policy) { return policy.file == diagnostic.file; });
    }
}

std::string counted(std::size_t number, std::string_view noun) {
    return fmt::format("{} {}{}", number, noun, number == 1 ? "" : "s");
}

void print_report_json(const PolicySet& set, const Counts& counts) {
    Json policies = Json::array();
    for (const Policy& policy : set.policies) {
        Json json{{"name", policy.name}, {"file", policy.file}};
        json["abi"] = policy.abi ? Json(*policy.abi) : Json(nullptr);
        json["attachable"] = check_attachable(policy).empty();
        policies.push_back(std::move(json));
    }
    print_json(stdout, Json{{"policies", std::move(policies)},
                            {"diagnostics", to_json(set.diagnostics)},
                            {"summary",
                             {{"files", set.files},
                              {"policies", set.policies.size()},
                              {"errors", counts.errors},
                              {"warnings", counts.warnings}}}});
}

void check(const std::vector<std::string>& paths, bool strict, Context& context) {
    SystemUserDatabase users;
    PolicySet set = load_policies(paths, users);
    // A policy that selects nothing is fine for `run`.
    for (const Policy& policy : set.policies)
        for (Diagnostic& diagnostic : check_attachable(policy)) {
            diagnostic.severity = Severity::note;
            set.diagnostics.push_back(std::move(diagnostic));
        }
    if (strict)
        make_strict(set);
    const Counts counts = count(set.diagnostics);
    if (context.json) {
        print_report_json(set, counts);
    } else {
        for (const Diagnostic& diagnostic : set.diagnostics)
            print_text(stderr, diagnostic);
        print_line(stdout, fmt::format("{} checked: {} valid, {}, {}", counted(set.files, "file"),
                                       set.policies.size(), counted(counts.errors, "error"),
                                       counted(counts.warnings, "warning")));
    }
    context.exit = counts.errors == 0 ? ExitCode::ok : ExitCode::policy_invalid;
}

} // namespace

void add_check(CLI::App& app, Context& context) {
    CLI::App* command =
        app.add_subcommand("check", "Report everything that is wrong with policies");
    const auto paths = std::make_shared<std::vector<std::string>>();
    command->add_option("path", *paths, "Policy files, or directories of them")
        ->type_name("FILE|DIR");
    const auto strict = std::make_shared<bool>(false);
    command->add_flag("--strict", *strict, "Treat warnings as errors");
    command->callback([paths, strict, &context] {
        paths->insert(paths->end(), context.rest.begin(), context.rest.end());
        if (paths->empty())
            fail_usage(context, "check: at least one FILE or DIR is needed");
        else
            check(*paths, *strict, context);
    });
}

} // namespace llexec::cli
