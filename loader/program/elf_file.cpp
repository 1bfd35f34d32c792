// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "program/elf_file.hpp"

#include "program/file_tree.hpp"

#include <algorithm>
#include <climits>
#include <cstring>
#include <libelf.h>

namespace llexec::program {
namespace {

// What no sound file reaches, so that a damaged one does not keep us busy. The first is the
// kernel's own limit.
constexpr std::size_t max_program_headers = 65536; // bytes
constexpr std::size_t max_dynamic_section = 1U << 20U;
constexpr std::size_t max_needed = 1024;
constexpr std::size_t max_search_path = 65536;

template<class T>
using Read = std::expected<T, std::string>;

// Both classes are read into the wider one's structures.
struct Traits32 {
    using Header = Elf32_Ehdr;
    using Segment = Elf32_Phdr;
    using Dynamic = Elf32_Dyn;
    static constexpr auto to_memory = &elf32_xlatetom;
};
struct Traits64 {
    using Header = Elf64_Ehdr;
    using Segment = Elf64_Phdr;
    using Dynamic = Elf64_Dyn;
    static constexpr auto to_memory = &elf64_xlatetom;
};

/// As many whole structures as `bytes` holds, in this machine's byte order.
template<class Structure>
std::vector<Structure> convert(std::string bytes, Elf_Type type, bool little_endian,
                               Elf_Data* (*to_memory)(Elf_Data*, const Elf_Data*, unsigned)) {
    std::vector<Structure> result(bytes.size() / sizeof(Structure));
    if (result.empty() || elf_version(EV_CURRENT) == EV_NONE)
        return {};
    Elf_Data source{};
    source.d_buf = bytes.data();
    source.d_size = result.size() * sizeof(Structure);
    source.d_type = type;
    source.d_version = EV_CURRENT;
    Elf_Data target = source;
    target.d_buf = result.data();
    if (to_memory(&target, &source, little_endian ? ELFDATA2LSB : ELFDATA2MSB) == nullptr)
        return {};
    return result;
}

struct Header {
    ElfFormat format;
    std::uint64_t segments_at = 0;
    std::size_t segment_size = 0;
    std::size_t segment_count = 0;
};

struct Segment {
    std::uint32_t type = 0;
    std::uint64_t offset = 0;
    std::uint64_t address = 0;
    std::uint64_t file_size = 0;
};

struct Dynamic {
    std::int64_t tag = 0;
    std::uint64_t value = 0;
};

template<class Traits>
std::optional<Header> read_header(int fd, bool little_endian) {
    using Raw = typename Traits::Header;
    const auto headers =
        convert<Raw>(read_at(fd, 0, sizeof(Raw)), ELF_T_EHDR, little_endian, Traits::to_memory);
    if (headers.empty())
        return std::nullopt;
    const Raw& raw = headers.front();
    if (raw.e_type != ET_EXEC && raw.e_type != ET_DYN)
        return std::nullopt;
    return Header{.format = {.is_64bit = sizeof(Raw) == sizeof(Elf64_Ehdr),
                             .little_endian = little_endian,
                             .machine = raw.e_machine},
                  .segments_at = raw.e_phoff,
                  .segment_size = raw.e_phentsize,
                  .segment_count = raw.e_phnum};
}

std::optional<Header> read_header(int fd) {
    const std::string identity = read_at(fd, 0, EI_NIDENT);
    if (identity.size() < EI_NIDENT || !identity.starts_with(ELFMAG))
        return std::nullopt;
    const char order = identity[EI_DATA];
    if (order != ELFDATA2LSB && order != ELFDATA2MSB)
        return std::nullopt;
    if (identity[EI_CLASS] == ELFCLASS64)
        return read_header<Traits64>(fd, order == ELFDATA2LSB);
    if (identity[EI_CLASS] == ELFCLASS32)
        return read_header<Traits32>(fd, order == ELFDATA2LSB);
    return std::nullopt;
}

template<class Traits>
Read<std::vector<Segment>> read_segments(int fd, const Header& header) {
    using Raw = typename Traits::Segment;
    const std::size_t size = header.segment_count * sizeof(Raw);
    if (header.segment_size != sizeof(Raw) || size == 0 || size > max_program_headers)
        return std::unexpected("its program headers are not sound");
    const auto raw = convert<Raw>(read_at(fd, header.segments_at, size), ELF_T_PHDR,
                                  header.format.little_endian, Traits::to_memory);
    if (raw.size() != header.segment_count)
        return std::unexpected("its program headers are beyond its end");
    std::vector<Segment> segments;
    segments.reserve(raw.size());
    for (const Raw& one : raw)
        segments.push_back({.type = one.p_type,
                            .offset = one.p_offset,
                            .address = one.p_vaddr,
                            .file_size = one.p_filesz});
    return segments;
}

template<class Traits>
Read<std::vector<Dynamic>> read_dynamic(int fd, const Header& header, const Segment& segment) {
    using Raw = typename Traits::Dynamic;
    if (segment.file_size > max_dynamic_section)
        return std::unexpected("its dynamic section is not sound");
    const std::string bytes =
        read_at(fd, segment.offset, static_cast<std::size_t>(segment.file_size));
    if (bytes.size() != segment.file_size)
        return std::unexpected("its dynamic section is beyond its end");
    std::vector<Dynamic> entries;
    for (const Raw& one :
         convert<Raw>(bytes, ELF_T_DYN, header.format.little_endian, Traits::to_memory)) {
        if (one.d_tag == DT_NULL)
            break;
        entries.push_back({.tag = one.d_tag, .value = one.d_un.d_val});
    }
    return entries;
}

/// The strings that entries of the dynamic section mean.
class StringTable {
  public:
    StringTable(int fd, const std::vector<Segment>& segments, const std::vector<Dynamic>& entries)
        : fd_(fd) {
        std::uint64_t address = 0;
        for (const Dynamic& entry : entries) {
            if (entry.tag == DT_STRTAB)
                address = entry.value;
            if (entry.tag == DT_STRSZ)
                size_ = entry.value;
        }
        for (const Segment& segment : segments)
            if (segment.type == PT_LOAD && address >= segment.address &&
                address - segment.address < segment.file_size) {
                offset_ = segment.offset + (address - segment.address);
                size_ = std::min(size_, segment.file_size - (address - segment.address));
                return;
            }
        size_ = 0;
    }

