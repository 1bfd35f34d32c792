// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Policies, the command that attaches them, and the files that they are about.
#pragma once

#include "processes.hpp"

#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace llexec::vmtest {

namespace fs = std::filesystem;
using Json = nlohmann::json;

/// The enforcement points, to GENERATE from.
inline constexpr const char* committing = "bprm_committing_creds";
inline constexpr const char* staged = "bprm_creds_for_exec";

/// The file systems under test: name, and a directory on it.
struct FileSystem {
    std::string name;
    fs::path mount;
};
std::vector<FileSystem> file_systems();
FileSystem ext4();

/// The programs that this one was built with.
fs::path cli();
fs::path launcher(); ///< a copy of vm_probe that no policy is about

/// Whether executions by its "via-repeat", of a program that tries what its policy denies, ended
/// so: "allowed 0, denied 123, other 0, refused 0, killed 0". None at all is not enough.
bool all_confined(const std::string& ends);

/// Names and texts of policies.
using PolicySet = std::map<std::string, std::string>;

/// One [[match]] block.
std::string match(const std::string& keys);
std::string match_exe(const fs::path& exe);

/// Handles everything, grants everything beneath `open` and reading beneath /proc.
std::string only(const fs::path& open);
std::string enforce(const std::string& keys);

/// Writes the policies into a fresh directory.
fs::path write_policies(const PolicySet& policies);

Ended try_load(const PolicySet& policies, const std::string& enforce_at);
/// REQUIREs that it works; returns what the command says.
Json load(const PolicySet& policies, const std::string& enforce_at);
Json status();
/// The policy of that name, in status().
Json status_of(const std::string& policy);
void unload();
/// Those since the last call.
std::vector<Json> events();

/// A directory of a file system, with programs and files in it.
class World {
  public:
    explicit World(const FileSystem& file_system);
    World(const World&) = delete;
    World& operator=(const World&) = delete;
    ~World();

    FileSystem file_system;
    fs::path root;
    fs::path program;
    fs::path script;     ///< its interpreter is the launcher, told to ignore its name
    fs::path own_script; ///< its interpreter is `program`
    fs::path broken;     ///< ENOEXEC
    fs::path orphan;     ///< a script without interpreter: ENOENT
    fs::path open;
    fs::path closed;
    std::string read_open;   ///< the word that reads open/file
    std::string read_closed; ///< the word that reads closed/file

    /// A policy that keeps all of these out of `closed`.
    [[nodiscard]] std::string policy(const std::string& more = {}) const;
    /// Whether `program`, executed as it is, can read open/file, and closed/file.
    [[nodiscard]] bool confined(const Ended& ended) const;
    [[nodiscard]] bool unconfined(const Ended& ended) const;
    /// `path` and the words that confined() and unconfined() look at.
    [[nodiscard]] Arguments look(const fs::path& path) const;
    /// The same behind vm_probe's way to launch it.
    [[nodiscard]] Arguments look_via(const std::string& way, const fs::path& path) const;
};

/// One on each file system.
class Worlds {
  public:
    Worlds();

    [[nodiscard]] auto begin() const { return worlds_.begin(); }
    [[nodiscard]] auto end() const { return worlds_.end(); }
    /// Each world's policy, named after its file system: loaded at once, since that takes longest.
    [[nodiscard]] PolicySet policies() const;

  private:
    std::vector<std::unique_ptr<World>> worlds_;
};

/// A copy of vm_probe.
void place_program(const fs::path& path);
void write_file(const fs::path& path, std::string_view text, fs::perms mode = fs::perms{0644});

} // namespace llexec::vmtest
