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
#include <chrono>
#include <climits>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <optional>
#include <poll.h>
#include <set>
#include <sstream>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace llexec {
namespace {

using namespace attach;

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

bool has_ended(const UniqueFd& pidfd) {
    pollfd ended{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
    return ::poll(&ended, 1, 0) == 1;
}

/// How long is waited for what is in execve(2), and how often it is looked at meanwhile. It takes
/// microseconds there to get from a program's file to its domain; but whoever shares the memory of
/// such a process can make it stay, and nobody else may have to wait for that.
constexpr std::chrono::milliseconds execution_limit{500};
constexpr std::chrono::milliseconds execution_pause{10};

class Search {
  public:
    Search(const Maps& maps, const llexec_generation& generation, std::uint64_t seed)
        : maps_(maps), generation_(generation), seed_(seed) {}

    Result<std::vector<UnconfinedProcess>> run() {
        const auto program = open_pin(processes_pin);
        if (!program)
            return std::unexpected(program.error());
        using Clock = std::chrono::steady_clock;
        const auto deadline = Clock::now() + execution_limit;
        std::optional<std::set<std::uint32_t>> executing; // none: all are looked at
        do {
            // What still executes then is taken as it is.
            last_look_ = Clock::now() >= deadline;
            const auto running = kernel::list_processes(program->get());
            if (!running)
                return std::unexpected(running.error());
            const auto wanted = std::exchange(executing, std::set<std::uint32_t>{});
            for (const llexec_process& process : *running) {
                const std::uint32_t pid = process.head.pid;
                if (pid == 1 || (wanted && !wanted->contains(pid)))
                    continue;
                const auto judged = judge(process);
                if (!judged)
                    return std::unexpected(judged.error());
                if (*judged == Judgement::later)
                    executing->insert(pid);
            }
            if (!executing->empty())
                std::this_thread::sleep_for(execution_pause);
        } while (!executing->empty());
        return std::move(unconfined_);
    }

  private:
    enum class Judgement : std::uint8_t { done, later };

    [[nodiscard]] Candidate candidate_of(const llexec_process& process) const {
        Candidate candidate{.file = process.head.program,
                            .directories = {},
                            .cgroups = {},
                            .user = 0,
                            .groups = {}};
        const auto count =
            std::min<std::size_t>(process.head.n_directories, LLEXEC_PROCESS_DIRECTORIES);
        candidate.directories.assign(process.directories, process.directories + count);
        read_credentials(process.head.pid, candidate);
        if (generation_.cgroups != 0)
            read_cgroups(process.head.pid, seed_, candidate);
        return candidate;
    }

    Result<Judgement> judge(const llexec_process& process) {
        const std::uint32_t pid = process.head.pid;
        const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
        if (!pidfd.valid()) {
            if (errno == ESRCH)
                return Judgement::done; // it has ended
            return system_error(errno, fmt::format("cannot get a pidfd of the process {}", pid));
        }
        const auto selected = select_policies(maps_, generation_, candidate_of(process));
        if (!selected)
            return std::unexpected(selected.error());
        if (selected->empty())
            return Judgement::done;
        const auto confined = confined_by(pidfd);
        if (!confined)
            return std::unexpected(confined.error());
        std::vector<UnconfinedProcess> found;
        for (const std::uint32_t index : *selected) {
            const llexec_id_key key{
                .generation = generation_.generation, .id = index, .reserved = 0};
            const auto policy = maps_.find<llexec_policy>(MapId::policies, key);
            if (!policy)
                return std::unexpected(policy.error());
            if (!*policy || (*policy)->mode != LLEXEC_MODE_ENFORCE ||
                std::ranges::find(*confined, (*policy)->name_hash) != confined->end())
                continue;
            std::string command = text_of(proc(pid, "comm"));
            if (command.ends_with('\n'))
                command.pop_back();
            found.push_back({.pid = pid,
                             .exe = link_target(proc(pid, "exe")),
                             .command = std::move(command),
                             .policy = (*policy)->name});
        }
        if (!found.empty() && process.head.executing != 0 && !last_look_)
            return Judgement::later;
        // What was read may be of nobody, or of another process with its number.
        if (!has_ended(pidfd))
            std::ranges::move(found, std::back_inserter(unconfined_));
        return Judgement::done;
    }

    /// Hashes of the names of the policies that its domain enforces.
    [[nodiscard]] Result<std::vector<std::uint64_t>> confined_by(const UniqueFd& pidfd) const {
        const auto confined = maps_.find<llexec_confined>(MapId::confined, pidfd.get());
        if (!confined) {
            if (confined.error().code == ESRCH)
                return std::vector<std::uint64_t>{}; // it has ended
            return std::unexpected(confined.error());
        }
        const llexec_confined values = confined->value_or(llexec_confined{});
        const auto count = std::min<std::size_t>(values.n_policies, LLEXEC_MAX_LAYERS);
        return std::vector<std::uint64_t>(values.policies, values.policies + count);
    }

    const Maps& maps_;
    llexec_generation generation_;
    std::uint64_t seed_;
    bool last_look_ = false;
    std::vector<UnconfinedProcess> unconfined_;
};

Result<std::vector<UnconfinedProcess>> search(const Maps& maps, std::uint64_t current) {
    if (current == 0)
        return std::vector<UnconfinedProcess>{};
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

Result<std::vector<UnconfinedProcess>> find_unconfined_processes() {
    const auto loaded = is_loaded();
    if (!loaded)
        return std::unexpected(loaded.error());
    if (!*loaded)
        return std::vector<UnconfinedProcess>{};
    const auto maps = Maps::open_pinned(PinAccess::read);
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
