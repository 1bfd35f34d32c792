// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// A small file system with programs, and what is found out about them.
#pragma once

#include "llexec/program.hpp"

#include <cstdint>
#include <elf.h>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace llexec::testing {

/// An ELF file that the kernel and ld.so could read. Empty strings: not there.
struct ElfSpec {
    std::string interpreter{};
    std::vector<std::string> needed{};
    std::string rpath{};
    std::string runpath{};
    std::string soname{};
    bool no_default_directories = false;
    bool is_64bit = true;
    bool little_endian = true;
    std::uint16_t machine = EM_X86_64;
};

[[nodiscard]] std::string elf_bytes(const ElfSpec& spec);

/// What most tests link with.
inline constexpr const char* glibc_loader = "/lib64/ld-linux-x86-64.so.2";

/// Removed with everything in it. Paths are those below its root, which inspection is given.
class ProgramTree {
  public:
    ProgramTree();
    ProgramTree(const ProgramTree&) = delete;
    ProgramTree& operator=(const ProgramTree&) = delete;
    ~ProgramTree();

    [[nodiscard]] std::string root() const { return root_.string(); }
    /// Where `path` really is.
    [[nodiscard]] std::string outside(std::string_view path) const;

    void file(std::string_view path, std::string_view content, unsigned mode = 0755) const;
    void elf(std::string_view path, const ElfSpec& spec = {}) const { file(path, elf_bytes(spec)); }
    void link(std::string_view path, std::string_view target) const;
    void hard_link(std::string_view path, std::string_view existing) const;

    /// The program, which can be inspected.
    [[nodiscard]] Program inspect(const std::string& path) const;
    /// Its needs: "use path < needed by".
    [[nodiscard]] std::vector<std::string> needs(const std::string& path) const;
    /// The paths of the libraries that it needs. Nothing may be missing.
    [[nodiscard]] std::vector<std::string> libraries(const std::string& path) const;
    /// What is missing: "use name < needed by: reason".
    [[nodiscard]] std::vector<std::string> missing(const std::string& path) const;

  private:
    std::filesystem::path root_;
};

} // namespace llexec::testing
