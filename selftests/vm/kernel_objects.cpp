// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "kernel_objects.hpp"

#include "catch.hpp"
#include "llexec/abi.h"

#include <algorithm>
#include <bpf/bpf.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <unistd.h>

namespace llexec::vmtest {
namespace {

namespace fs = std::filesystem;

constexpr const char* ruleset_map = "/sys/fs/bpf/llexec/llexec_rulesets";
constexpr const char* tracing = "/sys/kernel/tracing/instances/llexec";

std::set<std::uint32_t> ids(int (*next)(std::uint32_t, std::uint32_t*)) {
    std::set<std::uint32_t> result;
    std::uint32_t id = 0;
    while (next(id, &id) == 0)
        result.insert(id);
    return result;
}

/// Whether it could.
bool write_to(const std::string& name, const char* text) {
    std::ofstream file(fs::path(tracing) / name);
    file << text << std::flush;
    return file.good();
}

/// One reference less: "ruleset=ID.VERSION" without its version.
std::string without_version(const std::string& value) {
    return value.substr(0, value.find('.'));
}

bool balanced(std::vector<std::string> made, std::vector<std::string> freed) {
    std::ranges::transform(made, made.begin(), without_version);
    std::ranges::transform(freed, freed.begin(), without_version);
    return std::ranges::all_of(
        made, [&](const std::string& id) { return std::ranges::find(freed, id) != freed.end(); });
}

/// Whether it could.
template<class Change>
bool change_info(const Change& change) {
    const int map = bpf_obj_get("/sys/fs/bpf/llexec/llexec_info");
    const std::uint32_t only = 0;
    llexec_info info{};
    bool done = map >= 0 && bpf_map_lookup_elem(map, &only, &info) == 0;
    change(info);
    done = done && bpf_map_update_elem(map, &only, &info, BPF_ANY) == 0;
    ::close(map);
    return done;
}

} // namespace

BpfObjects bpf_objects() {
    return {.programs = ids(bpf_prog_get_next_id),
            .maps = ids(bpf_map_get_next_id),
            .links = ids(bpf_link_get_next_id)};
}

bool empty_slot(std::uint32_t slot) {
    const int map = bpf_obj_get(ruleset_map);
    const bool deleted = map >= 0 && bpf_map_delete_elem(map, &slot) == 0;
    ::close(map);
    return deleted;
}

bool pretend_other_version(bool maps) {
    return change_info([maps](llexec_info& info) {
        if (maps)
            info.abi += 1;
        else
            info.programs += 1;
    });
}

std::uint64_t programs_digest() {
    std::uint64_t digest = 0;
    change_info([&](const llexec_info& info) { digest = info.programs; });
    return digest;
}

bool set_programs_digest(std::uint64_t digest) {
    return change_info([digest](llexec_info& info) { info.programs = digest; });
}

bool freeze_map(const std::string& name) {
    const int map = bpf_obj_get(("/sys/fs/bpf/llexec/" + name).c_str());
    const bool frozen = map >= 0 && bpf_map_freeze(map) == 0;
    ::close(map);
    return frozen;
}

std::uint64_t ruleset_id(std::uint32_t slot) {
    const int map = bpf_obj_get(ruleset_map);
    std::uint64_t id = 0;
    if (map >= 0 && bpf_map_lookup_elem(map, &slot, &id) != 0)
        id = 0;
    ::close(map);
    return id;
}

Trace::Trace() {
    fs::create_directory(tracing);
    REQUIRE(fs::exists(fs::path(tracing) / "events/landlock"));
    for (const char* const event : {"create_ruleset", "free_ruleset", "add_rule_path_beneath",
                                    "create_domain", "enforce_domain", "free_domain"})
        REQUIRE(write_to(std::string("events/landlock/landlock_") + event + "/enable", "1"));
    REQUIRE(write_to("trace", ""));
}

Trace::~Trace() {
    std::error_code ignored;
    fs::remove(tracing, ignored);
}

std::vector<std::string> Trace::lines(const std::string& event) const {
    std::vector<std::string> result;
    std::istringstream lines(text());
    for (std::string line; std::getline(lines, line);)
        if (line.find("landlock_" + event + ": ") != std::string::npos)
            result.push_back(line);
    return result;
}

std::string Trace::value(const std::string& line, const std::string& field) {
    const auto begin = line.find(" " + field + "=");
    if (begin == std::string::npos)
        return {};
    const auto value = begin + field.size() + 2;
    return line.substr(value, line.find(' ', value) - value);
}

std::vector<std::string> Trace::values(const std::string& event, const std::string& field) const {
    std::vector<std::string> result = lines(event);
    for (std::string& line : result)
        line = value(line, field);
    return result;
}

bool Trace::rulesets_are_freed() const {
    return balanced(values("create_ruleset", "ruleset"), values("free_ruleset", "ruleset"));
}

bool Trace::domains_are_freed() const {
    return balanced(values("create_domain", "domain"), values("free_domain", "domain"));
}

std::string Trace::text() const {
    std::ostringstream text;
    text << std::ifstream(fs::path(tracing) / "trace").rdbuf();
    return text.str();
}

} // namespace llexec::vmtest
