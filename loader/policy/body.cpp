// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The Landlock Config body. Where its parser and its schema disagree, this follows the parser.
#include "llexec/access.hpp"
#include "policy/parts.hpp"
#include "policy/template.hpp"
#include "policy/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace llexec {
namespace {

constexpr std::string_view fs_example = R"(["abi.read_execute"])";
constexpr std::string_view net_example = R"(["bind_tcp"])";
constexpr std::string_view scope_example = R"(["abi.all"])";

// Far more than anyone means, and little enough to hold: each reference in a template multiplies.
constexpr std::size_t max_expanded_paths = 65536;
constexpr std::size_t max_expanded_bytes = 16UL * 1024 * 1024;

/// Where the rights of a class are written.
std::string home_of(AccessClass access_class, const Reader& reader) {
    switch (access_class) {
    case AccessClass::fs:
        return fmt::format("filesystem rights go into {} and {}", reader.key("handled_access_fs"),
                           reader.table("path_beneath"));
    case AccessClass::net:
        return fmt::format("network rights go into {} and {}", reader.key("handled_access_net"),
                           reader.table("net_port"));
    case AccessClass::scope:
        return "scopes go into scoped";
    }
    return "";
}

class BodyReader {
  public:
    BodyReader(const Node& root, Reader& reader, Policy& policy)
        : root_(root), reader_(reader), policy_(policy) {}

    void read() {
        read_abi();
        if (const Member* member = root_.find("variable"))
            for (const Node* table : reader_.tables(*member))
                read_variable(*table);
        if (const Member* member = root_.find("ruleset"))
            for (const Node* table : reader_.tables(*member))
                read_ruleset(*table);
        if (const Member* member = root_.find("path_beneath"))
            for (const Node* table : reader_.tables(*member))
                read_path_beneath(*table);
        if (const Member* member = root_.find("net_port"))
            for (const Node* table : reader_.tables(*member))
                read_net_port(*table);
        check_content();
        if (net_group_)
            check_udp();
        for (auto& [path, rule] : paths_)
            policy_.paths.push_back(std::move(rule));
        for (auto& [port, rule] : ports_)
            policy_.ports.push_back(rule);
    }

  private:
    void read_abi() {
        const Member* member = root_.find("abi");
        if (member == nullptr)
            return;
        constexpr std::int64_t max = std::numeric_limits<std::int32_t>::max();
        const Node& value = member->value;
        const std::string advice =
            fmt::format("the Landlock ABI version the policy is written for, such as {}",
                        reader_.entry("abi", "6"));
        abi_invalid_ = true;
        if (value.kind != Node::Kind::integer) {
            reader_.error(value.position,
                          fmt::format("'abi' is {}, not an integer", reader_.describe(value)),
                          advice);
        } else if (value.integer < 1 || value.integer > max) {
            reader_.error(value.position,
                          fmt::format("'abi' is {}, and must be 1 to {}", value.integer, max),
                          advice);
        } else {
            abi_invalid_ = false;
            policy_.abi = static_cast<int>(value.integer);
        }
    }

    /// The rights that one keyword stands for; 0 with a finding, or for a group that is empty at
    /// this ABI.
    std::uint64_t read_keyword(const Node& node, AccessClass access_class) {
        const std::string* word = reader_.string(node, "\"abi.all\"");
        if (word == nullptr)
            return 0;
        if (const AccessRight* right = find_access_right(access_class, *word))
            return right->bit;
        if (!expand_group(access_class, *word, 1)) {
            unknown_keyword(node, access_class);
            return 0;
        }
        if (abi_invalid_)
            return 0;
        if (!policy_.abi) {
            reader_.error(
                node.position, fmt::format("group '{}' needs 'abi'", *word),
                fmt::format("write {} at the top level, the Landlock ABI version the policy is "
                            "written for",
                            reader_.entry("abi", "N")));
            return 0;
        }
        const std::uint64_t access = *expand_group(access_class, *word, *policy_.abi);
        if (access == 0)
            reader_.warning(node.position,
                            fmt::format("'{}' stands for no {} right at abi = {}", *word,
                                        to_string(access_class), *policy_.abi));
        if (access_class == AccessClass::net && *policy_.abi > group_abi_ceiling)
            net_group_ = node.position;
        return access;
    }

    void unknown_keyword(const Node& node, AccessClass access_class) {
        std::vector<std::string_view> known{"abi.all"};
        if (access_class == AccessClass::fs)
            known.insert(known.end(), {"abi.read_execute", "abi.read_write"});
        for (const AccessRight& right : access_rights()) {
            if (right.access_class == access_class) {
                known.push_back(right.name);
                continue;
            }
            if (right.name == node.string) {
                reader_.error(node.position,
                              fmt::format("'{}' is a {} right, and this list takes {} rights",
                                          node.string, to_string(right.access_class),
                                          to_string(access_class)),
                              home_of(right.access_class, reader_));
                return;
            }
        }
        const auto meant = closest(node.string, known);
        reader_.error(
            node.position,
            fmt::format("unknown {} right '{}'", to_string(access_class), printable(node.string)),
            meant ? fmt::format("did you mean '{}'?", *meant)
                  : fmt::format("known here: {}", alternatives(known)));
    }

