// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "program/search_path.hpp"

#include <algorithm>
#include <climits>
#include <elf.h>
#include <fnmatch.h>
#include <set>
#include <span>
#include <utility>

namespace llexec::program {
namespace {

/// How a machine's libraries are found. Where a value is not the same everywhere, there are
/// several.
struct Machine {
    ElfFormat format;
    std::vector<std::string> tuples; ///< Debian's directories below lib
    std::vector<std::string> libs;   ///< others' names for lib
    std::string platform;            ///< AT_PLATFORM; empty: none, or not one for all its CPUs
};

ElfFormat format_of(bool is_64bit, bool little_endian, std::uint16_t machine) {
    return {.is_64bit = is_64bit, .little_endian = little_endian, .machine = machine};
}

const Machine& machine_of(const ElfFormat& format) {
    static const std::vector<Machine> machines{
        {format_of(true, true, EM_X86_64), {"x86_64-linux-gnu"}, {"lib64"}, "x86_64"},
        {format_of(false, true, EM_X86_64), {"x86_64-linux-gnux32"}, {"libx32"}, "x86_64"},
        {format_of(false, true, EM_386), {"i386-linux-gnu"}, {"lib32"}, "i686"},
        {format_of(true, true, EM_AARCH64), {"aarch64-linux-gnu"}, {"lib64"}, "aarch64"},
        {format_of(false, true, EM_ARM), {"arm-linux-gnueabihf", "arm-linux-gnueabi"}, {}, ""},
        {format_of(true, true, EM_RISCV), {"riscv64-linux-gnu"}, {"lib64/lp64d", "lib64"}, ""},
        {format_of(true, true, EM_PPC64), {"powerpc64le-linux-gnu"}, {"lib64"}, ""},
        {format_of(true, false, EM_S390), {"s390x-linux-gnu"}, {"lib64"}, ""},
        {format_of(true, true, EM_MIPS), {"mips64el-linux-gnuabi64"}, {"lib64"}, ""},
    };
    static const Machine others{{}, {}, {"lib64"}, ""};
    const auto found = std::ranges::find(machines, format, &Machine::format);
    return found == machines.end() ? others : *found;
}

/// Reads /etc/ld.so.conf as ldconfig(8) does.
class Configuration {
  public:
    explicit Configuration(const FileTree& tree) : tree_(tree) {}

    std::vector<std::string> read() {
        file("/etc/ld.so.conf");
        return std::move(directories_);
    }

  private:
    // Each file counts once, which also ends files that include one another.
    void file(const std::string& path) {
        if (!files_.insert(path).second)
            return;
        for (const std::string& text : split(tree_.text(path), "\n")) {
            const auto words = split(text.substr(0, text.find('#')), " \t\r\f\v");
            if (words.empty())
                continue;
            if (words.front() == "include") {
                for (const std::string& pattern : std::span(words).subspan(1))
                    for (const std::string& included :
                         matches(pattern.starts_with('/') ? pattern
                                                          : below(directory_of(path), pattern)))
                        file(included);
            } else if (words.front().starts_with('/')) {
                directory(words.front());
            }
        }
    }

    void directory(std::string path) {
        path.resize(std::min(path.find('='), path.size())); // "=TYPE", of former times
        while (path.size() > 1 && path.ends_with('/'))
            path.pop_back();
        if (std::ranges::find(directories_, path) == directories_.end())
            directories_.push_back(path);
    }

    /// glob(3), below the root of the tree.
    std::vector<std::string> matches(const std::string& pattern) const {
        std::vector<std::string> paths{""};
        for (const std::string& component : split(pattern, "/")) {
            std::vector<std::string> longer;
            for (const std::string& path : paths) {
                if (component.find_first_of("*?[\\") == std::string::npos) {
                    longer.push_back(below(path, component));
                    continue;
                }
                for (const std::string& name : tree_.names(path + "/"))
                    if (::fnmatch(component.c_str(), name.c_str(), FNM_PERIOD) == 0)
                        longer.push_back(below(path, name));
            }
            paths = std::move(longer);
        }
        return paths;
    }