    [[nodiscard]] Read<std::string> at(std::uint64_t index, std::size_t max_size) const {
        if (index >= size_)
            return std::unexpected("a name is beyond its string table");
        const std::uint64_t left = size_ - index;
        const auto limit = static_cast<std::size_t>(std::min<std::uint64_t>(left, max_size));
        // Most names are short.
        for (std::size_t size = std::min<std::size_t>(limit, 256);; size = limit) {
            std::string text = read_at(fd_, offset_ + index, size);
            if (const std::size_t end = text.find('\0'); end != std::string::npos) {
                text.resize(end);
                return text;
            }
            if (size == limit)
                return std::unexpected("a name has no end");
        }
    }

  private:
    int fd_;
    std::uint64_t offset_ = 0;
    std::uint64_t size_ = 0;
};

Read<std::string> read_interpreter(int fd, const Segment& segment) {
    // The kernel's conditions.
    if (segment.file_size < 2 || segment.file_size > PATH_MAX)
        return std::unexpected("the name of its interpreter is not sound");
    const std::string text =
        read_at(fd, segment.offset, static_cast<std::size_t>(segment.file_size));
    if (text.size() != segment.file_size || text.back() != '\0')
        return std::unexpected("the name of its interpreter has no end");
    return std::string(text.c_str());
}

Read<void> add_dynamic(ElfFile& file, const std::vector<Dynamic>& entries,
                       const StringTable& strings) {
    // Of several, ld.so takes the last.
    std::optional<std::uint64_t> rpath;
    std::optional<std::uint64_t> runpath;
    std::optional<std::uint64_t> soname;
    std::vector<std::uint64_t> needed;
    for (const Dynamic& entry : entries) {
        if (entry.tag == DT_FLAGS_1)
            file.no_default_directories = (entry.value & DF_1_NODEFLIB) != 0;
        else if (entry.tag == DT_RPATH)
            rpath = entry.value;
        else if (entry.tag == DT_RUNPATH)
            runpath = entry.value;
        else if (entry.tag == DT_SONAME)
            soname = entry.value;
        else if (entry.tag == DT_NEEDED)
            needed.push_back(entry.value);
    }
    if (needed.size() > max_needed)
        return std::unexpected("it names too many libraries");
    Read<void> done;
    const auto read = [&](std::uint64_t index, std::size_t max_size) {
        auto text = strings.at(index, max_size);
        if (!text)
            done = std::unexpected(text.error());
        return text.value_or("");
    };
    if (rpath)
        file.rpath = read(*rpath, max_search_path);
    if (runpath)
        file.runpath = read(*runpath, max_search_path);
    if (soname)
        file.soname = read(*soname, PATH_MAX);
    for (const std::uint64_t index : needed)
        file.needed.push_back(read(index, PATH_MAX));
    return done;
}

template<class Traits>
Read<ElfFile> read_file(int fd, const Header& header) {
    ElfFile file;
    file.format = header.format;
    const auto segments = read_segments<Traits>(fd, header);
    if (!segments)
        return std::unexpected(segments.error());
    // Of several, the kernel and ld.so take the first.
    const auto interpreter = std::ranges::find(*segments, std::uint32_t{PT_INTERP}, &Segment::type);
    if (interpreter != segments->end()) {
        auto name = read_interpreter(fd, *interpreter);
        if (!name)
            return std::unexpected(std::move(name.error()));
        file.interpreter = std::move(*name);
    }
    const auto dynamic = std::ranges::find(*segments, std::uint32_t{PT_DYNAMIC}, &Segment::type);
    if (dynamic == segments->end())
        return file;
    const auto entries = read_dynamic<Traits>(fd, header, *dynamic);
    if (!entries)
        return std::unexpected(entries.error());
    if (auto added = add_dynamic(file, *entries, StringTable(fd, *segments, *entries)); !added)
        return std::unexpected(std::move(added.error()));
    return file;
}

} // namespace

bool is_elf(int fd) {
    return read_at(fd, 0, SELFMAG) == ELFMAG;
}

std::optional<ElfFormat> read_elf_format(int fd) {
    const auto header = read_header(fd);
    return header ? std::optional(header->format) : std::nullopt;
}

std::expected<ElfFile, std::string> read_elf(int fd) {
    const auto header = read_header(fd);
    if (!header)
        return std::unexpected("it is not an ELF executable or library");
    return header->format.is_64bit ? read_file<Traits64>(fd, *header)
                                   : read_file<Traits32>(fd, *header);
}

} // namespace llexec::program
