// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The commands. A new one is a source file with an add_ function, declared and listed here.
#pragma once

#include "llexec/exit_code.hpp"

#include <array>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace llexec::cli {

/// What main() and the commands share. Lives until the process ends.
struct Context {
    bool json = false;             ///< --json
    std::vector<std::string> rest; ///< the arguments after the first "--", untouched
    ExitCode exit = ExitCode::ok;  ///< set by the command that ran
};

/// Adds one subcommand to `app`. Its callback does the work, never throws and sets `context.exit`.
using AddCommand = void (*)(CLI::App& app, Context& context);

void add_probe(CLI::App& app, Context& context);
void add_check(CLI::App& app, Context& context);
void add_explain(CLI::App& app, Context& context);
void add_match(CLI::App& app, Context& context);
void add_dump(CLI::App& app, Context& context);
void add_diff(CLI::App& app, Context& context);
void add_schema(CLI::App& app, Context& context);
void add_load(CLI::App& app, Context& context);
void add_status(CLI::App& app, Context& context);
void add_events(CLI::App& app, Context& context);
void add_unload(CLI::App& app, Context& context);
void add_run(CLI::App& app, Context& context);

/// In the order of --help.
inline constexpr std::array<AddCommand, 12> commands{
    add_probe,  add_check, add_explain, add_match,  add_diff,   add_dump,
    add_schema, add_load,  add_status,  add_events, add_unload, add_run,
};

} // namespace llexec::cli
