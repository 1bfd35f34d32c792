// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "kernel/file_identity.hpp"

#include "file_identity.skel.h"
#include "kernel/libbpf_log.hpp"
#include "kernel/path_hash.hpp"
#include "llexec/fd.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <string_view>
#include <unistd.h>

namespace llexec::kernel {
namespace {

struct Destroy {
    void operator()(file_identity_bpf* skeleton) const { file_identity_bpf::destroy(skeleton); }
    void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};

template<class Record>
Result<std::vector<Record>> read_records(int fd) {
    std::vector<Record> records;
    // The kernel never splits a record between two reads of a buffer that holds whole ones.
    std::vector<Record> buffer(64);
    for (;;) {
        const ssize_t size = ::read(fd, buffer.data(), buffer.size() * sizeof(Record));
        if (size == 0)
            return records;
        if (size < 0) {
            if (errno == EINTR || errno == EAGAIN)
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

Result<> store_suffixes(const file_identity_bpf& skeleton, std::span<const IdentifiedFile> files,
                        std::uint64_t path_hash_seed) {
    for (const IdentifiedFile& file : files) {
        if (file.below.empty())
            continue;
        const std::uint64_t hash = suffix_hash(file.below, path_hash_seed);
        if (bpf_map_update_elem(bpf_map__fd(skeleton.maps.suffixes), &file.fd, &hash, BPF_ANY) != 0)
            return system_error(errno, "cannot write to the map of the file identity program");
    }
    return {};
}

Result<> forget_suffixes(const file_identity_bpf& skeleton, std::span<const IdentifiedFile> files) {
    for (const IdentifiedFile& file : files)
        if (!file.below.empty() &&
            bpf_map_delete_elem(bpf_map__fd(skeleton.maps.suffixes), &file.fd) != 0)
            return system_error(errno, "cannot write to the map of the file identity program");
    return {};
}

using Skeleton = std::unique_ptr<file_identity_bpf, Destroy>;

/// One of the programs: to adapt and check the other one as well would take longer than all else.
Result<Skeleton> load_program(std::string_view name, std::uint64_t path_hash_seed) {
    const LibbpfLog log;
    Skeleton skeleton(file_identity_bpf::open());
    if (!skeleton)
        return logged_error(errno, "cannot open the file identity program", log.text());
    skeleton->rodata->path_hash_seed = path_hash_seed;
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, skeleton->obj)
        bpf_program__set_autoload(program, bpf_program__name(program) == name);
    if (const int error = file_identity_bpf::load(skeleton.get()); error != 0)
        return logged_error(-error, "cannot load the file identity program", log.text());
    return skeleton;
}

/// Reads all that a program writes; `pid`: about this process only.
template<class Record>
Result<std::vector<Record>> run(const bpf_program* program, std::uint32_t pid = 0) {
    const LibbpfLog log;
    bpf_iter_link_info info{};
    info.task.pid = pid;
    bpf_iter_attach_opts options{};
    options.sz = sizeof(options);
    options.link_info = &info;
    options.link_info_len = sizeof(info);
    const std::unique_ptr<bpf_link, Destroy> link(
        bpf_program__attach_iter(program, pid != 0 ? &options : nullptr));
    if (!link)
        return logged_error(errno, "cannot make a BPF iterator", log.text());
    const UniqueFd iterator(bpf_iter_create(bpf_link__fd(link.get())));
    if (!iterator.valid())
        return system_error(errno, "cannot open a BPF iterator");
    return read_records<Record>(iterator.get());
}

} // namespace

struct FileIdentifier::Impl {
    std::uint64_t seed;
    Skeleton skeleton{};
};

FileIdentifier::FileIdentifier(std::uint64_t path_hash_seed)
    : impl_(std::make_unique<Impl>(path_hash_seed)) {}
FileIdentifier::FileIdentifier(FileIdentifier&&) noexcept = default;
FileIdentifier& FileIdentifier::operator=(FileIdentifier&&) noexcept = default;
FileIdentifier::~FileIdentifier() = default;

Result<std::vector<llexec_open_file>>
FileIdentifier::identify(std::span<const IdentifiedFile> files) {
    if (files.empty())
        return std::vector<llexec_open_file>{};
    if (!impl_->skeleton) {
        auto loaded = load_program("list_open_files", impl_->seed);
        if (!loaded)
            return std::unexpected(loaded.error());
        impl_->skeleton = std::move(*loaded);
    }
    const file_identity_bpf& skeleton = *impl_->skeleton;
    if (auto stored = store_suffixes(skeleton, files, impl_->seed); !stored)
        return std::unexpected(std::move(stored.error()));
    const auto records = run<llexec_open_file>(skeleton.progs.list_open_files,
                                               static_cast<std::uint32_t>(::getpid()));
    // The same descriptors are other files the next time.
    if (auto forgotten = forget_suffixes(skeleton, files); !forgotten)
        return std::unexpected(std::move(forgotten.error()));
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

Result<std::vector<llexec_process>> list_processes(std::uint64_t path_hash_seed) {
    const auto skeleton = load_program("list_processes", path_hash_seed);
    if (!skeleton)
        return std::unexpected(skeleton.error());
    auto processes = run<llexec_process>((*skeleton)->progs.list_processes);
    if (processes)
        std::ranges::sort(*processes, {}, &llexec_process::pid);
    return processes;
}

} // namespace llexec::kernel
