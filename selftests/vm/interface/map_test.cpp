// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The map type, from user space: creation, update, lookup, walk.
#include "catch.hpp"
#include "support.hpp"
#include "trace.hpp"

#include <array>
#include <cerrno>
#include <climits>
#include <fcntl.h>
#include <fstream>
#include <linux/capability.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

using namespace interface;

constexpr std::uint32_t rdonly = 1U << 3;      // BPF_F_RDONLY
constexpr std::uint32_t wronly = 1U << 4;      // BPF_F_WRONLY
constexpr std::uint32_t rdonly_prog = 1U << 7; // BPF_F_RDONLY_PROG
constexpr std::uint32_t wronly_prog = 1U << 8; // BPF_F_WRONLY_PROG

constexpr int enotsupp = 524; // not in user space's errno.h

/// Closes what came, if it is a descriptor.
int outcome(int result) {
    const UniqueFd fd(result);
    return fd.valid() ? 0 : result;
}

/// A sysctl, put back at the end.
class Sysctl {
  public:
    Sysctl(std::string path, const std::string& value) : path_(std::move(path)) {
        std::getline(std::ifstream(path_), old_);
        std::ofstream(path_) << value;
    }
    Sysctl(const Sysctl&) = delete;
    Sysctl& operator=(const Sysctl&) = delete;
    ~Sysctl() { std::ofstream(path_) << old_; }

  private:
    std::string path_;
    std::string old_;
};

int drop_capabilities() {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    const std::array<__user_cap_data_struct, 2> none{};
    return ::syscall(SYS_capset, &header, none.data()) == 0 ? 0 : -errno;
}

TEST_CASE("map: values of 4 and of 8 bytes") {
    CHECK(outcome(try_map({.value_size = 4})) == 0);
    CHECK(outcome(try_map({.value_size = 8})) == 0);
}

// Run by lsm_missing.sh, where Landlock is not active.
TEST_CASE("map: without Landlock, creating one is EOPNOTSUPP", "[.][no-landlock]") {
    CHECK(outcome(try_map({.value_size = 4})) == -EOPNOTSUPP);
    CHECK(outcome(try_map({.value_size = 8})) == -EOPNOTSUPP);
}

TEST_CASE("map: no other size of value") {
    for (const std::uint32_t size : {0U, 1U, 2U, 3U, 5U, 16U})
        CHECK(outcome(try_map({.value_size = size})) == -EINVAL);
}

TEST_CASE("map: no other size of key") {
    for (const std::uint32_t size : {0U, 2U, 8U})
        CHECK(outcome(try_map({.key_size = size})) == -EINVAL);
}

TEST_CASE("map: not without slots") {
    CHECK(outcome(try_map({.entries = 0})) == -EINVAL);
}

// The walk looks for the next ruleset in an RCU read-side critical section.
TEST_CASE("map: a million slots and no more") {
    constexpr std::uint32_t most = 1U << 20;

    CHECK(outcome(try_map({.entries = most})) == 0);
    CHECK(outcome(try_map({.entries = most + 1})) == -E2BIG);
    CHECK(outcome(try_map({.entries = UINT_MAX})) == -E2BIG);
}

TEST_CASE("map: access flags, and no others") {
    for (const std::uint32_t flags : {rdonly, wronly, rdonly_prog})
        CHECK(outcome(try_map({.flags = flags})) == 0);
    CHECK(outcome(try_map({.flags = rdonly | wronly})) == -EINVAL);
    // BPF_F_WRONLY_PROG: what programs may only write to is of no use to them
    for (const std::uint32_t flags : {wronly_prog, rdonly_prog | wronly_prog})
        CHECK(outcome(try_map({.flags = flags})) == -EINVAL);
    // BPF_F_NO_PREALLOC, BPF_F_MMAPABLE, BPF_F_INNER_MAP, and one that does not exist
    for (const std::uint32_t flags : {1U << 0, 1U << 10, 1U << 12, 1U << 31})
        CHECK(outcome(try_map({.flags = flags})) == -EINVAL);
}

