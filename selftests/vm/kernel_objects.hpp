// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What the kernel has: BPF objects, and Landlock's rulesets and domains.
#pragma once

#include <compare>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace llexec::vmtest {

/// IDs of everything that bpf(2) lists.
struct BpfObjects {
    std::set<std::uint32_t> programs;
    std::set<std::uint32_t> maps;
    std::set<std::uint32_t> links;

    auto operator<=>(const BpfObjects&) const = default;
};
BpfObjects bpf_objects();

/// Deletes an element of the pinned ruleset map. Whether it could.
bool empty_slot(std::uint32_t slot);

/// Makes what is loaded look as if another version of llexec had loaded it: other programs, or, if
/// `maps` is set, maps of another layout. Whether it could.
bool pretend_other_version(bool maps);

/// Which programs were loaded, by what is loaded; 0 if that cannot be read. And to change that.
std::uint64_t programs_digest();
bool set_programs_digest(std::uint64_t digest);

/// Until what is loaded is unloaded, nobody but BPF programs can change that pinned map. Whether it
/// could.
bool freeze_map(const std::string& name);

/// The Landlock ID that the pinned ruleset map shows; 0 if none.
std::uint64_t ruleset_id(std::uint32_t slot);

/// Landlock's trace events from now on, of all processes.
class Trace {
  public:
    Trace();
    Trace(const Trace&) = delete;
    Trace& operator=(const Trace&) = delete;
    ~Trace();

    /// The events of that name, in order: "create_domain".
    [[nodiscard]] std::vector<std::string> lines(const std::string& event) const;
    /// Value of a field of such a line; "" if it has none.
    static std::string value(const std::string& line, const std::string& field);
    /// Values of `field` in the events of that name, in order: ("create_domain", "domain").
    [[nodiscard]] std::vector<std::string> values(const std::string& event,
                                                  const std::string& field) const;
    /// Whether all rulesets, or domains, that were made since then are freed.
    [[nodiscard]] bool rulesets_are_freed() const;
    [[nodiscard]] bool domains_are_freed() const;
    [[nodiscard]] std::string text() const;
};

} // namespace llexec::vmtest
