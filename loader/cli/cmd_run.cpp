// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// llexec run: the same policy, enforced by llexec on itself before it executes a command. Needs no
// privilege and no BPF. Standard output belongs to the command, so everything that llexec says goes
// to stderr, JSON too.
#include "commands.hpp"
#include "llexec/landlock.hpp"
#include "llexec/policy_file.hpp"
#include "output.hpp"
#include "policy_arguments.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>
#include <unistd.h>

namespace llexec::cli {
namespace {

/// One policy's ruleset, ready to be enforced.
struct Layer {
    const Policy* policy;
    BuiltRuleset ruleset;
};

void report(const Context& context, std::vector<Diagnostic> diagnostics) {
    std::erase_if(diagnostics, [](const Diagnostic& d) { return d.severity == Severity::note; });
    if (diagnostics.empty())
        return;
    if (context.json) {
        print_json(stderr, Json{{"diagnostics", to_json(diagnostics)}});
        return;
    }
    for (const Diagnostic& diagnostic : diagnostics)
        print_text(stderr, diagnostic);
}

void warn(const Context& context, const Policy& policy, std::string message) {
    report(context, {Diagnostic{.severity = Severity::warning,
                                .file = policy.file,
                                .position = {},
                                .message = std::move(message),
                                .advice = {}}});
}

Result<std::vector<Layer>> build_layers(const PolicySet& set, const KernelSupport& support,
                                        const Context& context) {
    std::vector<Layer> layers;
    for (const Policy& policy : set.policies) {
        if (policy.enforce.mode == Mode::observe) {
            warn(context, policy, "mode is \"observe\": not enforced");
            continue;
        }
        Result<BuiltRuleset> built = build_ruleset(policy, support);
        if (!built)
            return std::unexpected(std::move(built.error()));
        report(context, std::exchange(built->notes, {}));
        layers.push_back({.policy = &policy, .ruleset = std::move(*built)});
    }
    return layers;
}

/// Restricts this thread. What is done cannot be undone, so all rulesets are built before the first
/// is enforced.
Result<> enforce(const PolicySet& set, const Context& context) {
    const Result<KernelSupport> support = query_kernel_support();
    if (!support)
        return std::unexpected(support.error());
    const Result<std::vector<Layer>> layers = build_layers(set, *support, context);
    if (!layers)
        return std::unexpected(layers.error());
    for (const Layer& layer : *layers) {
        const Policy& policy = *layer.policy;
        const Result<> done =
            restrict_self(layer.ruleset, *support, restrict_flags(policy.enforce));
        if (done)
            continue;
        if (policy.enforce.on_error == OnError::deny)
            return done;
        warn(context, policy,
             fmt::format("not enforced, as on_error is \"allow\": {}", done.error().message()));
    }
    return {};
}

/// Returns only if the command could not be executed.
ExitCode execute(const Context& context) {
    std::vector<char*> arguments;
    arguments.reserve(context.rest.size() + 1);
    for (const std::string& argument : context.rest)
        arguments.push_back(const_cast<char*>(argument.c_str())); // execvp() does not write to it
    arguments.push_back(nullptr);
    std::fflush(nullptr);
    ::execvp(arguments.front(), arguments.data());
    const int code = errno;
    Context copy = context;
    fail(copy,
         system_error(code, fmt::format("cannot execute '{}'", context.rest.front()),
                      code == EACCES
                          ? "the policy may not allow executing it, its interpreter or its "
                            "dynamic linker"
                          : "")
             .error(),
         stderr);
    return code == ENOENT ? ExitCode::not_found : ExitCode::cannot_execute;
}

void run(const PolicyArguments& arguments, Context& context) {
    const auto set = read_valid_policies(arguments, context, "nothing was executed", stderr);
    if (!set)
        return;
    report(context, set->diagnostics);
    if (const Result<> done = enforce(*set, context); !done) {
        fail(context, done.error(), stderr);
        return;
    }
    // Not exit(): under the policy, what runs at exit may be denied what it needs.
    const ExitCode code = execute(context);
    std::fflush(nullptr);
    ::_exit(static_cast<int>(code));
}

} // namespace

void add_run(CLI::App& app, Context& context) {
    CLI::App* command =
        app.add_subcommand("run", "Execute a command under policies, without privileges");
    command->footer("Synopsis: llexec run [OPTIONS] POLICY... -- CMD [ARG...]");
    const auto arguments = add_document_arguments(*command);
    command->get_option("policy")->description(
        "Policy files, or directories of them; each is a layer");
    command->callback([arguments, &context] {
        if (arguments->paths.empty())
            fail_usage(context, "run: a policy is needed before --", stderr);
        else if (context.rest.empty())
            fail_usage(context, "run: a command is needed: llexec run POLICY -- CMD", stderr);
        else
            run(*arguments, context);
        // Only failures come back, and a caller must be able to tell them from CMD's status.
        context.exit = ExitCode::run_failed;
    });
}

} // namespace llexec::cli
