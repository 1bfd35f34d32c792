// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "policies.hpp"

#include "catch.hpp"

#include <cstdlib>
#include <fstream>
#include <unistd.h>

namespace llexec::vmtest {
namespace {

fs::path mount_point(const char* variable) {
    const char* const value = std::getenv(variable);
    return value != nullptr ? value : "/nonexistent";
}

fs::path build_directory() {
    return fs::read_symlink("/proc/self/exe").parent_path();
}

int serial() {
    static int next = 0;
    return ++next;
}

Arguments command(const Arguments& rest) {
    Arguments arguments{cli(), "--json"};
    arguments.insert(arguments.end(), rest.begin(), rest.end());
    return arguments;
}

Json answer_of(const Ended& ended) {
    CAPTURE(ended.out, ended.err, ended.status);
    REQUIRE(ended.code() == 0);
    return Json::parse(ended.out);
}

} // namespace

std::vector<FileSystem> file_systems() {
    return {ext4(),
            {.name = "overlayfs", .mount = mount_point("VMTEST_OVERLAY")},
            {.name = "btrfs", .mount = mount_point("VMTEST_BTRFS")},
            {.name = "tmpfs", .mount = mount_point("VMTEST_TMPFS")}};
}

FileSystem ext4() {
    return {.name = "ext4", .mount = mount_point("VMTEST_EXT4")};
}

fs::path cli() {
    const char* const value = std::getenv("LLEXEC");
    return value != nullptr ? fs::path(value) : build_directory() / "../../llexec";
}

fs::path launcher() {
    // A copy where every user can get at it: a repository may be in a home directory. On none of
    // the file systems under test, which some tests hide.
    static const fs::path copy = [] {
        fs::path path = fs::temp_directory_path() / "launcher";
        fs::copy_file(build_directory() / "vm_probe", path, fs::copy_options::overwrite_existing);
        fs::permissions(path, fs::perms{0755});
        return path;
    }();
    return copy;
}

bool all_confined(const std::string& ends) {
    return ends.starts_with("allowed 0, denied ") && !ends.starts_with("allowed 0, denied 0,") &&
           ends.ends_with(", other 0, refused 0, killed 0");
}

std::string match(const std::string& keys) {
    return "[[match]]\n" + keys + "\n";
}

std::string match_exe(const fs::path& exe) {
    return match("exe = [\"" + exe.string() + "\"]");
}

std::string enforce(const std::string& keys) {
    return "[enforce]\n" + keys + "\n";
}

std::string only(const fs::path& open) {
    return "[[ruleset]]\n"
           "handled_access_fs = [\"abi.all\"]\n"
           "[[path_beneath]]\n"
           "allowed_access = [\"abi.all\"]\n"
           "parent = [\"" +
           open.string() +
           "\"]\n"
           "[[path_beneath]]\n"
           "allowed_access = [\"abi.read_execute\"]\n"
           "parent = [\"/proc\"]\n";
}

fs::path write_policies(const PolicySet& policies) {
    const fs::path directory = fs::temp_directory_path() / ("policies." + std::to_string(serial()));
    fs::remove_all(directory);
    fs::create_directories(directory);
    for (const auto& [name, text] : policies)
        write_file(directory / (name + ".toml"), "abi = 9\n" + text);
    return directory;
}

Ended try_load(const PolicySet& policies, const std::string& enforce_at) {
    const fs::path directory = write_policies(policies);
    const Ended ended = run(command({"load", "--enforce-at", enforce_at, directory}));
    fs::remove_all(directory);
    return ended;
}

Json load(const PolicySet& policies, const std::string& enforce_at) {
    return answer_of(try_load(policies, enforce_at));
}

Json status() {
    return answer_of(run(command({"status"})));
}

Json status_of(const std::string& policy) {
    const Json all = status();
    for (const Json& one : all["policies"])
        if (one["name"] == policy)
            return one;
    FAIL("no policy " << policy << " in " << all);
    return {};
}

void unload() {
    answer_of(run(command({"unload"})));
}

std::vector<Json> events() {
    const Ended ended = run(command({"events"}));
    CAPTURE(ended.out, ended.err);
    REQUIRE(ended.code() == 0);
    std::vector<Json> result;
    std::istringstream lines(ended.out);
    for (std::string line; std::getline(lines, line);)
        result.push_back(Json::parse(line));
    return result;
}

World::World(const FileSystem& on)
    : file_system(on), root(on.mount / ("vm_tests." + std::to_string(serial()))),
      program(root / "bin/program"), script(root / "bin/script"),
      own_script(root / "bin/own-script"), broken(root / "bin/broken"), orphan(root / "bin/orphan"),
      open(root / "open"), closed(root / "closed"), read_open("read:" + (open / "file").string()),
      read_closed("read:" + (closed / "file").string()) {
    for (const fs::path& directory : {program.parent_path(), open, closed})
        fs::create_directories(directory);
    place_program(program);
    write_file(script, "#!" + launcher().string() + " nnp\n", fs::perms{0755});
    write_file(own_script, "#!" + program.string() + "\n", fs::perms{0755});
    write_file(broken,
               "\x7f"
               "ELF, but no more\n",
               fs::perms{0755});
    write_file(orphan, "#!/nonexistent/interpreter\n", fs::perms{0755});
    write_file(open / "file", "open\n");
    write_file(closed / "file", "closed\n");
}

// The programs stay: the policy that is loaded may be about them, and another file that gets the
// inode number of one is a test of its own.
World::~World() {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(root, ignored))
        if (entry.path() != program.parent_path())
            fs::remove_all(entry.path(), ignored);
}

std::string World::policy(const std::string& more) const {
    std::string exe;
    for (const fs::path& path : {program, script, own_script, broken, orphan})
        exe += (exe.empty() ? "\"" : ", \"") + path.string() + "\"";
    return match("exe = [" + exe + "]") + more + only(open);
}

bool World::confined(const Ended& ended) const {
    return ended.code() == 1 && ended[read_open] == "allowed" && ended[read_closed] == "denied";
}

bool World::unconfined(const Ended& ended) const {
    return ended.code() == 0 && ended[read_open] == "allowed" && ended[read_closed] == "allowed";
}

Arguments World::look(const fs::path& path) const {
    return {path, read_open, read_closed};
}

Arguments World::look_via(const std::string& way, const fs::path& path) const {
    return {launcher(), way, "--", path, read_open, read_closed};
}

Worlds::Worlds() {
    for (const FileSystem& file_system : file_systems())
        worlds_.push_back(std::make_unique<World>(file_system));
}

PolicySet Worlds::policies() const {
    PolicySet set;
    for (const auto& world : worlds_)
        set[world->file_system.name] = world->policy();
    return set;
}

void place_program(const fs::path& path) {
    fs::create_directories(path.parent_path());
    fs::copy_file(launcher(), path, fs::copy_options::overwrite_existing);
    fs::permissions(path, fs::perms{0755});
}

void write_file(const fs::path& path, std::string_view text, fs::perms mode) {
    std::ofstream(path, std::ios::trunc) << text;
    fs::permissions(path, mode);
}

} // namespace llexec::vmtest
