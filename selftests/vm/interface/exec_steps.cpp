// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "exec_steps.hpp"

#include "catch.hpp"
#include "exec_steps.skel.h"

namespace interface {

void ExecSteps::Destroy::operator()(exec_steps_bpf* skeleton) const {
    exec_steps_bpf::destroy(skeleton);
}

ExecSteps::ExecSteps() : skeleton_(exec_steps_bpf::open()) {
    REQUIRE(skeleton_ != nullptr);
    REQUIRE(bpf_map__set_type(skeleton_->maps.rulesets, ruleset_map_type()) == 0);
    REQUIRE(exec_steps_bpf::load(skeleton_.get()) == 0);
    REQUIRE(exec_steps_bpf::attach(skeleton_.get()) == 0);
}

ExecSteps::~ExecSteps() = default;

int ExecSteps::rulesets() const {
    return bpf_map__fd(skeleton_->maps.rulesets);
}

void ExecSteps::put(std::uint32_t slot, const UniqueFd& ruleset) {
    const auto value = static_cast<std::uint64_t>(ruleset.get());
    REQUIRE(bpf_map_update_elem(rulesets(), &slot, &value, BPF_ANY) == 0);
}

void ExecSteps::empty(std::uint32_t slot) {
    REQUIRE(bpf_map_delete_elem(rulesets(), &slot) == 0);
}

void ExecSteps::set(interface_hook hook, const std::vector<Step>& steps) {
    REQUIRE(steps.size() <= INTERFACE_STEPS);
    sizes_.at(hook) = steps.size();
    for (std::uint32_t i = 0; i < INTERFACE_STEPS; ++i) {
        const Step step = i < steps.size() ? steps[i] : Step{};
        const interface_step value{step.action, step.slot, step.flags, INTERFACE_NOT_RUN};
        const std::uint32_t key = static_cast<std::uint32_t>(hook) * INTERFACE_STEPS + i;
        REQUIRE(bpf_map_update_elem(bpf_map__fd(skeleton_->maps.steps), &key, &value, BPF_ANY) ==
                0);
    }
}

std::vector<int> ExecSteps::results(interface_hook hook) const {
    std::vector<int> results;
    for (std::uint32_t i = 0; i < sizes_.at(hook); ++i) {
        interface_step value{};
        const std::uint32_t key = static_cast<std::uint32_t>(hook) * INTERFACE_STEPS + i;
        REQUIRE(bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.steps), &key, &value) == 0);
        results.push_back(value.result);
    }
    return results;
}

unsigned ExecSteps::calls(interface_hook hook) const {
    return skeleton_->bss->calls[hook];
}

std::vector<interface_enforced> ExecSteps::enforced() const {
    const auto* first = &skeleton_->bss->enforced[0];
    return {first, first + skeleton_->bss->enforced_count};
}

Outcome ExecSteps::run(const std::function<void(const Report&)>& body) {
    for (const interface_hook hook : all_hooks)
        skeleton_->bss->calls[hook] = 0;
    skeleton_->bss->enforced_count = 0;
    Outcome outcome = in_child(body, [this](int pid) {
        pid_ = pid;
        skeleton_->bss->target_tgid = static_cast<__u32>(pid);
    });
    skeleton_->bss->target_tgid = 0;
    return outcome;
}

Outcome ExecSteps::run(const std::string& path, const std::vector<std::string>& arguments) {
    return run([&](const Report&) { execute_with(path, arguments); });
}

} // namespace interface
