// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// llexec check: everything that is wrong with policy files, without using them.
#include "commands.hpp"
#include "llexec/landlock.hpp"
#include "llexec/lint.hpp"
#include "llexec/policy_file.hpp"
#include "output.hpp"
#include "policy_arguments.hpp"
#include "sarif.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <iterator>
#include <memory>
#include <tuple>

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

/// Leaves out what is not valid because of an error in that file, which may be an included one.
void leave_out(PolicySet& set, const std::string& file) {
    std::erase_if(set.policies, [&](const Policy& policy) {
        return policy.file == file ||
               std::ranges::find(policy.included, file) != policy.included.end();
    });
}

/// Warnings become errors, and what has one is not valid.
void make_strict(PolicySet& set) {
    for (Diagnostic& diagnostic : set.diagnostics) {
        if (diagnostic.severity != Severity::warning)
            continue;
        diagnostic.severity = Severity::error;
        leave_out(set, diagnostic.file);
    }
}

std::string counted(std::size_t number, std::string_view noun) {
    return fmt::format("{} {}{}", number, noun, number == 1 ? "" : "s");
}

/// What a kernel enforces of one policy.
struct Enforced {
    std::string policy;
    AccessMasks asked;
    AccessMasks handled;
};

/// Adds what that kernel does not enforce to the findings, and leaves policies out that it cannot
/// take. `build` is build_ruleset() or dry_run() for it.
template<class Build>
std::vector<Enforced> check_kernel(PolicySet& set, const KernelSupport& support, Build build) {
    std::vector<Enforced> result;
    std::erase_if(set.policies, [&](const Policy& policy) {
        auto built = build(policy, support);
        std::vector<Diagnostic>& notes = built ? built->notes : built.error().diagnostics;
        std::ranges::move(notes, std::back_inserter(set.diagnostics));
        if (!built)
            set.diagnostics.push_back({.severity = Severity::error,
                                       .file = policy.file,
                                       .position = {},
                                       .message = built.error().message(),
                                       .advice = built.error().hint});
        result.push_back({.policy = policy.name,
                          .asked = policy.handled,
                          .handled = built ? built->handled : AccessMasks{}});
        return !built;
    });
    return result;
}

std::string summary_of(const Enforced& enforced, int abi) {
    const auto part = [&](AccessClass access_class) {
        return fmt::format("{} of {} {} rights", std::popcount(enforced.handled.of(access_class)),
                           std::popcount(enforced.asked.of(access_class)), to_string(access_class));
    };
    return fmt::format("{} on Landlock ABI {}: enforces {}, {}, {}", enforced.policy, abi,
                       part(AccessClass::fs), part(AccessClass::net), part(AccessClass::scope));
}

Json names_of(const AccessMasks& masks) {
    Json json = Json::object();
    for (const AccessClass access_class : access_classes)
        json[to_string(access_class)] = names_of_rights(access_class, masks.of(access_class));
    return json;
}

Json enforced_json(const Enforced& enforced) {
    AccessMasks lost = enforced.asked;
    for (const AccessClass access_class : access_classes)
        lost.of(access_class) &= ~enforced.handled.of(access_class);
    return {{"policy", enforced.policy},
            {"enforced", names_of(enforced.handled)},
            {"lost", names_of(lost)}};
}

void print_report_json(const PolicySet& set, const Counts& counts,
                       const std::vector<Enforced>& enforced) {
    Json policies = Json::array();
    for (const Policy& policy : set.policies) {
        Json json{{"name", policy.name}, {"file", policy.file}};
        json["abi"] = policy.abi ? Json(*policy.abi) : Json(nullptr);
        json["attachable"] = check_attachable(policy).empty();
        policies.push_back(std::move(json));
    }
    Json report{{"policies", std::move(policies)},
                {"diagnostics", to_json(set.diagnostics)},
                {"summary",
                 {{"files", set.files},
                  {"policies", set.policies.size()},
                  {"errors", counts.errors},
                  {"warnings", counts.warnings}}}};
    for (const Enforced& one : enforced)
        report["on_abi"].push_back(enforced_json(one));
    print_json(stdout, report);
}

struct CheckOptions {
    std::shared_ptr<PolicyArguments> arguments;
    std::vector<std::string> allowed; ///< names of lints
    bool strict = false;
    bool sarif = false;
    bool text_only = false;
    int abi = 0; ///< 0: not asked for
};

