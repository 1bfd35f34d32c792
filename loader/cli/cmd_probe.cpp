// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// llexec probe: can policies be attached on this kernel, and if not, why.
#include "commands.hpp"
#include "llexec/probe.hpp"
#include "output.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace llexec::cli {
namespace {

void print_report_text(const ProbeReport& report) {
    for (const ProbeItem& item : report.items) {
        std::string line =
            fmt::format("{:<12} {:<9} {}", item.name, to_string(item.status), item.tried);
        if (item.status != ProbeStatus::not_tried)
            line += ": " + item.result;
        print_line(stdout, line);
        if (!item.advice.empty())
            print_line(stdout, fmt::format("{:<22} -> {}", "", item.advice));
    }
    print_lines(stdout, report.verifier_log);
    print_line(stdout, report.can_attach() ? "policies can be attached at exec on this kernel"
                                           : "policies cannot be attached at exec on this kernel");
}

void print_report_json(const ProbeReport& report) {
    Json items = Json::array();
    for (const ProbeItem& item : report.items)
        items.push_back(Json{{"name", item.name},
                             {"status", to_string(item.status)},
                             {"tried", item.tried},
                             {"result", item.result},
                             {"advice", item.advice}});
    Json json{{"can_attach", report.can_attach()}, {"items", std::move(items)}};
    if (!report.verifier_log.empty())
        json["verifier_log"] = report.verifier_log;
    print_json(stdout, json);
}

} // namespace

void add_probe(CLI::App& app, Context& context) {
    CLI::App* command =
        app.add_subcommand("probe", "Tell whether policies can be attached on this kernel");
    command->callback([&context] {
        if (refuse_rest(context, "probe"))
            return;
        const ProbeReport report = probe_kernel();
        if (context.json)
            print_report_json(report);
        else
            print_report_text(report);
        context.exit = report.can_attach() ? ExitCode::ok : ExitCode::unsupported_kernel;
    });
}

} // namespace llexec::cli
