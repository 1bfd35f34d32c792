// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "commands.hpp"
#include "output.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace {

using namespace llexec::cli;
using llexec::ExitCode;

/// Runs what the arguments before any "--" ask for.
void dispatch(int argc, char** argv, Context& context) {
    CLI::App app{"Attach Landlock rulesets to programs at exec.", "llexec"};
    app.set_version_flag("--version", "llexec " LLEXEC_VERSION);
    app.add_flag("--json", context.json, "Print facts and errors as JSON");
    app.require_subcommand(1);
    app.fallthrough();
    for (const AddCommand add : commands)
        add(app, context);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        // --help and --version arrive here too, as errors of code 0.
        if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
            app.exit(error);
            return;
        }
        const bool run = app.get_subcommand("run")->parsed();
        // The flag may stand behind the mistake that ended the parsing.
        context.json = context.json || std::any_of(argv + 1, argv + argc, [](const char* argument) {
                           return std::strcmp(argument, "--json") == 0;
                       });
        fail_usage(context, error.what(), run ? stderr : stdout);
        if (run)
            context.exit = ExitCode::run_failed;
    }
}

} // namespace

int main(int argc, char** argv) {
    Context context;
    // Taken off before the parser sees them: it rewrites some arguments, such as "[a]", and CMD
    // must get its own.
    char** const end = argv + argc;
    char** const separator = std::find_if(
        argv, end, [](const char* argument) { return std::strcmp(argument, "--") == 0; });
    if (separator != end)
        context.rest.assign(separator + 1, end);
    dispatch(static_cast<int>(separator - argv), argv, context);
    if (!flush_output()) {
        print_line(stderr, "llexec: cannot write to standard output");
        // An error stays the one that it was; an answer that nobody got is none.
        if (context.exit == ExitCode::ok || context.exit == ExitCode::negative)
            context.exit = ExitCode::runtime_error;
    }
    return static_cast<int>(context.exit);
}
