// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// llexec unload: stop enforcing.
#include "commands.hpp"
#include "llexec/attach.hpp"
#include "output.hpp"

#include <CLI/CLI.hpp>

namespace llexec::cli {

void add_unload(CLI::App& app, Context& context) {
    CLI::App* command =
        app.add_subcommand("unload", "Detach all policies; what runs confined stays so");
    command->callback([&context] {
        if (refuse_rest(context, "unload"))
            return;
        const auto unloaded = unload();
        if (!unloaded) {
            fail(context, unloaded.error());
            return;
        }
        if (context.json)
            print_json(stdout, Json{{"unloaded", *unloaded}});
        else
            print_line(stdout, *unloaded ? "unloaded" : "nothing was loaded");
    });
}

} // namespace llexec::cli