    std::uint64_t read_access(const Member& member, AccessClass access_class,
                              std::string_view example) {
        std::uint64_t access = 0;
        for (const Node& item : reader_.array(member, example))
            access |= read_keyword(item, access_class);
        return access;
    }

    void read_ruleset(const Node& table) {
        reader_.check_keys(table, Place::ruleset);
        const std::array fields{std::pair{"handled_access_fs", AccessClass::fs},
                                std::pair{"handled_access_net", AccessClass::net},
                                std::pair{"scoped", AccessClass::scope}};
        bool found = false;
        for (const auto& [key, access_class] : fields) {
            const Member* member = table.find(key);
            if (member == nullptr)
                continue;
            found = true;
            policy_.handled.of(access_class) |= read_access(*member, access_class, scope_example);
        }
        if (!found)
            reader_.error(table.position, "empty ruleset",
                          fmt::format("at least one of {}, {} and scoped is needed",
                                      reader_.key("handled_access_fs"),
                                      reader_.key("handled_access_net")));
    }

    const Member* require(const Node& table, std::string_view key, std::string_view example) {
        const Member* member = table.find(key);
        if (member == nullptr)
            reader_.error(table.position, fmt::format("'{}' is missing", reader_.key(key)),
                          fmt::format("such as {}", reader_.entry(key, example)));
        return member;
    }

    void read_path_beneath(const Node& table) {
        reader_.check_keys(table, Place::path_beneath);
        const Member* allowed = require(table, "allowed_access", fs_example);
        const Member* parent = require(table, "parent", R"(["/usr"])");
        const std::uint64_t access =
            allowed == nullptr ? 0 : read_access(*allowed, AccessClass::fs, fs_example);
        // A right used in a rule is handled: Landlock Config infers it.
        policy_.handled.fs |= access;
        if (parent == nullptr)
            return;
        for (const Node& item : reader_.array(*parent, R"(["/usr"])"))
            read_parent(item, access);
    }

    void read_variable(const Node& table) {
        reader_.check_keys(table, Place::variable);
        const Member* name = require(table, "name", R"("home")");
        const std::string* text =
            name == nullptr ? nullptr : reader_.string(name->value, "\"home\"");
        if (text == nullptr)
            return;
        if (const std::string_view fault = name_fault(*text); !fault.empty()) {
            reader_.error(name->value.position,
                          fmt::format("'{}' cannot name a variable: {}", printable(*text), fault),
                          fmt::format("such as {}", reader_.entry("name", "\"home\"")));
            return;
        }
        // The same name again adds to it.
        std::vector<std::string>& values = variables_[*text];
        const Member* literal = table.find("literal");
        if (literal == nullptr)
            return;
        constexpr std::string_view example = R"(["/home/ada", "/home/ben"])";
        for (const Node& item : reader_.array(*literal, example))
            if (const std::string* value = reader_.string(item, "\"/home/ada\""))
                values.push_back(*value);
        std::ranges::sort(values);
        values.erase(std::ranges::unique(values).begin(), values.end());
    }

    void read_parent(const Node& item, std::uint64_t access) {
        const std::string* text = reader_.string(item, "\"/usr\"");
        if (text == nullptr)
            return;
        const auto parsed = Template::parse(*text);
        if (!parsed) {
            reader_.error(item.position,
                          fmt::format("in '{}', at byte {}: {}", printable(*text),
                                      parsed.error().offset, parsed.error().message),
                          "for a literal \"${\" write \"$${\"");
            return;
        }
        if (!are_declared(parsed->references(), item.position))
            return;
        const Template::Extent extent = parsed->extent(variables_);
        if (extent.strings > max_expanded_paths - expanded_paths_ ||
            extent.bytes > max_expanded_bytes - expanded_bytes_) {
            reader_.error(item.position,
                          fmt::format("'{}' stands for too many paths", printable(*text)),
                          fmt::format("the variables of a policy may make {} paths, of {} bytes in "
                                      "all",
                                      max_expanded_paths, max_expanded_bytes));
            return;
        }
        expanded_paths_ += extent.strings;
        expanded_bytes_ += extent.bytes;
        bool names_something = false;
        bool relative = false;
        for (const std::string& expanded : parsed->expand(variables_)) {
            if (expanded.empty())
                continue;
            names_something = true;
            relative = relative || !expanded.starts_with('/');
            add_path(normalize_path(expanded), access, item.position);
        }
        if (text->empty())
            reader_.warning(item.position, "the empty path names nothing");
        else if (!names_something)
            reader_.warning(
                item.position,
                fmt::format("'{}' names nothing: its variables are empty", printable(*text)),
                "the rights of this rule are denied everywhere");
        if (relative)
            reader_.warning(item.position, fmt::format("'{}' is a relative path", printable(*text)),
                            "it means the working directory of whoever loads the policy: write an "
                            "absolute path");
    }

