// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "program_tree.hpp"

#include "catch.hpp"

#include <fmt/format.h>

#include <fstream>
#include <map>
#include <stdlib.h>
#include <sys/stat.h>

namespace llexec::testing {
namespace {

/// Writes what ELF consists of, by hand: a second opinion on the byte order.
class ElfWriter {
  public:
    explicit ElfWriter(const ElfSpec& spec) : spec_(spec) {}

    std::string write() {
        const std::size_t headers = header_size() + 3 * segment_size();
        const std::string interpreter = spec_.interpreter + '\0';
        add_dynamic();
        const std::size_t strings_at = headers + interpreter.size();
        // Aligned for no reason but that linkers do it.
        const std::size_t dynamic_at = (strings_at + strings_.size() + 15) / 16 * 16;
        const std::string dynamic = dynamic_section(strings_at);
        const std::size_t size = dynamic_at + dynamic.size();

        header();
        segment(PT_LOAD, 0, size);
        // Without an interpreter: something that nobody looks at.
        segment(spec_.interpreter.empty() ? PT_NULL : PT_INTERP, headers, interpreter.size());
        segment(PT_DYNAMIC, dynamic_at, dynamic.size());
        bytes_ += interpreter + strings_;
        bytes_.resize(dynamic_at);
        return bytes_ + dynamic;
    }

  private:
    static constexpr std::uint64_t base = 0x400000;

    [[nodiscard]] std::size_t header_size() const { return spec_.is_64bit ? 64 : 52; }
    [[nodiscard]] std::size_t segment_size() const { return spec_.is_64bit ? 56 : 32; }

    [[nodiscard]] std::string number(std::uint64_t value, std::size_t size) const {
        std::string text;
        for (std::size_t i = 0; i < size; ++i) {
            const std::size_t shift = 8 * (spec_.little_endian ? i : size - 1 - i);
            text += static_cast<char>(value >> shift & 0xffU);
        }
        return text;
    }
    [[nodiscard]] std::string word(std::uint64_t value) const {
        return number(value, spec_.is_64bit ? 8 : 4);
    }

    void header() {
        bytes_ = "\177ELF";
        bytes_ += static_cast<char>(spec_.is_64bit ? ELFCLASS64 : ELFCLASS32);
        bytes_ += static_cast<char>(spec_.little_endian ? ELFDATA2LSB : ELFDATA2MSB);
        bytes_ += static_cast<char>(EV_CURRENT);
        bytes_.resize(EI_NIDENT);
        bytes_ += number(ET_DYN, 2) + number(spec_.machine, 2) + number(EV_CURRENT, 4);
        bytes_ += word(base) + word(header_size()) + word(0) + number(0, 4);
        bytes_ += number(header_size(), 2) + number(segment_size(), 2) + number(3, 2);
        bytes_ += number(0, 2) + number(0, 2) + number(0, 2); // no sections
    }

    void segment(std::uint32_t type, std::size_t offset, std::size_t size) {
        bytes_ += number(type, 4);
        if (spec_.is_64bit)
            bytes_ += number(PF_R, 4);
        bytes_ +=
            word(offset) + word(base + offset) + word(base + offset) + word(size) + word(size);
        if (!spec_.is_64bit)
            bytes_ += number(PF_R, 4);
        bytes_ += word(1);
    }

    void add(std::int64_t tag, const std::string& text) {
        if (text.empty())
            return;
        entries_.emplace_back(tag, strings_.size());
        strings_ += text + '\0';
    }

    void add_dynamic() {
        strings_ = std::string(1, '\0');
        for (const std::string& name : spec_.needed)
            add(DT_NEEDED, name);
        add(DT_SONAME, spec_.soname);
        add(DT_RPATH, spec_.rpath);
        add(DT_RUNPATH, spec_.runpath);
        if (spec_.no_default_directories)
            entries_.emplace_back(DT_FLAGS_1, DF_1_NODEFLIB);
    }

    [[nodiscard]] std::string dynamic_section(std::size_t strings_at) const {
        std::string text;
        for (const auto& [tag, value] : entries_)
            text += word(static_cast<std::uint64_t>(tag)) + word(value);
        text += word(DT_STRTAB) + word(base + strings_at);
        text += word(DT_STRSZ) + word(strings_.size());
        return text + word(DT_NULL) + word(0);
    }

    const ElfSpec& spec_;
    std::string bytes_;
    std::string strings_;
    std::vector<std::pair<std::int64_t, std::uint64_t>> entries_;
};

} // namespace

std::string elf_bytes(const ElfSpec& spec) {
    return ElfWriter(spec).write();
}

ProgramTree::ProgramTree() {
    std::string name = (std::filesystem::temp_directory_path() / "llexec-test-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    root_ = std::filesystem::canonical(name);
}

ProgramTree::~ProgramTree() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
}

std::string ProgramTree::outside(std::string_view path) const {
    return root() + std::string(path);
}

void ProgramTree::file(std::string_view path, std::string_view content, unsigned mode) const {
    const std::string name = outside(path);
    std::filesystem::create_directories(std::filesystem::path(name).parent_path());
    std::ofstream(name) << content;
    REQUIRE(::chmod(name.c_str(), mode) == 0);
}

void ProgramTree::link(std::string_view path, std::string_view target) const {
    const std::filesystem::path name = outside(path);
    std::filesystem::create_directories(name.parent_path());
    std::filesystem::create_symlink(target, name);
}

void ProgramTree::hard_link(std::string_view path, std::string_view existing) const {
    const std::filesystem::path name = outside(path);
    std::filesystem::create_directories(name.parent_path());
    std::filesystem::create_hard_link(outside(existing), name);
}

Program ProgramTree::inspect(const std::string& path) const {
    auto program = inspect_program(path, root());
    INFO(path);
    if (!program)
        FAIL(program.error().message());
    return std::move(*program);
}

std::vector<std::string> ProgramTree::needs(const std::string& path) const {
    std::vector<std::string> result;
    for (const NeededFile& file : inspect(path).needs)
        result.push_back(fmt::format("{} {} < {}", to_string(file.use), file.path, file.needed_by));
    return result;
}

std::vector<std::string> ProgramTree::libraries(const std::string& path) const {
    std::vector<std::string> result;
    const Program program = inspect(path);
    for (const NeededFile& file : program.needs)
        if (file.use == FileUse::library)
            result.push_back(file.path);
    for (const MissingFile& file : program.missing)
        result.push_back(fmt::format("missing: {}: {}", file.name, file.reason));
    return result;
}

std::vector<std::string> ProgramTree::missing(const std::string& path) const {
    std::vector<std::string> result;
    for (const MissingFile& file : inspect(path).missing)
        result.push_back(fmt::format("{} {} < {}: {}", to_string(file.use), file.name,
                                     file.needed_by, file.reason));
    return result;
}

} // namespace llexec::testing
