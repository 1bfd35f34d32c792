// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "files.hpp"

#include "catch.hpp"
#include "llexec/fd.hpp"

#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

using namespace llexec;
using namespace llexec::daemon;
namespace fs = std::filesystem;

namespace {

class Place {
  public:
    Place() {
        std::string name = (fs::temp_directory_path() / "llexec-files-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        root_ = fs::canonical(name);
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() {
        std::error_code ignored;
        fs::remove_all(root_, ignored);
    }

    [[nodiscard]] std::string operator/(const std::string& below) const { return root_ / below; }

    [[nodiscard]] std::string text_of(const std::string& file) const {
        const UniqueFd fd(::open((root_ / file).c_str(), O_RDONLY | O_CLOEXEC));
        const auto text = read_file(fd.get(), file);
        REQUIRE(text.has_value());
        return *text;
    }

  private:
    fs::path root_;
};

} // namespace

TEST_CASE("a file is replaced as a whole, with its mode, and through no link") {
    const Place place;
    std::ofstream(place / "victim") << "mine";
    fs::create_symlink("victim", place / "file");
    fs::create_symlink("victim", place / "file.new");
    const mode_t mask = ::umask(0077);
    const auto replaced = replace_file(place / "file", "text", 0644);
    ::umask(mask);
    REQUIRE(replaced.has_value());
    struct stat status{};
    REQUIRE(::lstat((place / "file").c_str(), &status) == 0);
    CHECK(status.st_mode == (S_IFREG | 0644));
    CHECK(place.text_of("file") == "text");
    CHECK(place.text_of("victim") == "mine");
    CHECK_FALSE(fs::exists(fs::symlink_status(place / "file.new")));
}

TEST_CASE("what cannot be replaced stays, and nothing is left beside it") {
    const Place place;
    fs::create_directories(place / "directory/full");
    CHECK_FALSE(replace_file(place / "directory", "text", 0644).has_value());
    CHECK(fs::exists(place / "directory/full"));
    CHECK_FALSE(fs::exists(place / "directory.new"));
    CHECK_FALSE(replace_file(place / "nothing/file", "text", 0644).has_value());
    CHECK_FALSE(fs::exists(place / "nothing"));
}

TEST_CASE("a file is read as long as it is") {
    const Place place;
    const std::string text(100'000, 'x');
    REQUIRE(replace_file(place / "file", text, 0600).has_value());
    CHECK(place.text_of("file") == text);
    const auto error = read_file(-1, "nothing");
    REQUIRE_FALSE(error.has_value());
    CHECK(error.error().message() == "cannot read nothing: Bad file descriptor");
}