/// What can be found out about valid policies.
void add_lints(PolicySet& set, const CheckOptions& options, const AccessMasks& rights) {
    // A policy that selects nothing is fine for `run`.
    for (const Policy& policy : set.policies)
        for (const Diagnostic& diagnostic : check_attachable(policy))
            if (!policy.match.empty())
                set.diagnostics.push_back(diagnostic);
            else if (!policy.silences("no-match"))
                set.diagnostics.push_back(make_finding("no-match", policy.file, diagnostic.position,
                                                       diagnostic.message, diagnostic.advice));
    if (options.text_only) {
        std::ranges::move(lint_texts(set.policies), std::back_inserter(set.diagnostics));
        return;
    }
    const std::vector<Diagnostic> found = Linter(rights).check(set.policies);
    for (const Diagnostic& diagnostic : found)
        if (diagnostic.severity == Severity::error)
            leave_out(set, diagnostic.file);
    set.diagnostics.insert(set.diagnostics.end(), found.begin(), found.end());
}

/// By file and place, without what is silenced, and with the lines.
void tidy(std::vector<Diagnostic>& diagnostics, const CheckOptions& options) {
    std::erase_if(diagnostics, [&](const Diagnostic& diagnostic) {
        return !diagnostic.lint.empty() &&
               std::ranges::find(options.allowed, diagnostic.lint) != options.allowed.end();
    });
    const auto content = [](const Diagnostic& diagnostic) {
        return std::tie(diagnostic.file, diagnostic.position, diagnostic.lint, diagnostic.message);
    };
    std::ranges::sort(diagnostics, {}, content);
    // A path that is missing here is missing for every kernel.
    diagnostics.erase(std::ranges::unique(diagnostics, {}, content).begin(), diagnostics.end());
    add_source_lines(diagnostics);
}

void check(const CheckOptions& options, Context& context) {
    PolicySet set = read_policies(*options.arguments);
    const auto support = support_for(options.abi);
    if (!support) {
        fail(context, support.error());
        return;
    }
    add_lints(set, options, support->rights);
    std::vector<Enforced> enforced;
    if (options.abi != 0)
        enforced = check_kernel(set, *support, dry_run);
    else if (query_kernel_support() && !options.text_only)
        check_kernel(set, *support,
                     [](const auto&... arguments) { return build_ruleset(arguments...); });
    tidy(set.diagnostics, options);
    if (options.strict)
        make_strict(set);
    const Counts counts = count(set.diagnostics);
    if (options.sarif) {
        print_json(stdout, to_sarif(set.diagnostics));
    } else if (context.json) {
        print_report_json(set, counts, enforced);
    } else {
        for (const Diagnostic& diagnostic : set.diagnostics)
            print_text(stderr, diagnostic);
        for (const Enforced& one : enforced)
            print_line(stdout, summary_of(one, options.abi));
        print_line(stdout, fmt::format("{} checked: {} valid, {}, {}", counted(set.files, "file"),
                                       set.policies.size(), counted(counts.errors, "error"),
                                       counted(counts.warnings, "warning")));
    }
    context.exit = counts.errors == 0 ? ExitCode::ok : ExitCode::policy_invalid;
}

std::vector<std::string> lint_names() {
    std::vector<std::string> names;
    for (const Lint& lint : lints())
        names.emplace_back(lint.name);
    return names;
}

} // namespace

void add_check(CLI::App& app, Context& context) {
    CLI::App* command =
        app.add_subcommand("check", "Report everything that is wrong with policies");
    const auto options = std::make_shared<CheckOptions>();
    options->arguments = add_document_arguments(*command);
    command->add_flag("--strict", options->strict, "Treat warnings as errors");
    command->add_option("--allow", options->allowed, "Silence the lint of that name")
        ->type_name("LINT")
        ->allow_extra_args(false)
        ->check(CLI::IsMember(lint_names()));
    command->add_flag("--text-only", options->text_only,
                      "Look at the text of the policies only, not at this machine");
    command->add_flag("--sarif", options->sarif, "Print the findings as SARIF 2.1.0");
    add_abi_option(*command, options->abi,
                   "Report what a kernel with this Landlock ABI version does not enforce");
    command->callback([options, &context] {
        std::vector<std::string>& paths = options->arguments->paths;
        paths.insert(paths.end(), context.rest.begin(), context.rest.end());
        if (paths.empty())
            fail_usage(context, "check: at least one FILE or DIR is needed");
        else
            check(*options, context);
    });
}

} // namespace llexec::cli
