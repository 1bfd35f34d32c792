// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/probe.hpp"

#include "attach/exec_object.hpp"
#include "kernel/requirements.hpp"

#include <algorithm>
#include <cstring>

namespace llexec {
namespace {

using namespace attach;

bool all_ok(const std::vector<ProbeItem>& items) {
    return std::ranges::all_of(
        items, [](const ProbeItem& item) { return item.status == ProbeStatus::ok; });
}

/// Loads the programs and attaches them for a moment. They look at a map of their own that says
/// that nothing is enforced, so no execution is affected.
void try_programs(ProbeReport& report) {
    ProbeItem load;
    load.name = "programs";
    load.tried = "BPF_PROG_LOAD of the exec programs";
    load.result = "not tried";
    ProbeItem attach;
    attach.name = "attach";
    attach.tried = "BPF_LINK_CREATE on the exec hooks";
    attach.result = "not tried";
    if (all_ok(report.items)) {
        auto object = ExecObject::load(0);
        if (!object) {
            load.status = ProbeStatus::missing;
            load.result = std::strerror(object.error().code);
            load.advice = "the kernel's verifier log says why; please report it";
            report.verifier_log = object.error().log;
        } else {
            load.status = ProbeStatus::ok;
            load.result = "accepted by the verifier";
            const auto attached = object->attach();
            attach.status = attached ? ProbeStatus::ok : ProbeStatus::missing;
            attach.result = attached ? "attached, and detached again" : attached.error().message();
            if (!attached)
                attach.advice = "CONFIG_BPF_LSM and support for BPF trampolines are needed";
        }
    }
    report.items.push_back(std::move(load));
    report.items.push_back(std::move(attach));
}

} // namespace

std::string_view to_string(ProbeStatus status) {
    switch (status) {
    case ProbeStatus::ok:
        return "ok";
    case ProbeStatus::missing:
        return "missing";
    case ProbeStatus::not_tried:
        return "not-tried";
    }
    return "";
}

bool ProbeReport::can_attach() const {
    return !items.empty() && all_ok(items);
}

ProbeReport probe_kernel() {
    ProbeReport report;
    report.items = kernel::check_requirements();
    try_programs(report);
    return report;
}

} // namespace llexec
