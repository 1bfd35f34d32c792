// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The Landlock Config body. Where its parser and its schema disagree, this follows the parser.
#include "policy/body.hpp"

#include "llexec/access.hpp"
#include "policy/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace llexec {
namespace {

constexpr std::string_view fs_example = R"(["abi.read_execute"])";
constexpr std::string_view net_example = R"(["bind_tcp"])";
constexpr std::string_view scope_example = R"(["abi.all"])";

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
    BodyReader(const Node& root, std::uint32_t file, Reader& reader)
        : root_(root), file_(file), reader_(reader) {}

    Body read() {
        read_abi();
        each_table("variable", &BodyReader::read_variable);
        for (auto& [name, values] : body_.variables) {
            std::ranges::sort(values);
            values.erase(std::ranges::unique(values).begin(), values.end());
        }
        each_table("ruleset", &BodyReader::read_ruleset);
        each_table("path_beneath", &BodyReader::read_path_beneath);
        each_table("net_port", &BodyReader::read_net_port);
        check_content();
        if (net_group_)
            check_udp();
        return std::move(body_);
    }

  private:
    void each_table(std::string_view key, void (BodyReader::*read_one)(const Node&)) {
        if (const Member* member = root_.find(key))
            for (const Node* table : reader_.tables(*member))
                (this->*read_one)(*table);
    }

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
            body_.abi = static_cast<int>(value.integer);
        }
    }

    /// The rights that one keyword stands for; 0 with a finding, or for a group that is empty at
    /// this ABI.
    std::uint64_t read_keyword(const Node& node, AccessClass access_class) {
        if (node.kind == Node::Kind::integer && !reader_.standard())
            return read_number(node);
        const std::string* word = reader_.string(node, "\"abi.all\"");
        if (word == nullptr)
            return 0;
        if (const AccessRight* right = find_access_right(access_class, *word)) {
            if (reader_.standard() && !right->landlock_config)
                reader_.error(node.position,
                              fmt::format("'{}' is not a word of Landlock Config", *word));
            return right->bit;
        }
        if (!expand_group(access_class, *word, 1)) {
            unknown_keyword(node, access_class);
            return 0;
        }
        if (abi_invalid_)
            return 0;
        if (!body_.abi) {
            reader_.error(
                node.position, fmt::format("group '{}' needs 'abi'", *word),
                fmt::format("write {} at the top level, the Landlock ABI version the policy is "
                            "written for",
                            reader_.entry("abi", "N")));
            return 0;
        }
        const std::uint64_t access = *expand_group(access_class, *word, *body_.abi);
        if (access == 0)
            reader_.lint("empty-group", node.position,
                         fmt::format("'{}' stands for no {} right at abi = {}", *word,
                                     to_string(access_class), *body_.abi));
        if (access_class == AccessClass::net && *body_.abi > group_abi_ceiling)
            net_group_ = node.position;
        return access;
    }

    /// The kernel's number for rights, for those that have no name here yet.
    std::uint64_t read_number(const Node& node) {
        if (node.integer > 0)
            return static_cast<std::uint64_t>(node.integer);
        reader_.error(node.position, fmt::format("{} is not a set of rights", node.integer),
                      "a number is a bit mask of the kernel's values, and at least 1");
        return 0;
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
        bool found = false;
        for (const auto& [access_class, handled, quiet] : ruleset_keys) {
            if (const Member* member = table.find(handled)) {
                found = true;
                body_.handled.of(access_class) |= read_access(*member, access_class, scope_example);
            }
            if (const Member* member = table.find(quiet))
                read_quiet_rights(*member, access_class);
        }
        if (!found)
            reader_.error(table.position, "empty ruleset",
                          fmt::format("at least one of {}, {} and scoped is needed",
                                      reader_.key("handled_access_fs"),
                                      reader_.key("handled_access_net")));
    }

    void read_quiet_rights(const Member& member, AccessClass access_class) {
        const std::uint64_t rights = read_access(member, access_class, scope_example);
        body_.quiet.of(access_class) |= rights;
        body_.quiet_keys.push_back({.access_class = access_class,
                                    .rights = rights,
                                    .spelling = member.spelling,
                                    .file = file_,
                                    .position = member.position});
    }

    /// Whether denials are quiet at the objects of a rule.
    bool read_quiet(const Node& table) {
        const Member* member = table.find("quiet");
        if (member == nullptr)
            return false;
        if (member->value.kind != Node::Kind::boolean) {
            reader_.error(
                member->value.position,
                fmt::format("'quiet' is {}, not a boolean", reader_.describe(member->value)),
                fmt::format("write {}", reader_.entry("quiet", "true")));
            return false;
        }
        return member->value.boolean;
    }

    const Member* require(const Node& table, std::string_view key, std::string_view example) {
        const Member* member = table.find(key);
        if (member == nullptr)
            reader_.error(table.position, fmt::format("'{}' is missing", reader_.key(key)),
                          fmt::format("such as {}", reader_.entry(key, example)));
        return member;
    }

    /// The rights that a rule grants. A rule that is quiet need not grant any.
    std::uint64_t read_allowed(const Node& table, AccessClass access_class, bool quiet,
                               std::string_view example) {
        if (quiet && table.find("allowed_access") == nullptr)
            return 0;
        const Member* member = require(table, "allowed_access", example);
        const std::uint64_t access =
            member == nullptr ? 0 : read_access(*member, access_class, example);
        // A right used in a rule is handled: Landlock Config infers it.
        body_.handled.of(access_class) |= access;
        return access;
    }

    void read_path_beneath(const Node& table) {
        reader_.check_keys(table, Place::path_beneath);
        const bool quiet = read_quiet(table);
        const std::uint64_t access = read_allowed(table, AccessClass::fs, quiet, fs_example);
        const Member* parent = require(table, "parent", R"(["/usr"])");
        if (parent == nullptr)
            return;
        for (const Node& item : reader_.array(*parent, R"(["/usr"])"))
            read_parent(item, access, quiet);
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
        std::vector<std::string>& values = body_.variables[*text];
        const Member* literal = table.find("literal");
        if (literal == nullptr)
            return;
        constexpr std::string_view example = R"(["/home/ada", "/home/ben"])";
        for (const Node& item : reader_.array(*literal, example))
            if (const std::string* value = reader_.string(item, "\"/home/ada\"");
                value != nullptr && can_be_path(*value, item))
                values.push_back(*value);
    }

    /// As a C string, it would name something else.
    bool can_be_path(const std::string& text, const Node& item) {
        if (!text.contains('\0'))
            return true;
        reader_.error(item.position, fmt::format("a NUL byte in '{}'", printable(text)),
                      "no path has one");
        return false;
    }

    void read_parent(const Node& item, std::uint64_t access, bool quiet) {
        const std::string* text = reader_.string(item, "\"/usr\"");
        if (text == nullptr || !can_be_path(*text, item))
            return;
        auto parsed = Template::parse(*text);
        if (!parsed) {
            reader_.error(item.position,
                          fmt::format("in '{}', at byte {}: {}", printable(*text),
                                      parsed.error().offset, parsed.error().message),
                          "for a literal \"${\" write \"$${\"");
            return;
        }
        if (text->empty())
            reader_.lint("empty-path", item.position, "the empty path names nothing");
        BodyPath& rule =
            body_.paths.try_emplace(*text, BodyPath{.text = std::move(*parsed)}).first->second;
        rule.quiet = rule.quiet || quiet;
        rule.grants.push_back({.access = access, .file = file_, .position = item.position});
    }

    void read_net_port(const Node& table) {
        reader_.check_keys(table, Place::net_port);
        const bool quiet = read_quiet(table);
        const std::uint64_t access = read_allowed(table, AccessClass::net, quiet, net_example);
        const Member* port = require(table, "port", "[443]");
        if (port == nullptr)
            return;
        for (const Node& item : reader_.array(*port, "[443]"))
            read_port(item, access, quiet);
    }

    void read_port(const Node& item, std::uint64_t access, bool quiet) {
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
        if (access == 0 && !quiet)
            return;
        BodyPort& rule = body_.ports[static_cast<std::uint16_t>(item.integer)];
        rule.quiet = rule.quiet || quiet;
        rule.grants.push_back({.access = access, .file = file_, .position = item.position});
    }

    /// Who writes abi = 10 may expect that all network rights of that ABI are meant.
    void check_udp() {
        constexpr AccessClass net = AccessClass::net;
        const std::uint64_t beyond =
            rights_of_abi(*body_.abi).of(net) & ~rights_of_abi(group_abi_ceiling).of(net);
        if ((body_.handled.net & beyond) == 0)
            reader_.lint("udp-unrestricted", *net_group_,
                         "'abi.all' has no UDP right, so UDP stays unrestricted",
                         "name bind_udp and connect_send_udp to restrict it");
    }

    void check_content() {
        constexpr std::array content{"ruleset", "path_beneath", "net_port", "variable", "include"};
        // A document that has only what is refused is not empty, and has its own finding.
        if (std::ranges::none_of(content, [&](const char* key) { return root_.find(key); }))
            reader_.error({}, "empty configuration",
                          fmt::format("at least one of {}, {} and {} is needed",
                                      reader_.table("ruleset"), reader_.table("path_beneath"),
                                      reader_.table("net_port")));
    }

    const Node& root_;
    std::uint32_t file_;
    Reader& reader_;
    Body body_;
    bool abi_invalid_ = false;
    std::optional<Position> net_group_; ///< of an abi.all that may mean less than it seems to
};

} // namespace

Body read_body(const Node& root, std::uint32_t file, Reader& reader) {
    return BodyReader(root, file, reader).read();
}

} // namespace llexec
