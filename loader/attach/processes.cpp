// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/processes.hpp"

#include "attach/compile.hpp"
#include "attach/maps.hpp"
#include "attach/pins.hpp"
#include "attach/rules.hpp"
#include "kernel/file_identity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <climits>
#include <dirent.h>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <sys/syscall.h>
#include <unistd.h>

namespace llexec {
namespace {

using namespace attach;

/// Files at once, well below the usual limit of 1024 descriptors.
constexpr std::size_t batch_size = 256;

struct Running {
    std::uint32_t pid = 0;
    UniqueFd program;
    std::string exe;
    Candidate candidate;
};

std::string proc(std::uint32_t pid, std::string_view name) {
    return fmt::format("/proc/{}/{}", pid, name);
}

std::string text_of(const std::string& path) {
    std::ifstream stream(path);
    return {std::istreambuf_iterator<char>(stream), {}};
}

std::string link_target(const std::string& path) {
    std::string target(PATH_MAX, '\0');
    const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
    target.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return target;
}

Result<std::vector<std::uint32_t>> process_ids() {
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir("/proc"), ::closedir);
    if (!directory)
        return system_error(errno, "cannot list /proc");
    std::vector<std::uint32_t> pids;
    while (const dirent* const entry = ::readdir(directory.get())) {
        const std::string_view name = entry->d_name;
        std::uint32_t pid = 0;
        const auto [end, error] = std::from_chars(name.begin(), name.end(), pid);
        if (error == std::errc{} && end == name.end() && pid != 1)
            pids.push_back(pid);
    }
    std::ranges::sort(pids);
    return pids;
}

/// Who the process is, from /proc/PID/status.
void read_credentials(std::uint32_t pid, Candidate& candidate) {
    std::istringstream lines(text_of(proc(pid, "status")));
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string key;
        std::uint32_t real = 0;
        std::uint32_t id = 0;
        words >> key;
        if (key == "Uid:" && words >> real >> id)
            candidate.user = id;
        else if (key == "Gid:" && words >> real >> id)
            candidate.groups.push_back(id);
        else if (key == "Groups:")
            while (words >> id)
                candidate.groups.push_back(id);
    }
}

void read_cgroups(std::uint32_t pid, std::uint64_t seed, Candidate& candidate) {
    std::istringstream lines(text_of(proc(pid, "cgroup")));
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with("0::/"))
            continue;
        std::string_view path = std::string_view(line).substr(3);
        candidate.cgroups.push_back(cgroup_place("/", seed));
        for (; path != "/" && !path.empty(); path = path.substr(0, path.rfind('/')))
            candidate.cgroups.push_back(cgroup_place(path, seed));
    }
}

class Search {
  public:
    Search(const Maps& maps, const llexec_generation& generation, std::uint64_t seed)
        : maps_(maps), generation_(generation), seed_(seed) {}

    Result<UnconfinedProcesses> run() {
        const auto pids = process_ids();
        if (!pids)
            return std::unexpected(pids.error());
        for (const std::uint32_t pid : *pids) {
            add(pid);
            if (batch_.size() == batch_size)
                if (auto looked = look(); !looked)
                    return std::unexpected(std::move(looked.error()));
        }
        if (auto looked = look(); !looked)
            return std::unexpected(std::move(looked.error()));
        return std::move(result_);
    }

  private:
    void add(std::uint32_t pid) {
        const std::string link = proc(pid, "exe");
        UniqueFd program(::open(link.c_str(), O_PATH | O_CLOEXEC));
        if (!program.valid()) {
            // A kernel thread, or gone.
            if (errno != ENOENT && errno != ESRCH)
                ++result_.unknown;
            return;
        }
        Running running{
            .pid = pid, .program = std::move(program), .exe = link_target(link), .candidate = {}};
        read_credentials(pid, running.candidate);
        if (generation_.cgroups != 0)
            read_cgroups(pid, seed_, running.candidate);
        batch_.push_back(std::move(running));
    }

    /// Asks the kernel what the programs are, and then the maps.
    Result<> look() {
        std::vector<kernel::IdentifiedFile> open(batch_.size());
        std::ranges::transform(batch_, open.begin(), [](const Running& running) {
            return kernel::IdentifiedFile{.fd = running.program.get()};
        });
        const auto files = kernel::identify_files(open, seed_);
        if (!files)
            return std::unexpected(files.error());
        for (std::size_t i = 0; i < files->size(); ++i)
            batch_[i].candidate.file = (*files)[i].id;
        if (generation_.directories != 0)
            if (auto found = find_directories(); !found)
                return found;
        for (const Running& running : batch_)
            if (auto judged = judge(running); !judged)
                return judged;
        batch_.clear();
        return {};
    }

