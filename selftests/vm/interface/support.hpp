// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What the tests of the kernel interface have in common: maps, rulesets, files and children.
#pragma once

#include "llexec/fd.hpp"

#include <bpf/bpf.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace interface {

using llexec::UniqueFd;

/// The number of BPF_MAP_TYPE_LANDLOCK_RULESET on this kernel. The test fails if it has none.
bpf_map_type ruleset_map_type();

struct MapShape {
    std::uint32_t key_size = 4;
    std::uint32_t value_size = 8;
    std::uint32_t entries = 4;
    std::uint32_t flags = 0;
};

/// A descriptor, or -errno.
int try_map(const MapShape& shape);
/// The test fails if there is none.
UniqueFd make_map(const MapShape& shape = {});

/// Each 0 or -errno. `value` is a descriptor on the way in, an ID on the way out. For maps of
/// 32-bit values, `value` is the part that counts.
int update(const UniqueFd& map, std::uint32_t key, std::uint64_t value, std::uint64_t flags = 0);
int update(const UniqueFd& map, std::uint32_t key, const UniqueFd& ruleset);
int erase(const UniqueFd& map, std::uint32_t key);
int lookup(const UniqueFd& map, std::uint32_t key, std::uint64_t& value);

/// A ruleset that handles the reading of files and allows it beneath these paths.
UniqueFd make_ruleset(const std::vector<std::string>& readable = {});

/// Directories a, b and both with a file "text" each; removed at the end. The probe stands beside
/// them.
class Directory {
  public:
    Directory();
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    ~Directory();
    [[nodiscard]] std::string operator/(const std::string& name) const {
        return path_ + '/' + name;
    }
    [[nodiscard]] std::string probe() const { return *this / "probe"; }
    /// An executable file with this content.
    std::string write(const std::string& name, const std::string& content) const;

  private:
    std::string path_;
};

struct Outcome {
    std::vector<int> results; ///< what was reported or printed
    int status = -1;          ///< as from waitpid(2)
};

using Report = std::function<void(int)>;

/// Forks, calls `ready` with the child's process ID, then runs `body` in the child. What the child
/// prints to stdout, one number a line, is what it reports.
Outcome in_child(const std::function<void(const Report&)>& body,
                 const std::function<void(int)>& ready = {});

/// For `body`: executes a file with these arguments.
void execute_with(const std::string& path, std::vector<std::string> arguments);

/// Tries for up to ten seconds, times VMTEST_TIMEOUT_FACTOR.
bool soon(const std::function<bool()>& condition);

} // namespace interface