    const FileTree& tree_;
    std::set<std::string> files_;
    std::vector<std::string> directories_;
};

std::vector<std::string> lib_names(const Machine& machine) {
    std::vector<std::string> names;
    names.reserve(machine.tuples.size() + machine.libs.size() + 1);
    for (const std::string& tuple : machine.tuples)
        names.push_back("lib/" + tuple);
    names.insert(names.end(), machine.libs.begin(), machine.libs.end());
    names.emplace_back("lib");
    return names;
}

bool part_of_name(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/// The length of `$NAME` or `${NAME}` that `text` begins with; 0 if it does not.
std::size_t token(std::string_view text, std::string_view name) {
    if (text.starts_with("${") && text.substr(2).starts_with(name) &&
        text.substr(2 + name.size()).starts_with('}'))
        return name.size() + 3;
    if (!text.starts_with('$') || !text.substr(1).starts_with(name))
        return 0;
    const std::string_view rest = text.substr(1 + name.size());
    return rest.empty() || !part_of_name(rest.front()) ? name.size() + 1 : 0;
}

std::vector<std::string> combine(const std::string& head, const std::vector<std::string>& tails) {
    std::vector<std::string> result;
    result.reserve(tails.size());
    for (const std::string& tail : tails)
        result.push_back(head + tail);
    return result;
}

} // namespace

SystemDirectories glibc_directories(const FileTree& tree, const ElfFormat& format) {
    SystemDirectories result{.configured = Configuration(tree).read(), .defaults = {}};
    for (const std::string& name : lib_names(machine_of(format)))
        for (const char* const prefix : {"/", "/usr/"})
            result.defaults.push_back(prefix + name);
    return result;
}

SystemDirectories musl_directories(const FileTree& tree, const std::string& interpreter) {
    const std::string name = name_of(interpreter); // ld-musl-ARCH.so.1
    const std::string prefix = directory_of(directory_of(interpreter));
    const std::string file =
        (prefix == "/" ? "" : prefix) + "/etc/" + name.substr(0, name.find(".so")) + ".path";
    if (!tree.find(file))
        return {.configured = {}, .defaults = {"/lib", "/usr/local/lib", "/usr/lib"}};
    return {.configured = {}, .defaults = split(tree.text(file), ":\n")};
}

std::vector<std::string> expand_tokens(std::string_view path, const std::string& origin,
                                       const ElfFormat& format) {
    const Machine& machine = machine_of(format);
    std::vector<std::string> result{""};
    const auto append = [&](std::string_view text) {
        for (std::string& one : result)
            one += text;
    };
    bool lib_expanded = false;
    while (!path.empty()) {
        std::size_t size = 1;
        if (const std::size_t origin_size = token(path, "ORIGIN"); origin_size != 0) {
            size = origin_size;
            append(origin);
        } else if (const std::size_t lib_size = token(path, "LIB"); lib_size != 0) {
            // A second one would multiply them.
            if (std::exchange(lib_expanded, true))
                return {};
            size = lib_size;
            result = combine(result.front(), lib_names(machine));
        } else if (const std::size_t platform_size = token(path, "PLATFORM"); platform_size != 0) {
            if (machine.platform.empty())
                return {};
            size = platform_size;
            append(machine.platform);
        } else {
            append(path.substr(0, 1));
        }
        path.remove_prefix(size);
        if (result.front().size() >= PATH_MAX)
            return {};
    }
    return result;
}

std::vector<std::string> preloaded(const FileTree& tree) {
    std::vector<std::string> result;
    for (const std::string& text : split(tree.text(preload_file), "\n"))
        for (std::string& name : split(text.substr(0, text.find('#')), ": \t"))
            result.push_back(std::move(name));
    return result;
}

std::vector<std::string> split(std::string_view text, std::string_view separators) {
    std::vector<std::string> result;
    for (std::size_t at = text.find_first_not_of(separators); at != std::string_view::npos;
         at = text.find_first_not_of(separators, at)) {
        const std::size_t end = std::min(text.find_first_of(separators, at), text.size());
        result.emplace_back(text.substr(at, end - at));
        at = end;
    }
    return result;
}

std::string below(std::string_view directory, std::string_view name) {
    std::string path(directory);
    path += '/';
    path += name;
    return path;
}

std::string directory_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos)
        return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

std::string name_of(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

} // namespace llexec::program
