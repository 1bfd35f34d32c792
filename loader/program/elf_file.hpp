// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What the kernel and ld.so read in an ELF file: program headers and the dynamic section. Section
// headers are not looked at: they do not either, and stripped files may have none.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

namespace llexec::program {

/// What has to be the same for files to be linked with one another.
struct ElfFormat {
    bool is_64bit = false;
    bool little_endian = false;
    std::uint16_t machine = 0; ///< EM_...

    friend bool operator==(const ElfFormat&, const ElfFormat&) = default;
};

struct ElfFile {
    ElfFormat format;
    std::optional<std::string> interpreter; ///< PT_INTERP
    std::vector<std::string> needed;        ///< DT_NEEDED, in order
    std::optional<std::string> rpath;       ///< DT_RPATH
    std::optional<std::string> runpath;     ///< DT_RUNPATH
    std::string soname;                     ///< DT_SONAME; may be empty
    bool no_default_directories = false;    ///< DF_1_NODEFLIB
};

/// Whether it begins as ELF files do.
[[nodiscard]] bool is_elf(int fd);

/// None if the header is not that of an executable or library.
[[nodiscard]] std::optional<ElfFormat> read_elf_format(int fd);

/// Reads all of it; what is wrong if it is damaged.
[[nodiscard]] std::expected<ElfFile, std::string> read_elf(int fd);

} // namespace llexec::program
