// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "journal.hpp"
#include "llexec/fd.hpp"
#include "service.hpp"

#include <CLI/CLI.hpp>

#include <cstdlib>
#include <string>

namespace {

using namespace llexec;
using namespace llexec::daemon;

std::string state_directory() {
    // Of the service manager. One thread.
    const char* const given = std::getenv("STATE_DIRECTORY"); // NOLINT(concurrency-mt-unsafe)
    return given != nullptr && *given != '\0' ? given : "/var/lib/llexec";
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app{"Keep Landlock policies enforced at exec.", "llexecd"};
    Options options{.config = "/etc/llexec/llexecd.toml",
                    .policies = "/etc/llexec/policies.d",
                    .state = state_directory(),
                    .self_test_program = LLEXEC_SELF_TEST};
    std::string log;
    app.set_version_flag("--version", "llexecd " LLEXEC_VERSION);
    app.add_option("--config", options.config, "Settings")->type_name("FILE");
    app.add_option("--policies", options.policies, "Where policies are")->type_name("DIR");
    app.add_option("--state", options.state, "Where the last good policies are kept")
        ->type_name("DIR");
    app.add_option("--self-test-program", options.self_test_program,
                   "What is executed to see whether it is confined")
        ->type_name("FILE");
    app.add_option("--log", log, "journal, text or json; default: the journal where there is one")
        ->type_name("WHERE");
    try {
        app.parse(argc, argv);
        for (const auto& [option, path] :
             {std::pair{"--config", &options.config}, std::pair{"--policies", &options.policies},
              std::pair{"--state", &options.state},
              std::pair{"--self-test-program", &options.self_test_program}})
            if (!path->starts_with('/'))
                throw CLI::ValidationError(option, "an absolute path is needed");
        if (!log.empty() && !log_to_from_string(log))
            throw CLI::ValidationError("--log", "journal, text or json is needed");
    } catch (const CLI::ParseError& error) {
        // --help and --version arrive here too, as errors of code 0.
        const bool done = error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success);
        app.exit(error);
        return static_cast<int>(done ? ExitCode::ok : ExitCode::usage);
    }
    raise_descriptor_limit();
    const Journal journal(log_to_from_string(log));
    return static_cast<int>(run_service(options, journal));
}
