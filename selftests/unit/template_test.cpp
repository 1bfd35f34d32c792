// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Templates: Landlock Config's scanner, to the letter.
#include "catch.hpp"
#include "policy/template.hpp"

#include <limits>

using namespace llexec;

namespace {

std::vector<std::string> expand(std::string_view text, const Variables& variables = {}) {
    const auto parsed = Template::parse(text);
    REQUIRE(parsed.has_value());
    const std::vector<std::string> strings = parsed->expand(variables);
    const Template::Extent extent = parsed->extent(variables);
    std::size_t bytes = 0;
    for (const std::string& string : strings)
        bytes += string.size();
    CHECK(extent.strings == strings.size());
    CHECK(extent.bytes == bytes);
    return strings;
}

using Strings = std::vector<std::string>;

} // namespace

TEST_CASE("dollars that start no reference stand for themselves") {
    const auto [text, meaning] = GENERATE(table<std::string_view, std::string>({
        {"", ""},
        {"$", "$"},
        {"$$", "$"},
        {"$$$", "$$"},
        {"$$$$", "$$"},
        {"$x", "$x"},
        {"a$", "a$"},
        {"$$foo", "$foo"},
        {"$${foo}", "${foo}"},
        {"{}", "{}"},
        {"}${foo}{", "}bar{"},
        {"$${${foo}", "${bar"},
        {"{${foo}", "{bar"},
        {"$$${foo}", "$bar"},
    }));
    CAPTURE(text);
    CHECK(expand(text, {{"foo", {"bar"}}}) == Strings{meaning});
}

TEST_CASE("two references to one variable vary independently") {
    CHECK(expand("${a}/${a}", {{"a", {"x", "y"}}}) == Strings{"x/x", "x/y", "y/x", "y/y"});
    CHECK(expand("${a}${b}", {{"a", {"x", "y"}}, {"b", {}}}).empty());
}

TEST_CASE("values are not expanded again") {
    CHECK(expand("${a}", {{"a", {"${b}", "$$"}}}) == Strings{"${b}", "$$"});
}

TEST_CASE("a reference that is none is refused with its place") {
    const auto [text, offset] = GENERATE(table<std::string_view, std::size_t>({
        {"${", 0},
        {"ab${x", 2},
        {"${}", 0},
        {"$$${1}", 2},
        {"${_x}", 0},
        {"${x y}", 0},
        {"${x${y}}", 0},
        {"${\xc3\xa4}", 0},
        {"${ok}${no-}", 5},
    }));
    CAPTURE(text);
    const auto parsed = Template::parse(text);
    REQUIRE_FALSE(parsed.has_value());
    CHECK(parsed.error().offset == offset);
}

TEST_CASE("the extent of an expansion saturates") {
    std::string text;
    for (int i = 0; i < 70; ++i)
        text += "${x}";
    const auto parsed = Template::parse(text);
    REQUIRE(parsed.has_value());
    const Template::Extent extent = parsed->extent({{"x", {"a", "b"}}});
    CHECK(extent.strings == std::numeric_limits<std::size_t>::max());
    CHECK(extent.bytes == std::numeric_limits<std::size_t>::max());
}

TEST_CASE("a variable without values costs nothing, however many there are before it") {
    std::string text;
    for (int i = 0; i < 64; ++i)
        text += "${a}";
    const auto parsed = Template::parse(text + "${none}");
    REQUIRE(parsed);
    const Variables variables{{"a", {"x", "y"}}, {"none", {}}};
    CHECK(parsed->extent(variables).strings == 0);
    CHECK(parsed->expand(variables).empty());
}
