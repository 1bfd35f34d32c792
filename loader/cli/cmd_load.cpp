// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// llexec load: make policies the set that is enforced at exec.
#include "commands.hpp"
#include "llexec/attach.hpp"
#include "llexec/fd.hpp"
#include "llexec/lint.hpp"
#include "llexec/policy_file.hpp"
#include "output.hpp"
#include "policy_arguments.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <memory>

namespace llexec::cli {
namespace {

struct Options {
    std::shared_ptr<PolicyArguments> arguments;
    std::string enforce_at{to_string(EnforceAt::bprm_committing_creds)};
};

void report_loaded(const LoadReport& report, std::size_t policies, EnforceAt enforce_at,
                   const std::vector<Diagnostic>& findings, const Context& context) {
    if (context.json) {
        print_json(stdout, Json{{"generation", report.generation},
                                {"replaced", report.replaced},
                                {"policies", policies},
                                {"enforce_at", to_string(enforce_at)},
                                {"diagnostics", to_json(findings)}});
        return;
    }
    for (const Diagnostic& finding : findings)
        print_text(stderr, finding);
    print_line(stdout,
               fmt::format("generation {}: {} {} enforced at {}", report.generation, policies,
                           policies == 1 ? "policy" : "policies", to_string(enforce_at)));
}

void load_paths(const Options& options, Context& context) {
    const auto enforce_at = enforce_at_from_string(options.enforce_at);
    if (!enforce_at) {
        fail_usage(context, fmt::format("load: --enforce-at: unknown hook '{}'; it is "
                                        "bprm_committing_creds or bprm_creds_for_exec",
                                        options.enforce_at));
        return;
    }
    auto set = read_valid_policies(*options.arguments, context, "nothing was loaded");
    if (!set)
        return;
    raise_descriptor_limit();
    const auto report = load(set->policies, *enforce_at);
    if (!report) {
        fail(context, report.error());
        return;
    }
    std::vector<Diagnostic> findings = std::move(set->diagnostics);
    findings.insert(findings.end(), report->notes.begin(), report->notes.end());
    const auto rescue = lint_rescue_shell(set->policies);
    findings.insert(findings.end(), rescue.begin(), rescue.end());
    report_loaded(*report, set->policies.size(), *enforce_at, findings, context);
}

} // namespace

void add_load(CLI::App& app, Context& context) {
    CLI::App* command = app.add_subcommand("load", "Attach policies to programs at exec");
    const auto options = std::make_shared<Options>();
    options->arguments = add_policy_arguments(*command);
    command
        ->add_option("--enforce-at", options->enforce_at,
                     "bprm_committing_creds (default): a program that cannot be confined is "
                     "killed; bprm_creds_for_exec: its execve(2) fails")
        ->type_name("HOOK");
    command->callback([options, &context] {
        std::vector<std::string>& paths = options->arguments->paths;
        paths.insert(paths.end(), context.rest.begin(), context.rest.end());
        if (paths.empty())
            fail_usage(context, "load: at least one FILE or DIR is needed");
        else
            load_paths(*options, context);
    });
}

} // namespace llexec::cli
