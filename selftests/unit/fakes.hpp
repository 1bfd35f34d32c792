// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Simulated kernels and user databases.
#pragma once

#include "llexec/landlock.hpp"
#include "llexec/policy_file.hpp"
#include "llexec/user_database.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace llexec::testing {

// What the words of `log` stand for.
inline constexpr std::uint32_t log_new_exec = 2;
inline constexpr std::uint32_t log_none = 1;
inline constexpr std::uint32_t log_subdomains_off = 6;

/// root = 0, www-data = 33, both as user and as group; looking up "broken" fails with EIO.
class FakeUsers final : public UserDatabase {
  public:
    Result<std::optional<std::uint32_t>> user_id(const std::string& name) override;
    Result<std::optional<std::uint32_t>> group_id(const std::string& name) override;
};

/// The first filesystem right that llexec has no name for.
inline const std::uint64_t next_fs_right = rights_of_abi(newest_known_abi()).fs + 1;

/// A kernel with one Landlock ABI version. Like the kernel it refuses what that version does not
/// have: unknown rights, empty rulesets and rules, rights that the ruleset does not handle,
/// directory-only rights on a file, unknown flags.
class FakeLandlock final : public LandlockSyscalls {
  public:
    enum class Object { directory, file, bpf_pin, unknown /* fstat(2) fails */ };

    explicit FakeLandlock(int abi) : abi_(abi) {}

    int abi_version() override { return abi_; }
    int errata() override { return errata_answer; }
    int create_ruleset(const RulesetAttr& attr) override;
    int add_path_rule(int ruleset, std::uint64_t access, int parent, std::uint32_t flags) override;
    int add_port_rule(int ruleset, std::uint64_t access, std::uint64_t port,
                      std::uint32_t flags) override;
    int restrict_self(int ruleset, std::uint32_t flags) override;
    Result<UniqueFd> open_path(const std::string& path) override;
    Result<FileKind> kind_of(int fd) override;
    int set_no_new_privs() override;
    int thread_count() override { return thread_count_answer; }

    /// What stands in the file system; any other path is ENOENT.
    std::map<std::string, Object, std::less<>> objects{
        {"/usr", Object::directory}, {"/etc", Object::directory}, {"/etc/passwd", Object::file}};
    std::map<std::string, int, std::less<>> open_errors; ///< negative errno values, by path
    std::uint64_t unnamed_rights = 0;      ///< filesystem rights that llexec does not know
    std::uint64_t unnamed_file_rights = 0; ///< those of them that files have
    int errata_answer = 0;
    int first_create_answer = 0; ///< a negative errno value: of the first call only
    int restrict_answer = 0;
    std::vector<int> first_restrict_answers; ///< those of the first calls, if not `restrict_answer`
    int no_new_privs_answer = 0;
    int thread_count_answer = 1;

    // What was asked for.
    RulesetAttr attr{};
    std::map<std::string, std::uint64_t, std::less<>> path_rules;
    std::map<std::uint64_t, std::uint64_t> port_rules;
    std::vector<std::string> quiet_objects; ///< paths and ports, in order
    std::vector<std::string> calls;         ///< "no_new_privs", "restrict FLAGS"; after "trial " if
                                            ///< not on the thread that made this object

  private:
    void record(std::string call);

    int abi_;
    std::thread::id owner_ = std::this_thread::get_id();
    std::size_t restrict_calls_ = 0;
    std::map<int, std::string> opened_;
};

/// Parses with FakeUsers.
[[nodiscard]] ParsedPolicy parse(std::string_view text, std::string_view file = "test.toml");

/// The policy of a text that must be valid.
[[nodiscard]] Policy parse_valid(std::string_view text, std::string_view file = "test.toml");

/// The findings of a text as "line:column severity: message", in order.
[[nodiscard]] std::vector<std::string> findings(std::string_view text,
                                                std::string_view file = "test.toml");

/// All that a policy means, to compare policies.
[[nodiscard]] std::string meaning(const Policy& policy);

/// How many file descriptors this process has open.
[[nodiscard]] std::size_t open_descriptors();

} // namespace llexec::testing