TEST_CASE("map: creating one takes CAP_BPF") {
    const bpf_map_type type = ruleset_map_type();
    // So that the system does not refuse every map.
    const Sysctl unprivileged("/proc/sys/kernel/unprivileged_bpf_disabled", "0");
    const Outcome child = in_child([type](const Report& report) {
        report(drop_capabilities());
        report(outcome(bpf_map_create(BPF_MAP_TYPE_ARRAY, "other", 4, 8, 4, nullptr)));
        report(outcome(bpf_map_create(type, "interface", 4, 8, 4, nullptr)));
        report(outcome(bpf_map_create(type, "interface", 4, 4, 4, nullptr)));
    });
    CHECK(child.results == std::vector<int>{0, 0, -EPERM, -EPERM});
}

TEST_CASE("map: a slot takes a ruleset, again and again") {
    for (const std::uint32_t size : {4U, 8U}) {
        const UniqueFd map = make_map({.value_size = size});
        const UniqueFd ruleset = make_ruleset();
        CHECK(update(map, 0, ruleset) == 0);
        CHECK(update(map, 0, ruleset) == 0);
        CHECK(update(map, 3, ruleset) == 0);
    }
}

TEST_CASE("map: a descriptor of something else is EBADFD") {
    const UniqueFd map = make_map();
    const UniqueFd file(::memfd_create("interface", MFD_CLOEXEC));
    CHECK(update(map, 0, file) == -EBADFD);
    CHECK(update(map, 0, map) == -EBADFD);
}

TEST_CASE("map: a closed descriptor is EBADF") {
    const UniqueFd map = make_map();
    UniqueFd ruleset = make_ruleset();
    const int number = ruleset.get();
    ruleset.reset();
    CHECK(update(map, 0, static_cast<std::uint64_t>(number)) == -EBADF);
}

TEST_CASE("map: what cannot be a descriptor is EBADF") {
    const UniqueFd wide = make_map({.value_size = 8});
    const UniqueFd narrow = make_map({.value_size = 4});
    const UniqueFd ruleset = make_ruleset();
    const auto number = static_cast<std::uint64_t>(ruleset.get());
    for (const std::uint64_t value :
         {std::uint64_t{INT_MAX} + 1, std::uint64_t{UINT_MAX}, ~std::uint64_t{0}}) {
        CHECK(update(wide, 0, value) == -EBADF);
        CHECK(update(narrow, 0, value) == -EBADF);
    }
    // The upper half is not ignored.
    CHECK(update(wide, 0, number | (std::uint64_t{1} << 32)) == -EBADF);
    CHECK(update(wide, 0, number | (std::uint64_t{1} << 63)) == -EBADF);
}

// EPERM for a ruleset descriptor without read access cannot be seen: user space cannot make one.
TEST_CASE("map: a ruleset descriptor cannot lose its read access") {
    const UniqueFd map = make_map();
    const UniqueFd ruleset = make_ruleset();
    const std::string path = "/proc/self/fd/" + std::to_string(ruleset.get());
    CHECK(UniqueFd(::open(path.c_str(), O_WRONLY | O_CLOEXEC)).get() == -1);
    CHECK(errno == ENXIO);
    const UniqueFd only_path(::open(path.c_str(), O_PATH | O_CLOEXEC));
    REQUIRE(only_path.valid());
    CHECK(update(map, 0, only_path) == -EBADF);
}

TEST_CASE("map: an index that is out of range is E2BIG") {
    const UniqueFd map = make_map({.entries = 4});
    const UniqueFd ruleset = make_ruleset();
    for (const std::uint32_t index : {4U, 5U, UINT_MAX}) {
        CHECK(update(map, index, ruleset) == -E2BIG);
        CHECK(erase(map, index) == -E2BIG);
    }
}

