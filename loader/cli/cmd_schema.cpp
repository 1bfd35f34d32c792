// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// llexec schema: the form of policies in JSON.
#include "commands.hpp"
#include "llexec/policy_schema.hpp"
#include "output.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>

namespace llexec::cli {

void add_schema(CLI::App& app, Context& context) {
    CLI::App* command = app.add_subcommand("schema", "Print the JSON schema of policies");
    command->callback([&context] {
        if (refuse_rest(context, "schema"))
            return;
        const std::string schema = policy_schema();
        std::fwrite(schema.data(), 1, schema.size(), stdout);
    });
}

} // namespace llexec::cli
