// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The policies that a command is about, as its arguments name them.
#pragma once

#include "commands.hpp"
#include "llexec/landlock.hpp"
#include "llexec/policy_file.hpp"

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace llexec::cli {

struct PolicyArguments {
    std::vector<std::string> paths;
    bool standard = false; ///< --standard
    bool compose = false;  ///< --compose
};

/// Adds FILE|DIR... to a command.
std::shared_ptr<PolicyArguments> add_policy_arguments(CLI::App& command);

/// The same with the options that say how Landlock Config is read.
std::shared_ptr<PolicyArguments> add_document_arguments(CLI::App& command);

/// Adds --abi N, a Landlock ABI version: what is no such number is a usage error.
void add_abi_option(CLI::App& command, int& abi, const std::string& description);

/// The kernel of that option; for 0 the running one or, where that has no Landlock or does not say,
/// the newest that is known. A shortage is an error: it says nothing about the kernel.
[[nodiscard]] Result<KernelSupport> support_for(int abi);

/// Reads them. Findings are in the set.
[[nodiscard]] PolicySet read_policies(const PolicyArguments& arguments);

/// Reads them for a command that needs valid ones; nullopt, with the error reported, if they are
/// not. `consequence` says what was not done, such as "nothing was loaded".
[[nodiscard]] std::optional<PolicySet> read_valid_policies(const PolicyArguments& arguments,
                                                           Context& context,
                                                           std::string_view consequence,
                                                           std::FILE* json_stream = stdout);

} // namespace llexec::cli
