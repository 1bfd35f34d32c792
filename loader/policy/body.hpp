// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The Landlock Config body of a policy, as written: groups are expanded, templates are not.
#pragma once

#include "llexec/access.hpp"
#include "llexec/policy.hpp"
#include "policy/reader.hpp"
#include "policy/template.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace llexec {

/// The keys of [[ruleset]].
struct RulesetKeys {
    AccessClass access_class;
    std::string_view handled;
    std::string_view quiet;
};

inline constexpr std::array ruleset_keys{
    RulesetKeys{AccessClass::fs, "handled_access_fs", "quiet_access_fs"},
    RulesetKeys{AccessClass::net, "handled_access_net", "quiet_access_net"},
    RulesetKeys{AccessClass::scope, "scoped", "quiet_scoped"}};

struct BodyPath {
    Template text;
    bool quiet = false;
    std::vector<Grant> grants = {};
};

struct BodyPort {
    bool quiet = false;
    std::vector<Grant> grants = {};
};

/// A place that lists quiet rights.
struct QuietKey {
    AccessClass access_class = AccessClass::fs;
    std::uint64_t rights = 0;
    std::string spelling;
    std::uint32_t file = 0; ///< as in Grant
    Position position;
};

/// What one document says, or several that were merged.
struct Body {
    std::optional<int> abi;
    AccessMasks handled; ///< listed, or used in a rule
    AccessMasks quiet;
    std::vector<QuietKey> quiet_keys;
    Variables variables;
    std::map<std::string, BodyPath, std::less<>> paths; ///< by the text of their template
    std::map<std::uint16_t, BodyPort> ports;
};

/// The body of one document: abi, [[variable]], [[ruleset]], [[path_beneath]], [[net_port]].
/// `file` is its number in Grant::file.
[[nodiscard]] Body read_body(const Node& root, std::uint32_t file, Reader& reader);

/// Composition as Landlock Config defines it: rules and variables of both, and of the rights only
/// those that both handle. So it can only weaken.
void compose(Body& body, const Body& other);

/// Takes the rules and variables of another body in. All rights that either handles stay handled.
void take_in(Body& body, const Body& other);

/// The rules with their templates expanded, into `policy`, and what can only be told of the whole:
/// whether variables are declared, and what is quiet is handled. Findings go to the reader of the
/// file that they are about, by the number in Grant::file.
void resolve_body(const Body& body, std::span<Reader* const> readers, Policy& policy);

} // namespace llexec
