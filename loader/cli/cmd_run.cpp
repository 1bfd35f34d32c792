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
#include <string_view>
#include <system_error>
#include <unistd.h>

namespace llexec::cli {
namespace {

struct RunArguments {
    std::shared_ptr<PolicyArguments> policies;
    bool exectime = false; ///< --exectime
};

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

/// The kernel keeps one ruleset for the next execution. Told before anything is asked of it.
Result<> check_exectime(const PolicySet& set) {
    const auto count = std::ranges::count_if(
        set.policies, [](const Policy& policy) { return policy.enforce.mode != Mode::observe; });
    if (count <= 1)
        return {};
    return failure(
        ErrorKind::policy,
        fmt::format("--exectime: the kernel keeps one policy for the next execution, not {}",
                    count),
        "make one of them: by include, or with --compose");
}

/// Restricts this thread, the only one that the execution leaves, or what it will execute. What is
/// done cannot be undone, so all rulesets are built before the first is enforced.
Result<> enforce(const PolicySet& set, Reach reach, const Context& context) {
    if (reach == Reach::next_exec) {
        if (Result<> possible = check_exectime(set); !possible)
            return possible;
    }
    const Result<KernelSupport> support = query_kernel_support();
    if (!support)
        return std::unexpected(support.error());
    const Result<std::vector<Layer>> layers = build_layers(set, *support, context);
    if (!layers)
        return std::unexpected(layers.error());
    for (const Layer& layer : *layers) {
        const Policy& policy = *layer.policy;
        const Restriction restriction{.ruleset = &layer.ruleset,
                                      .flags = restrict_flags(policy.enforce)};
        // One at a time: each has an on_error of its own.
        const Result<Reach> done = enforce_on_self({&restriction, 1}, *support, {.reach = reach});
        if (done)
            continue;
        // A kernel without --exectime is no failure of the policy, and does not follow its
        // on_error.
        if (policy.enforce.on_error == OnError::deny || done.error().kind == ErrorKind::unsupported)
            return std::unexpected(done.error());
        warn(context, policy,
             fmt::format("not enforced, as on_error is \"allow\": {}", done.error().message()));
    }
    return {};
}

/// What may be behind a failed execution.
std::string_view execution_hint(int code, Reach reach) {
    if (reach == Reach::thread && code == EACCES)
        return "the policy may not allow executing it, its interpreter or its dynamic linker";
    if (reach == Reach::next_exec && code == E2BIG)
        return "this thread may already have 16 Landlock layers, the kernel's limit";
    return {};
}

/// Returns only if the command could not be executed.
ExitCode execute(Reach reach, const Context& context) {
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
                      std::string(execution_hint(code, reach)))
             .error(),
         stderr);
    return code == ENOENT ? ExitCode::not_found : ExitCode::cannot_execute;
}

void run(const RunArguments& arguments, Context& context) {
    const auto set =
        read_valid_policies(*arguments.policies, context, "nothing was executed", stderr);
    if (!set)
        return;
    report(context, set->diagnostics);
    const Reach reach = arguments.exectime ? Reach::next_exec : Reach::thread;
    if (const Result<> done = enforce(*set, reach, context); !done) {
        fail(context, done.error(), stderr);
        return;
    }
    // Not exit(): under the policy, what runs at exit may be denied what it needs.
    const ExitCode code = execute(reach, context);
    std::fflush(nullptr);
    ::_exit(static_cast<int>(code));
}

} // namespace

void add_run(CLI::App& app, Context& context) {
    CLI::App* command =
        app.add_subcommand("run", "Execute a command under policies, without privileges");
    command->footer("Synopsis: llexec run [OPTIONS] POLICY... -- CMD [ARG...]");
    const auto arguments = std::make_shared<RunArguments>();
    arguments->policies = add_document_arguments(*command);
    command->add_flag("--exectime", arguments->exectime,
                      "Enforce the policy as CMD is executed, not before: CMD itself and its "
                      "interpreter need not be allowed");
    command->get_option("policy")->description(
        "Policy files, or directories of them; each is a layer");
    command->callback([arguments, &context] {
        if (arguments->policies->paths.empty())
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
