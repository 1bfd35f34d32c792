// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "policy_arguments.hpp"

#include "llexec/path_walk.hpp"
#include "output.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <limits>

namespace llexec::cli {

std::shared_ptr<PolicyArguments> add_policy_arguments(CLI::App& command) {
    auto arguments = std::make_shared<PolicyArguments>();
    command.add_option("policy", arguments->paths, "Policy files, or directories of them")
        ->type_name("FILE|DIR");
    return arguments;
}

std::shared_ptr<PolicyArguments> add_document_arguments(CLI::App& command) {
    auto arguments = add_policy_arguments(command);
    command.add_flag("--standard", arguments->standard,
                     "Refuse what Landlock Config does not have");
    command.add_flag("--compose", arguments->compose,
                     "Take all files for Landlock Config documents, composed into one policy: only "
                     "rights that every one of them handles stay handled");
    return arguments;
}

void add_abi_option(CLI::App& command, int& abi, const std::string& description) {
    static constexpr int last = std::numeric_limits<int>::max();
    const CLI::Range range(1, last);
    // Not with the range's own message, which is another one in each version of CLI11.
    command.add_option("--abi", abi, description)
        ->type_name("N")
        ->check([range](const std::string& value) {
            return range(value).empty()
                       ? std::string()
                       : fmt::format("{} is not a number from 1 to {}", value, last);
        });
}

Result<KernelSupport> support_for(int abi) {
    if (abi != 0)
        return support_of_abi(abi);
    auto running = query_kernel_support();
    if (!running && !is_shortage(running.error()))
        return support_of_abi(newest_known_abi());
    return running;
}

PolicySet read_policies(const PolicyArguments& arguments) {
    SystemUserDatabase users;
    return arguments.compose ? compose_policies(arguments.paths, "composed", users)
                             : load_policies(arguments.paths, users,
                                             {.files = nullptr, .standard = arguments.standard});
}

std::optional<PolicySet> read_valid_policies(const PolicyArguments& arguments, Context& context,
                                             std::string_view consequence, std::FILE* json_stream) {
    PolicySet set = read_policies(arguments);
    if (set.ok())
        return set;
    fail(context,
         Error{.kind = ErrorKind::policy,
               .code = 0,
               .what = fmt::format("the policies have errors: {}", consequence),
               .hint = {},
               .diagnostics = std::move(set.diagnostics)},
         json_stream);
    return std::nullopt;
}

} // namespace llexec::cli
