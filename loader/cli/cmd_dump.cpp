// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// llexec dump: what policy files mean, resolved.
#include "commands.hpp"
#include "llexec/policy_dump.hpp"
#include "llexec/policy_file.hpp"
#include "output.hpp"
#include "policy_arguments.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

namespace llexec::cli {
namespace {

struct DumpOptions {
    std::shared_ptr<PolicyArguments> arguments;
    std::string format = "text";
};

constexpr std::array formats{
    std::pair{"text", DumpFormat::text}, std::pair{"toml", DumpFormat::toml},
    std::pair{"json", DumpFormat::json}, std::pair{"landlock-config", DumpFormat::landlock_config}};

/// The format of that name, which is one of them.
DumpFormat format_of(const std::string& name) {
    for (const auto& [known, format] : formats)
        if (name == known)
            return format;
    return DumpFormat::text;
}

void print_set(const PolicySet& set) {
    Json policies = Json::array();
    for (const Policy& policy : set.policies) {
        Json masks{{"filesystem", policy.handled.fs},
                   {"network", policy.handled.net},
                   {"scope", policy.handled.scoped}};
        Json document = Json::parse(*dump_policy(policy, DumpFormat::json));
        policies.push_back({{"name", policy.name},
                            {"file", policy.file},
                            {"handled", std::move(masks)},
                            {"policy", std::move(document)}});
    }
    print_json(stdout, Json{{"policies", std::move(policies)}});
}

void dump(const DumpOptions& options, Context& context) {
    const auto set = read_valid_policies(*options.arguments, context, "nothing is shown");
    if (!set)
        return;
    if (context.json) {
        print_set(*set);
        return;
    }
    const DumpFormat format = format_of(options.format);
    if (format != DumpFormat::text && set->policies.size() != 1) {
        fail_usage(context, fmt::format("dump: {} policies, and this format is for one",
                                        set->policies.size()));
        return;
    }
    for (const Policy& policy : set->policies) {
        const auto text = dump_policy(policy, format);
        if (!text) {
            fail(context, text.error());
            return;
        }
        std::fwrite(text->data(), 1, text->size(), stdout);
    }
}

} // namespace

void add_dump(CLI::App& app, Context& context) {
    CLI::App* command = app.add_subcommand("dump", "Show what policies mean, resolved");
    const auto options = std::make_shared<DumpOptions>();
    std::vector<std::string> names(formats.size());
    std::ranges::transform(formats, names.begin(), [](const auto& each) { return each.first; });
    options->arguments = add_document_arguments(*command);
    const CLI::Option* format =
        command
            ->add_option("--format", options->format,
                         "text (default); of one policy: toml, json or landlock-config (TOML)")
            ->type_name("FORMAT")
            ->check(CLI::IsMember(names));
    command->callback([options, format, &context] {
        std::vector<std::string>& paths = options->arguments->paths;
        paths.insert(paths.end(), context.rest.begin(), context.rest.end());
        if (paths.empty())
            fail_usage(context, "dump: at least one FILE or DIR is needed");
        else if (context.json && format->count() != 0)
            fail_usage(context,
                       "dump: --json has a form of its own, and --format does not go with it");
        else
            dump(*options, context);
    });
}

} // namespace llexec::cli
