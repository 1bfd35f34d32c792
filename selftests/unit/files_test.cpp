// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "files.hpp"

#include "catch.hpp"
#include "llexec/fd.hpp"

#include <array>
#include <csignal>
#include <cstddef>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
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

/// From now on, whoever waits for a disk is killed.
bool forbid_sync() {
    std::array code{
        sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fsync, 1, 0),
        sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fdatasync, 0, 1),
        sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const sock_fprog program{.len = code.size(), .filter = code.data()};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

} // namespace

TEST_CASE("only a durable file waits for the disk") {
    const Place place;
    const auto syncs = [&](Durable durable) {
        const pid_t child = ::fork();
        if (child == 0)
            ::_exit(forbid_sync() && replace_file(place / "file", "text", 0644, durable) ? 0 : 1);
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        REQUIRE((WIFSIGNALED(status) || WEXITSTATUS(status) == 0));
        return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
    };
    CHECK(syncs(Durable::yes));
    CHECK_FALSE(syncs(Durable::no));
    CHECK(place.text_of("file") == "text");
}

TEST_CASE("a file is replaced as a whole, with its mode, and through no link") {
    const Place place;
    std::ofstream(place / "victim") << "mine";
    fs::create_symlink("victim", place / "file");
    fs::create_symlink("victim", place / "file.new");
    const mode_t mask = ::umask(0077);
    const auto replaced = replace_file(place / "file", "text", 0644, Durable::yes);
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
    CHECK_FALSE(replace_file(place / "directory", "text", 0644, Durable::yes).has_value());
    CHECK(fs::exists(place / "directory/full"));
    CHECK_FALSE(fs::exists(place / "directory.new"));
    CHECK_FALSE(replace_file(place / "nothing/file", "text", 0644, Durable::yes).has_value());
    CHECK_FALSE(fs::exists(place / "nothing"));
}

TEST_CASE("a file is read as long as it is") {
    const Place place;
    const std::string text(100'000, 'x');
    REQUIRE(replace_file(place / "file", text, 0600, Durable::no).has_value());
    CHECK(place.text_of("file") == text);
    const auto error = read_file(-1, "nothing");
    REQUIRE_FALSE(error.has_value());
    CHECK(error.error().message() == "cannot read nothing: Bad file descriptor");
}
