// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What a program file is, and which files have to be opened before its own code runs.
#pragma once

#include "llexec/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace llexec {

enum class ProgramKind {
    elf,
    script, ///< begins with a #! line that the kernel accepts
    other,  ///< neither: text without #!, an empty file, a format of binfmt_misc, not a file
};

/// What a file is opened for, and by whom.
enum class FileUse {
    script_interpreter, ///< executed: by the kernel, or by the env(1) that a #! line names
    elf_interpreter,    ///< executed by the kernel: ld.so
    library,            ///< read by ld.so
    preload,            ///< read by ld.so, which goes on without it: of /etc/ld.so.preload
    library_cache,      ///< read by ld.so, which does not find some library without it
};

/// "script-interpreter", "elf-interpreter", "library", "preload" or "library-cache".
[[nodiscard]] std::string_view to_string(FileUse use);

struct NeededFile {
    FileUse use = FileUse::library;
    std::string path;      ///< absolute, as it is looked up: symbolic links are not resolved
    std::string needed_by; ///< path of the file that names it, as it stands in this list or in
                           ///< Program::path

    friend bool operator==(const NeededFile&, const NeededFile&) = default;
};

/// Something without which the program does not start.
struct MissingFile {
    FileUse use = FileUse::library;
    std::string name; ///< as the file that needs it names it
    std::string needed_by;
    std::string reason; ///< why it cannot be used

    friend bool operator==(const MissingFile&, const MissingFile&) = default;
};

struct Program {
    std::string path;   ///< as asked for
    std::string target; ///< where the file is: absolute, without symbolic links
    ProgramKind kind = ProgramKind::other;
    bool regular_file = false;
    bool executable = false;        ///< a regular file that somebody may execute: a mode bit is set
                                    ///< and its mount is not noexec
    bool set_user_id = false;       ///< by its mode, and its mount is not nosuid
    bool set_group_id = false;      ///< the same
    bool file_capabilities = false; ///< the same for capabilities(7) of the file
    std::vector<NeededFile> needs;  ///< each once, interpreters before what they need
    std::vector<MissingFile> missing;
};

/// Reads the program at `path`, and what it needs, with the rights of the caller. Nothing is
/// executed. Below another `root` than "/", all paths mean what they would after chroot(2) (needs
/// Linux 5.6). A relative path, also one in a #! line, starts at the current directory, or at
/// `root`.
///
/// - Scripts: the interpreters of the #! lines, as execve(2) reads them, and what those need.
///   "#!/usr/bin/env NAME" needs the program NAME as well, looked up in the default PATH (see
///   default_path()) unless the line sets another; it is not reported where it depends on the
///   environment ("env -S ${NAME}").
/// - ELF: PT_INTERP and the libraries of DT_NEEDED, breadth first, in the directories that ld.so(8)
///   says: DT_RPATH, DT_RUNPATH, those of /etc/ld.so.conf, the default ones of that machine. For
///   musl, those of its own. Statically linked programs need nothing.
/// - LD_LIBRARY_PATH and LD_PRELOAD are ignored on purpose: who starts the program sets them, not
///   who inspects it. A library in a glibc-hwcaps directory is only found if there is one beside
///   that directory too, and is reported by that path.
///
/// Not a need: what is opened later, by the program's own code (plugins, dlopen(3), NSS, locales).
///
/// Fails if the file cannot be read, and with ENOEXEC if it is a damaged ELF file. What is wrong
/// with a file that it needs is in `missing`.
[[nodiscard]] Result<Program> inspect_program(const std::string& path,
                                              const std::string& root = "/");

/// The directories that programs without a path are looked up in.
[[nodiscard]] std::string_view default_path();

/// Other programs that are the same file: what a multi-call binary such as busybox is called by.
/// These are names in the directories of the default PATH that are links to the file at `path`,
/// sorted; without the name of `path`, the name of the file that it leads to, versions of either
/// (python3, python3.11; gcc, x86_64-linux-gnu-gcc-12), and names that lead through
/// /etc/alternatives. Empty if only one is left: a program with one alias is one program.
[[nodiscard]] Result<std::vector<std::string>> other_program_names(const std::string& path,
                                                                   const std::string& root = "/");

} // namespace llexec
