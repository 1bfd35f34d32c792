// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Which changes of a directory of files are told, and which are not.
#include "watcher.hpp"

#include "catch.hpp"
#include "llexec/path_walk.hpp"
#include "shortage.hpp"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <optional>
#include <poll.h>
#include <unistd.h>
#include <utility>

using namespace llexec;
using namespace llexec::daemon;
namespace fs = std::filesystem;

namespace {

/// dir/sub/file, other/file, and link, which leads to dir.
class Tree {
  public:
    Tree() {
        std::string name = (fs::temp_directory_path() / "llexec-watch-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        root_ = fs::canonical(name);
        fs::create_directories(root_ / "dir/sub");
        fs::create_directories(root_ / "other/sub");
        fs::create_symlink("dir", root_ / "link");
        write("dir/sub/file");
        write("other/sub/file");
        auto created = Watcher::create();
        REQUIRE(created.has_value());
        watcher.emplace(std::move(*created));
    }
    Tree(const Tree&) = delete;
    Tree& operator=(const Tree&) = delete;
    ~Tree() {
        std::error_code ignored;
        fs::remove_all(root_, ignored);
    }

    [[nodiscard]] std::string operator/(const std::string& below) const { return root_ / below; }

    void write(const std::string& file) const { std::ofstream(root_ / file) << "text\n"; }

    /// Another file, with the same name at once.
    void replace(const std::string& file) const {
        write("fresh");
        fs::rename(root_ / "fresh", root_ / file);
    }

    void watch(const std::vector<std::pair<std::string, Watch>>& paths) {
        std::vector<WatchedPath> wanted;
        for (const auto& [path, how] : paths)
            wanted.push_back({.path = root_ / path, .watch = how});
        REQUIRE_FALSE(watcher->watch(wanted).error.has_value());
    }

    /// What changed since the last call: "", "objects", "contents" or both.
    std::string changed() {
        const auto changes = watcher->read();
        REQUIRE(changes.has_value());
        const std::string both = changes->objects && changes->contents ? " and " : "";
        return (changes->objects ? "objects" : "") + both + (changes->contents ? "contents" : "");
    }

    std::optional<Watcher> watcher;

  private:
    fs::path root_;
};

} // namespace

TEST_CASE("an object is another file, not other text in it") {
    Tree tree;
    tree.watch({{"dir/sub/file", Watch::object}});
    CHECK(tree.changed().empty());
    tree.write("dir/sub/file");
    fs::permissions(tree / "dir/sub/file", fs::perms(0600));
    CHECK(tree.changed().empty());
    tree.replace("dir/sub/file");
    CHECK(tree.changed() == "objects");
    CHECK(tree.changed().empty());
    fs::remove(tree / "dir/sub/file");
    CHECK(tree.changed() == "objects");
    tree.write("dir/sub/file");
    CHECK(tree.changed() == "objects");
    fs::rename(tree / "dir/sub/file", tree / "dir/sub/away");
    CHECK(tree.changed() == "objects");
}

TEST_CASE("content is what is in a file, and which file it is") {
    Tree tree;
    tree.watch({{"dir/sub/file", Watch::content}});
    CHECK(tree.changed().empty());
    tree.write("dir/sub/file");
    CHECK(tree.changed() == "contents");
    // Whether it may be trusted.
    fs::permissions(tree / "dir/sub/file", fs::perms(0600));
    CHECK(tree.changed() == "contents");
    tree.replace("dir/sub/file");
    CHECK(tree.changed() == "contents");
    fs::remove(tree / "dir/sub/file");
    CHECK(tree.changed() == "contents");
}

TEST_CASE("content of a directory is what is in its files, and which there are") {
    Tree tree;
    tree.watch({{"dir/sub", Watch::content}, {"other/sub", Watch::object}});
    tree.write("dir/sub/fresh");
    CHECK(tree.changed() == "contents");
    tree.write("dir/sub/fresh");
    CHECK(tree.changed() == "contents");
    fs::remove(tree / "dir/sub/fresh");
    CHECK(tree.changed() == "contents");
    fs::permissions(tree / "dir/sub", fs::perms(0700));
    CHECK(tree.changed() == "contents");
    // Of an object nobody asked what is in it.
    tree.write("other/sub/fresh");
    fs::remove(tree / "other/sub/file");
    CHECK(tree.changed().empty());
    fs::remove_all(tree / "other/sub");
    CHECK(tree.changed() == "objects");
    fs::remove_all(tree / "dir/sub");
    CHECK(tree.changed() == "contents");
}

TEST_CASE("a path that is watched as both tells both") {
    Tree tree;
    tree.watch({{"dir/sub/file", Watch::object}, {"dir/sub/file", Watch::content}});
    tree.replace("dir/sub/file");
    CHECK(tree.changed() == "objects and contents");
    tree.write("dir/sub/file");
    CHECK(tree.changed() == "contents");
}

TEST_CASE("what appears where directories were missing is told, step by step") {
    Tree tree;
    const std::vector<std::pair<std::string, Watch>> paths{{"a/b/file", Watch::object}};
    tree.watch(paths);
    CHECK(tree.changed().empty());
    for (const char* step : {"a", "a/b", "a/b/file"}) {
        CAPTURE(step);
        if (std::string(step).ends_with("file"))
            tree.write(step);
        else
            fs::create_directory(tree / step);
        CHECK(tree.changed() == "objects");
        tree.watch(paths);
        CHECK(tree.changed().empty());
    }
    tree.replace("a/b/file");
    CHECK(tree.changed() == "objects");
}

TEST_CASE("a path through a link follows what the link names") {
    Tree tree;
    const std::vector<std::pair<std::string, Watch>> paths{{"link/sub/file", Watch::object}};
    tree.watch(paths);
    tree.replace("dir/sub/file");
    CHECK(tree.changed() == "objects");
    tree.replace("other/sub/file");
    CHECK(tree.changed().empty());
    fs::create_symlink("other", tree / "fresh");
    fs::rename(tree / "fresh", tree / "link");
    CHECK(tree.changed() == "objects");
    tree.watch(paths);
    CHECK(tree.changed().empty());
    tree.replace("other/sub/file");
    CHECK(tree.changed() == "objects");
    tree.replace("dir/sub/file");
    CHECK(tree.changed().empty());
}

TEST_CASE("a directory on the way that is moved or removed is told") {
    for (const char* directory : {"dir", "dir/sub"}) {
        CAPTURE(directory);
        Tree tree;
        tree.watch({{"dir/sub/file", Watch::object}});
        fs::rename(tree / directory, tree / "away");
        CHECK(tree.changed() == "objects");
        fs::rename(tree / "away", tree / directory);
        CHECK(tree.changed() == "objects");
        fs::remove_all(tree / directory);
        CHECK(tree.changed() == "objects");
    }
}

TEST_CASE("names beside those that are watched say nothing") {
    Tree tree;
    tree.watch({{"dir/sub/file", Watch::object}, {"dir/sub/policy", Watch::content}});
    for (const char* beside : {"dir/sub/file2", "dir/beside", "beside"}) {
        tree.write(beside);
        tree.replace(beside);
        fs::permissions(tree / beside, fs::perms(0600));
        fs::remove(tree / beside);
    }
    fs::create_directory(tree / "dir/sub2");
    CHECK(tree.changed().empty());
    // All of that was looked at: this comes after it.
    tree.replace("dir/sub/file");
    CHECK(tree.changed() == "objects");
}

TEST_CASE("what is not watched any more says nothing") {
    Tree tree;
    tree.watch({{"dir/sub/file", Watch::object}});
    tree.watch({{"other/sub/file", Watch::object}});
    tree.replace("dir/sub/file");
    CHECK(tree.changed().empty());
    tree.replace("other/sub/file");
    CHECK(tree.changed() == "objects");
    tree.watch({});
    tree.replace("other/sub/file");
    CHECK(tree.changed().empty());
}

TEST_CASE("what cannot be followed is an error, and the rest is watched all the same") {
    Tree tree;
    fs::create_symlink("loop", tree / "loop");
    for (const std::string& bad : {tree / "loop/file", std::string("relative/file")}) {
        CAPTURE(bad);
        tree.watch({});
        const auto watched =
            tree.watcher->watch({{.path = bad},
                                 {.path = tree / "dir/sub/file", .watch = Watch::object},
                                 {.path = tree / "other/sub/file", .watch = Watch::content}});
        REQUIRE(watched.error.has_value());
        CHECK(watched.error->code == (bad.starts_with('/') ? ELOOP : EINVAL));
        CHECK(watched.more);
        tree.replace("dir/sub/file");
        CHECK(tree.changed() == "objects");
    }
}

TEST_CASE("a shortage on the way of an object is doubted, and of contents it is one") {
    Tree tree;
    const WatchedPath object{.path = tree / "dir/sub/file", .watch = Watch::object};
    const WatchedPath content{.path = tree / "other/sub/file", .watch = Watch::content};
    const auto lacks = [&](const auto& without, const std::vector<WatchedPath>& paths) {
        Watched watched;
        without([&] { watched = tree.watcher->watch(paths); });
        REQUIRE(watched.error.has_value());
        return is_shortage(*watched.error);
    };
    for (const auto& without :
         {testing::without_memory_for_names, testing::without_memory_for_watches}) {
        CHECK_FALSE(lacks(without, {object}));
        CHECK(lacks(without, {content}));
        // One that is doubted hides none.
        CHECK(lacks(without, {object, content}));
    }
    tree.watch({{"dir/sub/file", Watch::object}});
    tree.replace("dir/sub/file");
    CHECK(tree.changed() == "objects");
}

TEST_CASE("the descriptor is readable when there is something to tell") {
    Tree tree;
    tree.watch({{"dir/sub/file", Watch::object}});
    // It may be otherwise too: somebody else's files are in the directory above.
    CHECK(tree.changed().empty());
    tree.replace("dir/sub/file");
    pollfd wanted{.fd = tree.watcher->fd(), .events = POLLIN, .revents = 0};
    CHECK(::poll(&wanted, 1, 0) == 1);
    CHECK(tree.changed() == "objects");
}

TEST_CASE("who cannot watch anything knows the paths, and tells nothing") {
    Tree tree;
    tree.watcher = Watcher::blind();
    CHECK(tree.watcher->fd() < 0);
    tree.watch({{"dir/sub/file", Watch::content}});
    CHECK(tree.watcher->fingerprint().size() == 1);
    tree.replace("dir/sub/file");
    CHECK(tree.changed().empty());
}

TEST_CASE("fingerprints are of what stands at the paths") {
    Tree tree;
    tree.watch({{"dir/sub/file", Watch::object}, {"nothing", Watch::object}});
    const WatchedPath file{.path = tree / "dir/sub/file"};
    const WatchedPath nothing{.path = tree / "nothing"};
    auto before = tree.watcher->fingerprint();
    REQUIRE(before.size() == 2);
    tree.write("dir/sub/file");
    CHECK(tree.watcher->fingerprint() == before);
    fs::rename(tree / "dir/sub/file", tree / "nothing");
    auto after = tree.watcher->fingerprint();
    REQUIRE(after.size() == 2);
    CHECK(after[file] == before[nothing]); // no such file
    CHECK(after[nothing] == before[file]);
    // Of what is watched for one reason alone.
    tree.watch({{"nothing", Watch::object}, {"other/sub/file", Watch::content}});
    CHECK(tree.watcher->fingerprint(Watch::object) == Fingerprint{{nothing, before[file]}});
    CHECK(tree.watcher->fingerprint(Watch::content).size() == 1);
}

TEST_CASE("contents that were not watched before are told once") {
    Tree tree;
    const auto more = [&](const std::vector<std::pair<std::string, Watch>>& paths) {
        std::vector<WatchedPath> wanted;
        for (const auto& [path, how] : paths)
            wanted.push_back({.path = tree / path, .watch = how});
        return tree.watcher->watch(wanted).more;
    };
    CHECK(more({{"dir/sub/file", Watch::content}}));
    CHECK_FALSE(more({{"dir/sub/file", Watch::content}}));
    // In a directory that is watched already, for another name.
    CHECK(more({{"dir/sub/file", Watch::content}, {"dir/sub/other", Watch::content}}));
    // All that is in it.
    CHECK(more({{"dir/sub", Watch::content}}));
    CHECK_FALSE(more({{"dir/sub", Watch::content}, {"other/sub/file", Watch::object}}));
    // Which was watched as something else.
    CHECK(more({{"dir/sub", Watch::content}, {"other/sub/file", Watch::content}}));
    CHECK_FALSE(more({{"dir/sub", Watch::content}}));
}
