// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What ld.so loads for a program.
#pragma once

#include "llexec/program.hpp"
#include "program/elf_file.hpp"
#include "program/file_tree.hpp"

#include <cstddef>
#include <set>
#include <string>
#include <tuple>
#include <utility>

namespace llexec::program {

/// What inspection finds, each once.
class Findings {
  public:
    explicit Findings(Program& program) : program_(program) {}

    /// False if it was there already.
    bool add(FileUse use, const std::string& path, const std::string& needed_by);
    void add_missing(FileUse use, const std::string& name, const std::string& needed_by,
                     std::string reason);

    /// Takes one from the look-ups that an inspection may do, and one for each 256 bytes of text
    /// that it works on; false if none is left.
    bool spend(std::size_t bytes = 0) {
        look_ups_ += 1 + bytes / 256;
        return !exhausted();
    }
    [[nodiscard]] bool exhausted() const { return look_ups_ > max_look_ups; }

  private:
    // Far beyond what programs need: what a file made for it would keep us busy with.
    static constexpr std::size_t max_look_ups = 100'000;

    Program& program_;
    std::size_t look_ups_ = 0;
    std::set<std::pair<FileUse, std::string>> known_;
    std::set<std::tuple<FileUse, std::string, std::string, std::string>> missing_;
};

/// An ELF program that is about to be executed.
struct ElfProgram {
    std::string path;   ///< as it was named
    std::string target; ///< without symbolic links
    ElfFile file;
};

/// Adds the interpreter and the libraries of `program` to `findings`.
void add_linked_files(const FileTree& tree, const ElfProgram& program, Findings& findings);

} // namespace llexec::program
