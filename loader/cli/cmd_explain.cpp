// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// llexec explain: is an access allowed, by what, and what would allow it.
#include "commands.hpp"
#include "llexec/explain.hpp"
#include "output.hpp"
#include "policy_arguments.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <sys/stat.h>

namespace llexec::cli {
namespace {

struct ExplainOptions {
    std::shared_ptr<PolicyArguments> arguments;
    int abi = 0; ///< 0: of the running kernel
};

/// What is an access, and what the name of a policy.
bool names_access(const std::string& argument) {
    struct stat status{};
    return ::stat(argument.c_str(), &status) < 0 && parse_access(argument).has_value();
}

/// An argument that is neither is reported as the one that it looks like.
bool looks_like_access(const std::string& argument) {
    struct stat status{};
    return ::stat(argument.c_str(), &status) < 0 && argument.contains(':') &&
           !argument.starts_with('/') && !argument.starts_with('.');
}

std::string place_of(const Policy& policy, const RightVerdict& verdict) {
    if (!verdict.grant)
        return policy.file;
    return fmt::format("{}:{}:{}", policy.file_of(*verdict.grant), verdict.grant->position.line,
                       verdict.grant->position.column);
}

std::string right_name(const RightVerdict& verdict) {
    return names_of_rights(verdict.access_class, verdict.right).front();
}

/// "read_file on /etc", "signal"
std::string right_text(const RightVerdict& verdict) {
    if (verdict.where.empty())
        return right_name(verdict);
    return fmt::format("{} on {}{}", right_name(verdict),
                       verdict.access_class == AccessClass::net ? "port " : "", verdict.where);
}

std::string reason_text(const Policy& policy, const RightVerdict& verdict, int abi) {
    std::string right = right_text(verdict);
    switch (verdict.why) {
    case RightVerdict::Why::not_handled:
        return right + ": allowed, the policy does not handle it";
    case RightVerdict::Why::kernel_lacks:
        return fmt::format("{}: allowed, a kernel of Landlock ABI {} cannot restrict it", right,
                           abi);
    case RightVerdict::Why::not_asked:
        return right + ": allowed, Landlock does not ask for it on a file of that type";
    case RightVerdict::Why::granted:
        return fmt::format("{}: allowed by {}, {}", right, place_of(policy, verdict), verdict.rule);
    case RightVerdict::Why::no_rule:
        return verdict.access_class == AccessClass::scope
                   ? right + ": denied, the policy handles it, and scopes have no rules"
                   : right + ": denied, no rule grants it";
    case RightVerdict::Why::more_rights:
        return right + ": denied, the file would gain this right by moving there";
    case RightVerdict::Why::kernel_denies:
        return fmt::format("{}: denied, a kernel of Landlock ABI {} denies it always", right, abi);
    }
    return right;
}

/// A path as a string of `parent` that stands for it.
std::string parent_text(std::string_view path) {
    std::string text;
    for (const char c : path)
        text.append(c == '$' ? 2 : 1, c);
    return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// What would allow it; empty if nothing could.
std::string advice_text(const RightVerdict& verdict) {
    if (verdict.allowed() || verdict.why == RightVerdict::Why::kernel_denies)
        return {};
    if (verdict.why == RightVerdict::Why::more_rights)
        return fmt::format("grant {} where it comes from, too", right_name(verdict));
    switch (verdict.access_class) {
    case AccessClass::fs:
        return fmt::format("[[path_beneath]] with allowed_access = [\"{}\"] and parent = [{}]",
                           right_name(verdict), parent_text(verdict.where));
    case AccessClass::net:
        return fmt::format("[[net_port]] with allowed_access = [\"{}\"] and port = [{}]",
                           right_name(verdict), verdict.where);
    case AccessClass::scope:
        return fmt::format("leaving {} out of scoped", right_name(verdict));
    }
    return {};
}

std::string_view why_word(RightVerdict::Why why) {
    switch (why) {
    case RightVerdict::Why::not_handled:
        return "not_handled";
    case RightVerdict::Why::kernel_lacks:
        return "kernel_lacks";
    case RightVerdict::Why::not_asked:
        return "not_asked";
    case RightVerdict::Why::granted:
        return "granted";
    case RightVerdict::Why::no_rule:
        return "no_rule";
    case RightVerdict::Why::more_rights:
        return "more_rights";
    case RightVerdict::Why::kernel_denies:
        return "kernel_denies";
    }
    return "";
}

Json verdict_json(const Policy& policy, const Verdict& verdict) {
    Json rights = Json::array();
    for (const RightVerdict& right : verdict.rights) {
        Json json{{"class", to_string(right.access_class)},
                  {"right", right_name(right)},
                  {"allowed", right.allowed()},
                  {"why", why_word(right.why)}};
        if (!right.where.empty())
            json["on"] = right.where;
        if (right.grant)
            json["rule"] = {{"file", policy.file_of(*right.grant)},
                            {"line", right.grant->position.line},
                            {"column", right.grant->position.column},
                            {"object", right.rule}};
        if (const std::string advice = advice_text(right); !advice.empty())
            json["advice"] = advice;
        rights.push_back(std::move(json));
    }
    Json json{{"policy", policy.name},
              {"observe", policy.enforce.mode == Mode::observe},
              {"allowed", verdict.allowed}};
    if (!verdict.allowed)
        json["errno"] = verdict.error;
    json["exists"] = verdict.exists;
    json["rights"] = std::move(rights);
    return json;
}

std::string_view error_word(int error) {
    return error == EXDEV ? " (EXDEV)" : error == EPERM ? " (EPERM)" : " (EACCES)";
}

void print_verdict(const Policy& policy, const Verdict& verdict, int abi) {
    print_line(stdout, fmt::format("  {}{}: {}{}", policy.name,
                                   policy.enforce.mode == Mode::observe ? " (observed only)" : "",
                                   verdict.allowed ? "allowed" : "denied",
                                   verdict.allowed ? "" : error_word(verdict.error)));
    if (!verdict.exists)
        print_line(stdout, "    it does not exist: judged by what is above it");
    for (const RightVerdict& right : verdict.rights) {
        print_line(stdout, "    " + reason_text(policy, right, abi));
        if (const std::string advice = advice_text(right); !advice.empty())
            print_line(stdout, "      would be allowed by " + advice);
    }
}

/// One access, judged by all policies. nullopt if the error was reported.
std::optional<bool> explain_one(const AccessRequest& request, std::span<const Policy> policies,
                                const Explainer& explainer, int abi, Context& context,
                                Json& answers) {
    const auto verdicts = explainer.explain(request);
    if (!verdicts) {
        fail(context, verdicts.error());
        return std::nullopt;
    }
    const bool allowed = std::ranges::all_of(*verdicts, &Verdict::allowed);
    Json judged = Json::array();
    if (!context.json)
        print_line(stdout, fmt::format("{}: {}", request.text, allowed ? "allowed" : "denied"));
    for (std::size_t i = 0; i < policies.size(); ++i) {
        if (context.json)
            judged.push_back(verdict_json(policies[i], (*verdicts)[i]));
        else
            print_verdict(policies[i], (*verdicts)[i], abi);
    }
    answers.push_back(
        {{"access", request.text}, {"allowed", allowed}, {"policies", std::move(judged)}});
    return allowed;
}

/// What the rulesets do not have of what the policies ask for.
std::vector<Diagnostic> notes_of(const Explainer& explainer) {
    std::vector<Diagnostic> notes;
    for (const Explainer::Layer& layer : explainer.layers())
        notes.insert(notes.end(), layer.ruleset.notes.begin(), layer.ruleset.notes.end());
    return notes;
}

void explain(const ExplainOptions& options, const std::vector<AccessRequest>& requests,
             Context& context) {
    const auto set = read_valid_policies(*options.arguments, context, "nothing is explained");
    if (!set)
        return;
    const auto support = support_for(options.abi);
    if (!support) {
        fail(context, support.error());
        return;
    }
    const auto explainer = Explainer::make(set->policies, *support);
    if (!explainer) {
        fail(context, explainer.error());
        return;
    }
    const std::vector<Diagnostic> notes = notes_of(*explainer);
    if (!context.json)
        for (const Diagnostic& note : notes)
            print_text(stderr, note);
    Json answers = Json::array();
    bool all = true;
    for (const AccessRequest& request : requests) {
        const auto allowed =
            explain_one(request, set->policies, *explainer, support->abi, context, answers);
        if (!allowed)
            return;
        all = all && *allowed;
    }
    if (context.json)
        print_json(stdout, Json{{"landlock_abi", support->abi},
                                {"answers", std::move(answers)},
                                {"diagnostics", to_json(notes)}});
    context.exit = all ? ExitCode::ok : ExitCode::negative;
}

/// The arguments come mixed: what is an access is taken out of the policies.
void sort_arguments(const ExplainOptions& options, Context& context) {
    std::vector<std::string>& paths = options.arguments->paths;
    std::vector<AccessRequest> requests;
    std::vector<std::string> policies;
    for (const std::string& argument : paths) {
        if (!names_access(argument) && !looks_like_access(argument)) {
            policies.push_back(argument);
            continue;
        }
        auto request = parse_access(argument);
        if (!request) {
            fail_usage(context, fmt::format("explain: {}; {}", request.error().message(),
                                            request.error().hint));
            return;
        }
        requests.push_back(std::move(*request));
    }
    paths = std::move(policies);
    if (paths.empty() || requests.empty())
        fail_usage(context, "explain: at least one POLICY and one ACCESS are needed");
    else
        explain(options, requests, context);
}

std::string verbs_help() {
    std::string text = "ACCESS is one of these, or the name of a right with its argument:\n";
    for (const AccessVerb& verb : access_verbs())
        text += fmt::format(
            "  {:<22}{}\n",
            fmt::format("{}{}{}", verb.name, verb.argument.empty() ? "" : ":", verb.argument),
            verb.summary);
    return text;
}

} // namespace

void add_explain(CLI::App& app, Context& context) {
    CLI::App* command = app.add_subcommand("explain", "Say what policies allow, and why");
    const auto options = std::make_shared<ExplainOptions>();
    options->arguments = add_document_arguments(*command);
    command->get_option("policy")
        ->description("Policies, and what they are asked about: see below")
        ->type_name("POLICY|ACCESS");
    add_abi_option(*command, options->abi,
                   "Answer for a kernel with this Landlock ABI version, instead of this one");
    command->footer(verbs_help());
    command->callback([options, &context] {
        std::vector<std::string>& paths = options->arguments->paths;
        paths.insert(paths.end(), context.rest.begin(), context.rest.end());
        sort_arguments(*options, context);
    });
}

} // namespace llexec::cli