    /// The directories above their programs, each asked for once.
    Result<> find_directories() {
        std::vector<std::pair<std::string, UniqueFd>> unknown;
        const auto visit = [](const std::string& exe, const auto& each) {
            for (std::string path = exe; path.starts_with('/') && path != "/";) {
                const std::size_t slash = path.rfind('/');
                path.resize(slash == 0 ? 1 : slash);
                each(path);
            }
        };
        for (const Running& running : batch_)
            visit(running.exe, [&](const std::string& path) {
                if (places_.try_emplace(path, LLEXEC_ANY_PLACE).second)
                    if (UniqueFd fd(::open(path.c_str(), O_PATH | O_CLOEXEC | O_DIRECTORY));
                        fd.valid())
                        unknown.emplace_back(path, std::move(fd));
            });
        if (auto asked = ask_for_places(unknown); !asked)
            return asked;
        for (Running& running : batch_)
            visit(running.exe, [&](const std::string& path) {
                // LLEXEC_ANY_PLACE, which is none, for what is not there.
                if (const std::uint64_t place = places_.at(path); place != LLEXEC_ANY_PLACE)
                    running.candidate.directories.push_back(place);
            });
        return {};
    }

    Result<> ask_for_places(const std::vector<std::pair<std::string, UniqueFd>>& directories) {
        std::vector<kernel::IdentifiedFile> open(directories.size());
        std::ranges::transform(directories, open.begin(), [](const auto& directory) {
            return kernel::IdentifiedFile{.fd = directory.second.get()};
        });
        const auto found = kernel::identify_files(open, seed_);
        if (!found)
            return std::unexpected(found.error());
        for (std::size_t i = 0; i < found->size(); ++i)
            places_[directories[i].first] = (*found)[i].place;
        return {};
    }

    Result<> judge(const Running& running) {
        const auto selected = select_policies(maps_, generation_, running.candidate);
        if (!selected)
            return std::unexpected(selected.error());
        if (selected->empty())
            return {};
        const auto confined = confined_by(running.pid);
        if (!confined)
            return std::unexpected(confined.error());
        for (const std::uint32_t index : *selected) {
            const llexec_id_key key{
                .generation = generation_.generation, .id = index, .reserved = 0};
            const auto policy = maps_.find<llexec_policy>(MapId::policies, key);
            if (!policy)
                return std::unexpected(policy.error());
            if (!*policy || (*policy)->mode != LLEXEC_MODE_ENFORCE ||
                std::ranges::find(*confined, (*policy)->name_hash) != confined->end())
                continue;
            std::string command = text_of(proc(running.pid, "comm"));
            if (command.ends_with('\n'))
                command.pop_back();
            result_.processes.push_back({.pid = running.pid,
                                         .exe = running.exe,
                                         .command = std::move(command),
                                         .policy = (*policy)->name});
        }
        return {};
    }

    /// Hashes of the names of the policies that its domain enforces.
    Result<std::vector<std::uint64_t>> confined_by(std::uint32_t pid) const {
        const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
        if (!pidfd.valid()) {
            if (errno == ESRCH)
                return std::vector<std::uint64_t>{}; // gone
            return system_error(errno, fmt::format("cannot get a pidfd of the process {}", pid));
        }
        const auto confined = maps_.find<llexec_confined>(MapId::confined, pidfd.get());
        if (!confined)
            return std::unexpected(confined.error());
        const llexec_confined values = confined->value_or(llexec_confined{});
        const auto count = std::min<std::size_t>(values.n_policies, LLEXEC_MAX_LAYERS);
        return std::vector<std::uint64_t>(values.policies, values.policies + count);
    }

    const Maps& maps_;
    llexec_generation generation_;
    std::uint64_t seed_;
    std::vector<Running> batch_;
    std::map<std::string, std::uint64_t> places_;
    UnconfinedProcesses result_;
};

Result<UnconfinedProcesses> search(const Maps& maps, std::uint64_t current) {
    if (current == 0)
        return UnconfinedProcesses{};
    const auto info = maps.info();
    if (!info)
        return std::unexpected(info.error());
    const auto generation =
        maps.find<llexec_generation>(MapId::gens, static_cast<std::uint32_t>(current % 2));
    if (!generation)
        return std::unexpected(generation.error());
    return Search(maps, generation->value_or(llexec_generation{}), info->path_hash_seed).run();
}

} // namespace

Result<UnconfinedProcesses> find_unconfined_processes() {
    const auto loaded = is_loaded();
    if (!loaded)
        return std::unexpected(loaded.error());
    if (!*loaded)
        return UnconfinedProcesses{};
    const auto maps = Maps::open_pinned();
    if (!maps)
        return std::unexpected(maps.error());
    // A load that replaces the generation meanwhile makes us look again.
    constexpr int attempts = 4;
    for (int attempt = 0;; ++attempt) {
        const auto before = maps->current();
        if (!before)
            return std::unexpected(before.error());
        auto found = search(*maps, *before);
        if (!found)
            return found;
        const auto after = maps->current();
        if (!after)
            return std::unexpected(after.error());
        if (*before == *after || attempt == attempts)
            return found;
    }
}

} // namespace llexec
