// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What dump writes means what was read.
#include "catch.hpp"
#include "fakes.hpp"
#include "llexec/policy_dump.hpp"

#include <fmt/format.h>

#include <random>

using namespace llexec;
using namespace llexec::testing;

namespace {

std::string dumped(const Policy& policy, DumpFormat format) {
    const auto text = dump_policy(policy, format);
    REQUIRE(text.has_value());
    return *text;
}

/// Everything that enforcement depends on.
void check_same(const Policy& a, const Policy& b) {
    CHECK(a.abi == b.abi);
    CHECK(a.handled == b.handled);
    REQUIRE(a.paths.size() == b.paths.size());
    for (std::size_t i = 0; i < a.paths.size(); ++i) {
        CHECK(a.paths[i].path == b.paths[i].path);
        CHECK(a.paths[i].access == b.paths[i].access);
    }
    REQUIRE(a.ports.size() == b.ports.size());
    for (std::size_t i = 0; i < a.ports.size(); ++i) {
        CHECK(a.ports[i].port == b.ports[i].port);
        CHECK(a.ports[i].access == b.ports[i].access);
    }
    REQUIRE(a.match.size() == b.match.size());
    for (std::size_t i = 0; i < a.match.size(); ++i) {
        REQUIRE(a.match[i].exes.size() == b.match[i].exes.size());
        for (std::size_t j = 0; j < a.match[i].exes.size(); ++j)
            CHECK(a.match[i].exes[j].path == b.match[i].exes[j].path);
        REQUIRE(a.match[i].directories.size() == b.match[i].directories.size());
        for (std::size_t j = 0; j < a.match[i].directories.size(); ++j)
            CHECK(a.match[i].directories[j].path == b.match[i].directories[j].path);
        REQUIRE(a.match[i].cgroups.size() == b.match[i].cgroups.size());
        for (std::size_t j = 0; j < a.match[i].cgroups.size(); ++j)
            CHECK(a.match[i].cgroups[j].path == b.match[i].cgroups[j].path);
        REQUIRE(a.match[i].users.size() == b.match[i].users.size());
        for (std::size_t j = 0; j < a.match[i].users.size(); ++j)
            CHECK(a.match[i].users[j].id == b.match[i].users[j].id);
        CHECK(a.match[i].groups.size() == b.match[i].groups.size());
    }
    CHECK(a.enforce.mode == b.enforce.mode);
    CHECK(a.enforce.no_new_privs == b.enforce.no_new_privs);
    CHECK(a.enforce.on_error == b.enforce.on_error);
    CHECK(a.enforce.compat == b.enforce.compat);
    CHECK(a.enforce.missing_paths == b.enforce.missing_paths);
    CHECK(a.enforce.log == b.enforce.log);
    CHECK((a.enforce.log_position.line == 0) == (b.enforce.log_position.line == 0));
}

void check_round_trips(const Policy& policy) {
    const std::string toml = dumped(policy, DumpFormat::toml);
    const std::string json = dumped(policy, DumpFormat::json);
    CAPTURE(toml, json);
    check_same(parse_valid(toml), policy);
    check_same(parse_valid(json, "test.json"), policy);
    CHECK(dumped(parse_valid(toml), DumpFormat::toml) == toml);
}

constexpr std::string_view example = R"(abi = 6
[[match]]
exe = ["/usr/sbin/nginx"]
user = ["www-data"]
[enforce]
on_error = "allow"
log = "none"
[[variable]]
name = "x"
literal = ["b", "a"]
[[ruleset]]
handled_access_fs = ["abi.all"]
scoped = ["signal"]
[[path_beneath]]
allowed_access = ["abi.read_execute"]
parent = ["/srv/${x}", "/cost$$"]
[[net_port]]
allowed_access = ["bind_tcp"]
port = [443, 80]
)";

} // namespace

TEST_CASE("a dumped policy is a policy that means the same") {
    check_round_trips(parse_valid(example));
    CHECK(dumped(parse_valid(example), DumpFormat::toml) == R"(abi = 6

[[match]]
exe = ["/usr/sbin/nginx"]
user = [33]

[enforce]
mode = "enforce"
no_new_privs = true
on_error = "allow"
compat = "best-effort"
missing_paths = "warn"
log = "none"

[[ruleset]]
handled_access_fs = ["execute","write_file","read_file","read_dir","remove_dir","remove_file","make_char","make_dir","make_reg","make_sock","make_fifo","make_block","make_sym","refer","truncate","ioctl_dev"]
handled_access_net = ["bind_tcp"]
scoped = ["signal"]

[[path_beneath]]
allowed_access = ["execute","read_file","read_dir","refer"]
parent = ["/cost$$","/srv/a","/srv/b"]

[[net_port]]
allowed_access = ["bind_tcp"]
port = [80,443]
)");
}