TEST_CASE("map: BPF_ANY is the only update") {
    const UniqueFd map = make_map();
    const UniqueFd ruleset = make_ruleset();
    const auto number = static_cast<std::uint64_t>(ruleset.get());
    for (const std::uint64_t flags : {std::uint64_t{BPF_NOEXIST}, std::uint64_t{BPF_EXIST},
                                      std::uint64_t{BPF_F_LOCK}, std::uint64_t{1} << 40})
        CHECK(update(map, 0, number, flags) == -EINVAL);
    std::uint64_t id = 0;
    CHECK(lookup(map, 0, id) == -ENOENT);
}

TEST_CASE("map: a failed update leaves the slot as it was") {
    const UniqueFd map = make_map();
    REQUIRE(update(map, 0, make_ruleset()) == 0);
    std::uint64_t before = 0;
    std::uint64_t after = 0;
    REQUIRE(lookup(map, 0, before) == 0);
    CHECK(update(map, 0, map) == -EBADFD);
    CHECK(lookup(map, 0, after) == 0);
    CHECK(before == after);
}

TEST_CASE("map: deleting empties the slot, once") {
    const UniqueFd map = make_map();
    CHECK(erase(map, 0) == -ENOENT);
    REQUIRE(update(map, 0, make_ruleset()) == 0);
    CHECK(erase(map, 0) == 0);
    CHECK(erase(map, 0) == -ENOENT);
    std::uint64_t id = 0;
    CHECK(lookup(map, 0, id) == -ENOENT);
}

TEST_CASE("map: with 8 bytes, a lookup returns the ID that trace events show") {
    const Trace trace;
    const UniqueFd map = make_map({.value_size = 8});
    const UniqueFd first = make_ruleset();
    const std::uint64_t first_id = trace.last_ruleset();
    const UniqueFd second = make_ruleset();
    const std::uint64_t second_id = trace.last_ruleset();
    CHECK(first_id != second_id);
    REQUIRE(update(map, 0, first) == 0);
    REQUIRE(update(map, 1, second) == 0);

    std::uint64_t id = 0;
    CHECK(lookup(map, 0, id) == 0);
    CHECK(id == first_id);
    CHECK(lookup(map, 1, id) == 0);
    CHECK(id == second_id);
    CHECK(lookup(map, 2, id) == -ENOENT);
    CHECK(lookup(map, 4, id) == -ENOENT);
    CHECK(lookup(map, UINT_MAX, id) == -ENOENT);
}

TEST_CASE("map: with 4 bytes, there is no lookup") {
    const UniqueFd map = make_map({.value_size = 4});
    REQUIRE(update(map, 0, make_ruleset()) == 0);
    std::uint64_t id = 0;
    for (const std::uint32_t index : {0U, 1U, 4U})
        CHECK(lookup(map, index, id) == -EOPNOTSUPP);
}

TEST_CASE("map: the walk goes through the slots that are filled") {
    const UniqueFd map = make_map({.entries = 4});
    const UniqueFd ruleset = make_ruleset();
    const auto next = [&map](const std::uint32_t* key) {
        std::uint32_t found = 99;
        const int result = bpf_map_get_next_key(map.get(), key, &found);
        return result == 0 ? static_cast<int>(found) : result;
    };
    const auto after = [&next](std::uint32_t key) {
        return next(&key);
    };
    CHECK(next(nullptr) == -ENOENT);
    CHECK(after(0) == -ENOENT);
    REQUIRE(update(map, 1, ruleset) == 0);
    REQUIRE(update(map, 3, ruleset) == 0);
    CHECK(next(nullptr) == 1);
    CHECK(after(0) == 1);
    CHECK(after(1) == 3);
    CHECK(after(2) == 3);
    CHECK(after(3) == -ENOENT);
    // A key that is out of range starts anew, as for arrays.
    CHECK(after(4) == 1);
    CHECK(after(UINT_MAX) == 1);
}

