// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// llexec match: which policies an execution would get.
#include "commands.hpp"
#include "llexec/selection.hpp"
#include "llexec/user_database.hpp"
#include "output.hpp"
#include "policy_arguments.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <fstream>
#include <limits>
#include <memory>
#include <unistd.h>

namespace llexec::cli {
namespace {

constexpr std::string_view default_policies = "/etc/llexec/policies.d";

struct MatchOptions {
    PolicyArguments arguments;
    std::string exe;
    std::string user;   ///< empty: the caller
    std::string cgroup; ///< empty: the caller's
};

/// Of cgroup v2: the line that begins with "0::".
std::string own_cgroup() {
    std::ifstream file("/proc/self/cgroup");
    for (std::string line; std::getline(file, line);)
        if (line.starts_with("0::"))
            return line.substr(3);
    return "/";
}

Result<std::uint32_t> find_user(const std::string& name) {
    std::uint32_t number = 0;
    const char* const end = name.data() + name.size();
    const auto [rest, error] = std::from_chars(name.data(), end, number);
    // The last value means "no ID" to the kernel.
    if (error == std::errc() && rest == end && number != std::numeric_limits<std::uint32_t>::max())
        return number;
    SystemUserDatabase users;
    auto found = users.user_id(name);
    if (!found)
        return std::unexpected(std::move(found.error()));
    if (!*found)
        return failure(ErrorKind::policy, fmt::format("there is no user '{}'", name));
    return **found;
}

Result<Execution> execution_of(const MatchOptions& options) {
    Execution execution{.groups = {},
                        .cgroup = options.cgroup.empty() ? own_cgroup() : options.cgroup};
    if (!options.user.empty()) {
        const auto user = find_user(options.user);
        if (!user)
            return std::unexpected(user.error());
        execution.user = *user;
        execution.groups = groups_of_user(execution.user);
        return execution;
    }
    execution.user = ::geteuid();
    const int count = ::getgroups(0, nullptr);
    std::vector<gid_t> groups(static_cast<std::size_t>(std::max(count, 0)));
    if (count > 0 && ::getgroups(count, groups.data()) < 0)
        return system_error(errno, "getgroups failed");
    execution.groups.assign(groups.begin(), groups.end());
    execution.groups.push_back(::getegid());
    return execution;
}

void print_selected(const Policy& policy, const Selection& selection, std::size_t number) {
    print_line(stdout, fmt::format("  {}. {}{}, by [[match]] in {}:{}:{}", number, policy.name,
                                   policy.enforce.mode == Mode::observe ? " (observed only)" : "",
                                   policy.file, selection.block.line, selection.block.column));
}

/// What keeps all of them from being attached; empty: nothing.
std::string problem_of(const PolicySet& set, std::span<const Selection> selections) {
    std::size_t selected = 0;
    std::size_t enforced = 0;
    for (std::size_t i = 0; i < selections.size(); ++i)
        if (selections[i].selected) {
            ++selected;
            if (set.policies[i].enforce.mode == Mode::enforce)
                ++enforced;
        }
    return beyond_limits(selected, enforced);
}

void report_text(const PolicySet& set, std::span<const Selection> selections,
                 const Execution& execution, const ExecutedFiles& files) {
    print_line(stdout, fmt::format("{}{}, user {}, cgroup {}", files.asked,
                                   files.interpreter.empty() ? "" : " run by " + files.interpreter,
                                   execution.user, execution.cgroup));
    print_line(stdout, "attached, in this order:");
    std::size_t number = 0;
    for (std::size_t i = 0; i < selections.size(); ++i)
        if (selections[i].selected)
            print_selected(set.policies[i], selections[i], ++number);
    if (number == 0)
        print_line(stdout, "  none");
    if (const std::string problem = problem_of(set, selections); !problem.empty())
        print_line(stdout, "but " + problem);
    if (number == selections.size())
        return;
    print_line(stdout, "not attached:");
    for (std::size_t i = 0; i < selections.size(); ++i)
        for (const std::string& reason : selections[i].reasons)
            print_line(stdout, fmt::format("  {}: {}", set.policies[i].name, reason));
}

Json report_json(const PolicySet& set, std::span<const Selection> selections,
                 const Execution& execution, const ExecutedFiles& files) {
    Json policies = Json::array();
    for (std::size_t i = 0; i < selections.size(); ++i) {
        const Policy& policy = set.policies[i];
        Json json{{"policy", policy.name},
                  {"file", policy.file},
                  {"selected", selections[i].selected},
                  {"observe", policy.enforce.mode == Mode::observe}};
        if (selections[i].selected)
            json["line"] = selections[i].block.line;
        else
            json["reasons"] = selections[i].reasons;
        policies.push_back(std::move(json));
    }
    Json json{{"exe", files.asked}};
    if (!files.interpreter.empty())
        json["interpreter"] = files.interpreter;
    json["user"] = execution.user;
    json["groups"] = execution.groups;
    json["cgroup"] = execution.cgroup;
    json["policies"] = std::move(policies);
    if (std::string problem = problem_of(set, selections); !problem.empty())
        json["problem"] = std::move(problem);
    return json;
}

void match(MatchOptions& options, Context& context) {
    if (options.arguments.paths.empty())
        options.arguments.paths.emplace_back(default_policies);
    const auto set = read_valid_policies(options.arguments, context, "nothing is matched");
    if (!set)
        return;
    const auto execution = execution_of(options);
    if (!execution) {
        fail(context, execution.error());
        return;
    }
    const auto files = executed_files(options.exe);
    if (!files) {
        fail(context, files.error());
        return;
    }
    std::vector<Selection> selections;
    bool any = false;
    for (const Policy& policy : set->policies) {
        selections.push_back(select_policy(policy, *execution, *files));
        any = any || selections.back().selected;
    }
    if (context.json)
        print_json(stdout, report_json(*set, selections, *execution, *files));
    else
        report_text(*set, selections, *execution, *files);
    context.exit = any ? ExitCode::ok : ExitCode::negative;
}

} // namespace

void add_match(CLI::App& app, Context& context) {
    CLI::App* command = app.add_subcommand("match", "Say which policies an execution would get");
    const auto options = std::make_shared<MatchOptions>();
    command->add_option("exe", options->exe, "The program")->type_name("EXE");
    command
        ->add_option(
            "--policies", options->arguments.paths,
            fmt::format("Policy files, or directories of them (default: {})", default_policies))
        ->type_name("FILE|DIR")
        ->allow_extra_args(false);
    // An empty one is no default: it may be a variable of a shell that has no value.
    const auto no_user = [](const std::string& user) -> std::string {
        return user.empty() ? "'' is not a user" : "";
    };
    const auto as_cgroup = [](std::string& path) -> std::string {
        auto result = cgroup_path(path);
        if (!result)
            return fmt::format("{}; {}", result.error().what, result.error().hint);
        path = std::move(*result);
        return {};
    };
    command->add_option("--user", options->user, "Who executes it (default: you)")
        ->type_name("USER")
        ->check(no_user);
    command->add_option("--cgroup", options->cgroup, "Where it is executed (default: your cgroup)")
        ->type_name("PATH")
        ->transform(CLI::Validator(as_cgroup, ""));
    command->callback([options, &context] {
        if (options->exe.empty() && !context.rest.empty()) {
            options->exe = context.rest.front();
            context.rest.erase(context.rest.begin());
        }
        if (options->exe.empty())
            fail_usage(context, "match: an EXE is needed");
        else if (!refuse_rest(context, "match"))
            match(*options, context);
    });
}

} // namespace llexec::cli