    bool are_declared(const std::vector<std::string_view>& names, Position position) {
        bool all = true;
        for (const std::string_view name : names) {
            if (variables_.contains(name))
                continue;
            all = false;
            std::vector<std::string_view> known;
            for (const auto& [declared, values] : variables_)
                known.emplace_back(declared);
            const auto meant = closest(name, known);
            reader_.error(position, fmt::format("variable '{}' is not declared", name),
                          meant ? fmt::format("did you mean '{}'?", *meant)
                                : fmt::format("declare it in {}, with its values in literal",
                                              reader_.table("variable")));
        }
        return all;
    }

    void add_path(const std::string& path, std::uint64_t access, Position position) {
        if (access == 0)
            return;
        const auto [rule, added] = paths_.try_emplace(
            path, PathRule{.path = path, .access = access, .position = position});
        if (!added)
            rule->second.access |= access;
    }

    void read_net_port(const Node& table) {
        reader_.check_keys(table, Place::net_port);
        const Member* allowed = require(table, "allowed_access", net_example);
        const Member* port = require(table, "port", "[443]");
        const std::uint64_t access =
            allowed == nullptr ? 0 : read_access(*allowed, AccessClass::net, net_example);
        policy_.handled.net |= access;
        if (port == nullptr)
            return;
        for (const Node& item : reader_.array(*port, "[443]"))
            read_port(item, access);
    }

    void read_port(const Node& item, std::uint64_t access) {
        constexpr std::int64_t max = std::numeric_limits<std::uint16_t>::max();
        if (item.kind != Node::Kind::integer) {
            reader_.error(item.position,
                          fmt::format("expected a port number, found {}", reader_.describe(item)),
                          "such as 443");
            return;
        }
        if (item.integer < 0 || item.integer > max) {
            reader_.error(item.position, fmt::format("port {} is out of range", item.integer),
                          item.integer < 0
                              ? "0 to 65535"
                              : "0 to 65535 (Landlock Config reads greater numbers, and then "
                                "fails to build a ruleset from them)");
            return;
        }
        if (access == 0)
            return;
        const auto port = static_cast<std::uint16_t>(item.integer);
        const auto [rule, added] = ports_.try_emplace(
            port, PortRule{.port = port, .access = access, .position = item.position});
        if (!added)
            rule->second.access |= access;
    }

    /// Who writes abi = 10 may expect that all network rights of that ABI are meant.
    void check_udp() {
        constexpr AccessClass net = AccessClass::net;
        const std::uint64_t beyond =
            rights_of_abi(*policy_.abi).of(net) & ~rights_of_abi(group_abi_ceiling).of(net);
        if ((policy_.handled.net & beyond) == 0)
            reader_.note(*net_group_, "'abi.all' has no UDP right, so UDP stays unrestricted",
                         "name bind_udp and connect_send_udp to restrict it");
    }

    void check_content() {
        // A document that has only what this version refuses is not empty, and has its own finding.
        const bool content = root_.find("ruleset") != nullptr ||
                             root_.find("path_beneath") != nullptr ||
                             root_.find("net_port") != nullptr || root_.find("variable") != nullptr;
        if (!content)
            reader_.error({}, "empty configuration",
                          fmt::format("at least one of {}, {} and {} is needed",
                                      reader_.table("ruleset"), reader_.table("path_beneath"),
                                      reader_.table("net_port")));
        else if (policy_.handled.empty() && !reader_.failed())
            reader_.error(
                {}, "no access right is handled, so there is nothing to enforce",
                fmt::format("list the rights to restrict in {}", reader_.table("ruleset")));
    }

    const Node& root_;
    Reader& reader_;
    Policy& policy_;
    bool abi_invalid_ = false;
    std::optional<Position> net_group_; ///< of an abi.all that may mean less than it seems to
    Variables variables_;
    std::size_t expanded_paths_ = 0;
    std::size_t expanded_bytes_ = 0;
    std::map<std::string, PathRule, std::less<>> paths_;
    std::map<std::uint16_t, PortRule> ports_;
};

} // namespace

void read_body(const Node& root, Reader& reader, Policy& policy) {
    BodyReader(root, reader, policy).read();
}

} // namespace llexec