TEST_CASE("map: a frozen one is read-only for user space") {
    const UniqueFd map = make_map();
    const UniqueFd ruleset = make_ruleset();
    REQUIRE(update(map, 0, ruleset) == 0);
    REQUIRE(bpf_map_freeze(map.get()) == 0);
    CHECK(update(map, 0, ruleset) == -EPERM);
    CHECK(erase(map, 0) == -EPERM);
    std::uint64_t id = 0;
    CHECK(lookup(map, 0, id) == 0);
    CHECK(id != 0);
}

TEST_CASE("map: the access of its descriptor counts") {
    const UniqueFd ruleset = make_ruleset();
    std::uint64_t id = 0;
    const UniqueFd readable = make_map({.flags = rdonly});
    CHECK(update(readable, 0, ruleset) == -EPERM);
    CHECK(erase(readable, 0) == -EPERM);
    CHECK(lookup(readable, 0, id) == -ENOENT);
    const UniqueFd writable = make_map({.flags = wronly});
    CHECK(update(writable, 0, ruleset) == 0);
    CHECK(lookup(writable, 0, id) == -EPERM);
    CHECK(erase(writable, 0) == 0);
}

TEST_CASE("map: no batches, and no lookup that deletes") {
    const UniqueFd map = make_map();
    REQUIRE(update(map, 0, make_ruleset()) == 0);
    std::array<std::uint32_t, 4> keys{0, 1, 2, 3};
    std::array<std::uint64_t, 4> values{};
    std::uint32_t position = 0;
    std::uint32_t count = 4;
    CHECK(bpf_map_lookup_batch(map.get(), nullptr, &position, keys.data(), values.data(), &count,
                               nullptr) == -enotsupp);
    count = 4;
    CHECK(bpf_map_update_batch(map.get(), keys.data(), values.data(), &count, nullptr) ==
          -enotsupp);
    count = 4;
    CHECK(bpf_map_delete_batch(map.get(), keys.data(), &count, nullptr) == -enotsupp);
    count = 4;
    CHECK(bpf_map_lookup_and_delete_batch(map.get(), nullptr, &position, keys.data(), values.data(),
                                          &count, nullptr) == -enotsupp);
    CHECK(bpf_map_lookup_and_delete_elem(map.get(), keys.data(), values.data()) < 0);
    CHECK(lookup(map, 0, values[0]) == 0);
}

TEST_CASE("map: it cannot be mapped into memory") {
    const UniqueFd map = make_map();
    CHECK(::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, map.get(), 0) == MAP_FAILED);
}

// The verifier checks the outer map of a program, not what is in it.
TEST_CASE("map: it cannot be in another map, where any type of program would reach it") {
    const UniqueFd inner = make_map();
    const UniqueFd ordinary(
        bpf_map_create(BPF_MAP_TYPE_ARRAY, "ordinary", 4, 8, 1, nullptr)); // what does work
    REQUIRE(ordinary.valid());
    for (const bpf_map_type type : {BPF_MAP_TYPE_ARRAY_OF_MAPS, BPF_MAP_TYPE_HASH_OF_MAPS}) {
        bpf_map_create_opts options{};
        options.sz = sizeof(options);
        options.inner_map_fd = static_cast<std::uint32_t>(ordinary.get());
        const UniqueFd outer(bpf_map_create(type, "outer", 4, 4, 1, &options));
        CHECK(outer.valid());
        const std::uint32_t key = 0;
        const int fd = inner.get();
        CHECK(bpf_map_update_elem(outer.get(), &key, &fd, BPF_ANY) == -EINVAL);
        options.inner_map_fd = static_cast<std::uint32_t>(inner.get());
        CHECK(outcome(bpf_map_create(type, "outer", 4, 4, 1, &options)) == -enotsupp);
    }
}

} // namespace
