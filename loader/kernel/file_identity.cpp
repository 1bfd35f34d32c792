// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "kernel/file_identity.hpp"

#include "kernel/path_hash.hpp"
#include "llexec/fd.hpp"

#include <bpf/bpf.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <unistd.h>

namespace llexec::kernel {
namespace {

constexpr int max_retries = 100;

template<class Record>
Result<std::vector<Record>> read_records(int fd) {
    std::vector<Record> records;
    int retries = 0;
    // The kernel never splits a record between two reads of a buffer that holds whole ones.
    std::vector<Record> buffer(64);
    for (;;) {
        const ssize_t size = ::read(fd, buffer.data(), buffer.size() * sizeof(Record));
        if (size == 0)
            return records;
        if (size < 0) {
            // EAGAIN: memory is short. Fail closed: half a list is none.
            if (errno == EINTR || (errno == EAGAIN && ++retries <= max_retries))
                continue;
            return system_error(errno, "cannot read a BPF iterator");
        }
        const auto count = static_cast<std::size_t>(size) / sizeof(Record);
        if (count * sizeof(Record) != static_cast<std::size_t>(size))
            return failure(ErrorKind::system, "the BPF iterator returned half a record");
        records.insert(records.end(), buffer.begin(),
                       buffer.begin() + static_cast<std::ptrdiff_t>(count));
    }
}

/// Of these descriptors; also where there is none, since others may have been left behind.
Result<> set_suffixes(const FileIdentifier& by, std::span<const IdentifiedFile> files) {
    for (const IdentifiedFile& file : files) {
        const std::uint64_t hash = file.below.empty() ? 0 : suffix_hash(file.below, by.seed);
        const bool done = file.below.empty()
                              ? bpf_map_delete_elem(by.suffixes, &file.fd) == 0 || errno == ENOENT
                              : bpf_map_update_elem(by.suffixes, &file.fd, &hash, BPF_ANY) == 0;
        if (!done)
            return system_error(errno, "cannot write to the map llexec_suffixes");
    }
    return {};
}

/// Once they are read: the map has no room for those of descriptors that are used no more.
void remove_suffixes(const FileIdentifier& by, std::span<const IdentifiedFile> files) {
    for (const IdentifiedFile& file : files)
        if (!file.below.empty())
            bpf_map_delete_elem(by.suffixes, &file.fd);
}

/// Reads all that a program writes; `pid`: about this process only.
template<class Record>
Result<std::vector<Record>> run(int program, std::uint32_t pid = 0) {
    bpf_iter_link_info info{};
    info.task.pid = pid;
    bpf_link_create_opts options{};
    options.sz = sizeof(options);
    if (pid != 0) {
        options.iter_info = &info;
        options.iter_info_len = sizeof(info);
    }
    const UniqueFd link(bpf_link_create(program, 0, BPF_TRACE_ITER, &options));
    if (!link.valid())
        return system_error(errno, "cannot make a BPF iterator");
    const UniqueFd iterator(bpf_iter_create(link.get()));
    if (!iterator.valid())
        return system_error(errno, "cannot open a BPF iterator");
    return read_records<Record>(iterator.get());
}

} // namespace

Result<std::vector<llexec_open_file>> identify_files(const FileIdentifier& by,
                                                     std::span<const IdentifiedFile> files) {
    if (files.empty())
        return std::vector<llexec_open_file>{};
    const auto set = set_suffixes(by, files);
    const auto records =
        set ? run<llexec_open_file>(by.program, static_cast<std::uint32_t>(::getpid()))
            : Result<std::vector<llexec_open_file>>(std::unexpected(set.error()));
    remove_suffixes(by, files);
    if (!records)
        return std::unexpected(records.error());

    std::map<std::uint32_t, llexec_open_file> by_fd;
    for (const llexec_open_file& record : *records)
        by_fd.emplace(record.fd, record);
    std::vector<llexec_open_file> result;
    result.reserve(files.size());
    for (const IdentifiedFile& file : files) {
        const auto found = by_fd.find(static_cast<std::uint32_t>(file.fd));
        // Fail closed: a file without an identity would silently never match.
        if (found == by_fd.end())
            return failure(ErrorKind::system, "the BPF iterator left out an open file");
        result.push_back(found->second);
    }
    return result;
}

Result<std::vector<llexec_process>> list_processes(int program) {
    auto processes = run<llexec_process>(program);
    if (processes)
        std::ranges::sort(*processes, {},
                          [](const llexec_process& process) { return process.head.pid; });
    return processes;
}

} // namespace llexec::kernel
