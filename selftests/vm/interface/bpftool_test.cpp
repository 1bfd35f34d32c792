// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What the bpftool of the kernel's own tree does with a ruleset map. Needs that one, first in PATH.
#include "catch.hpp"
#include "support.hpp"
#include "trace.hpp"

#include <array>
#include <cstdio>
#include <fcntl.h>
#include <fmt/format.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace interface;

struct Said {
    std::string text; ///< stdout and stderr
    int status = -1;  ///< exit code
};

Said bpftool(const std::string& arguments) {
    FILE* pipe = ::popen(("bpftool " + arguments + " 2>&1").c_str(), "r"); // NOLINT(cert-env33-c)
    REQUIRE(pipe != nullptr);
    Said said;
    std::array<char, 4096> buffer{};
    while (const std::size_t size = std::fread(buffer.data(), 1, buffer.size(), pipe))
        said.text.append(buffer.data(), size);
    const int status = ::pclose(pipe);
    said.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return said;
}

bool has(const Said& said, const std::string& text) {
    return said.status == 0 && said.text.find(text) != std::string::npos;
}

/// A ruleset map that bpftool made and pinned.
class PinnedMap {
  public:
    PinnedMap() {
        const Said made = bpftool("map create " + path +
                                  " type landlock_ruleset key 4 value 8 entries 2 name rulesets");
        INFO(made.text);
        REQUIRE(made.status == 0);
    }
    PinnedMap(const PinnedMap&) = delete;
    PinnedMap& operator=(const PinnedMap&) = delete;
    ~PinnedMap() { ::unlink(path.c_str()); }

    const std::string path = "/sys/fs/bpf/interface-bpftool-" + std::to_string(::getpid());
};

/// The bytes of a value as bpftool takes them.
std::string as_argument(std::uint64_t value) {
    std::string text;
    for (int i = 0; i < 8; ++i)
        text += fmt::format(" {}", (value >> (8 * i)) & 0xffU);
    return text;
}

/// ... and as it shows them.
std::string as_shown(std::uint64_t value) {
    std::string text;
    for (int i = 0; i < 8; ++i)
        text += fmt::format("{}{:02x}", i == 0 ? "" : " ", (value >> (8 * i)) & 0xffU);
    return text;
}

TEST_CASE("bpftool: knows the map type by its name") {
    const PinnedMap map;
    CHECK(has(bpftool("map show pinned " + map.path), "landlock_ruleset  name rulesets"));
    CHECK(has(bpftool("-j map show pinned " + map.path), R"("type":"landlock_ruleset")"));
    CHECK(has(bpftool("feature list_builtins map_types"), "landlock_ruleset"));
    CHECK(has(bpftool("-j feature probe kernel"), R"("have_landlock_ruleset_map_type":true)"));
    CHECK(bpftool("map help").text.find("landlock_ruleset") != std::string::npos);
}

TEST_CASE("bpftool: fills a slot for a process that holds the ruleset, and shows its ID") {
    const Trace trace;
    const PinnedMap map;
    const UniqueFd ruleset = make_ruleset();
    const std::uint64_t id = trace.last_ruleset();
    // bpftool inherits it under this number.
    const int inherited = ::fcntl(ruleset.get(), F_DUPFD, 50);
    REQUIRE(inherited >= 0);

    CHECK(bpftool("map lookup pinned " + map.path + " key 1 0 0 0").status != 0);
    const Said updated = bpftool("map update pinned " + map.path + " key 1 0 0 0 value" +
                                 as_argument(static_cast<std::uint64_t>(inherited)));
    ::close(inherited);
    INFO(updated.text);
    CHECK(updated.status == 0);
    const Said looked_up = bpftool("map lookup pinned " + map.path + " key 1 0 0 0");
    INFO(looked_up.text);
    CHECK(has(looked_up, as_shown(id)));
    const Said dumped = bpftool("map dump pinned " + map.path);
    INFO(dumped.text);
    CHECK(has(dumped, "key: 01 00 00 00"));
    CHECK(has(dumped, as_shown(id)));
    CHECK(has(dumped, "Found 1 element"));

    // The descriptor is closed by now.
    const Said refused = bpftool("map update pinned " + map.path + " key 0 0 0 0 value" +
                                 as_argument(static_cast<std::uint64_t>(inherited)));
    CHECK(refused.status != 0);
    CHECK(refused.text.find("Bad file descriptor") != std::string::npos);

    CHECK(bpftool("map delete pinned " + map.path + " key 1 0 0 0").status == 0);
    CHECK(has(bpftool("map dump pinned " + map.path), "Found 0 elements"));
}

} // namespace