TEST_CASE("text shows rights by name and as masks") {
    const std::string text = dumped(parse_valid(example), DumpFormat::text);
    CAPTURE(text);
    CHECK(text.starts_with("policy test (test.toml)\n"));
    CHECK(text.find("exe /usr/sbin/nginx, and user www-data (33)\n") != std::string::npos);
    CHECK(text.find("/srv/a 0x200d: execute, read_file, read_dir, refer\n") != std::string::npos);
    CHECK(text.find("443 0x1: bind_tcp\n") != std::string::npos);
}

TEST_CASE("places are dumped as they are normalised") {
    const Policy policy =
        parse_valid("[[match]]\nexe_beneath = [\"/opt//x/\", \"/\"]\ncgroup = [\"a/b\", \"/c\"]\n"
                    "[[ruleset]]\nscoped = [\"signal\"]\n");
    check_round_trips(policy);
    CHECK(dumped(policy, DumpFormat::toml)
              .starts_with(
                  "[[match]]\nexe_beneath = [\"/opt/x\",\"/\"]\ncgroup = [\"/a/b\",\"/c\"]\n"));
    CHECK(dumped(policy, DumpFormat::json).find("\"exeBeneath\"") != std::string::npos);
    CHECK(dumped(policy, DumpFormat::text)
              .find("match        exe_beneath /opt/x or /, and cgroup /a/b or /c\n") !=
          std::string::npos);
}

TEST_CASE("Landlock Config is the body alone, or nothing") {
    CHECK(dumped(parse_valid("[[match]]\nuser = [0]\n[[ruleset]]\nscoped = [\"signal\"]\n"),
                 DumpFormat::landlock_config) == "[[ruleset]]\nscoped = [\"signal\"]\n");
    const Policy extended = parse_valid("[[ruleset]]\nhandled_access_net = [\"bind_udp\"]\n");
    const auto text = dump_policy(extended, DumpFormat::landlock_config);
    REQUIRE_FALSE(text.has_value());
    CHECK(text.error().kind == ErrorKind::policy);
    CHECK(text.error().what.find("bind_udp") != std::string::npos);
    CHECK(dump_policy(extended, DumpFormat::toml).has_value());
}

TEST_CASE("strange characters survive a dump") {
    check_round_trips(parse_valid("[[path_beneath]]\nallowed_access = [\"execute\"]\n"
                                  "parent = [\"/a\\u0001\\t\\u007f\\\"\\\\ü\\U0001F600$$\", "
                                  "\"/$${x}\", \"/$$$${\", \"/'\"]\n"));
}

TEST_CASE("random policies survive a dump") {
    std::minstd_rand random(20260718);
    const auto pick = [&random](std::uint64_t below) {
        return random() % below;
    };
    const std::vector<std::string> names{"/", "/a", "/a b", "/$${y}", "/${x}/z", "rel", "/ü"};
    std::vector<std::string> fs;
    std::vector<std::string> net;
    for (const AccessRight& right : access_rights())
        (right.access_class == AccessClass::fs ? fs : net).emplace_back(right.name);
    net.resize(4); // scopes are no rights of ports
    const auto some = [&](const std::vector<std::string>& from) {
        std::string list;
        for (std::uint64_t i = 0, n = 1 + pick(4); i < n; ++i)
            list += fmt::format("\"{}\", ", from[pick(from.size())]);
        return list;
    };
    for (int i = 0; i < 100; ++i) {
        std::string text = pick(2) == 0 ? "" : fmt::format("abi = {}\n", 1 + pick(12));
        text += "[[variable]]\nname = \"x\"\nliteral = [\"1\", \"2\"]\n";
        if (pick(2) == 0)
            text += fmt::format("[[match]]\nuser = [{}]\nexe = [\"/bin/{}\"]\n", pick(9), pick(9));
        if (pick(2) == 0)
            text += fmt::format("[[match]]\ncgroup = [\"{}/ü\"]\nexe_beneath = [\"/bin/{}\"]\n",
                                pick(9), pick(9));
        if (pick(2) == 0)
            text += fmt::format("[enforce]\nno_new_privs = {}\nlog = \"subdomains-off\"\n",
                                pick(2) == 0);
        text +=
            fmt::format("[[ruleset]]\nhandled_access_fs = [{}]\nscoped = [\"signal\"]\n", some(fs));
        for (std::uint64_t rule = pick(5); rule > 0; --rule)
            text += fmt::format("[[path_beneath]]\nallowed_access = [{}]\nparent = [{}]\n",
                                some(fs), some(names));
        for (std::uint64_t rule = pick(3); rule > 0; --rule)
            text += fmt::format("[[net_port]]\nallowed_access = [{}]\nport = [{}, {}]\n", some(net),
                                pick(65536), pick(9));
        CAPTURE(text);
        check_round_trips(parse_valid(text));
    }
}
