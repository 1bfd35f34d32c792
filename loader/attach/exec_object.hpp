// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The exec programs: loading, attaching and pinning them. This is the one place that knows the
// kernel interface that they use (map type and kfuncs), together with bpf/decide.bpf.h.
#pragma once

#include "attach/maps.hpp"
#include "attach/pins.hpp"
#include "llexec/result.hpp"

#include <cstdint>
#include <memory>
#include <string>

struct exec_bpf;

namespace llexec::attach {

/// Digest of the programs in this executable, as they are adapted to the running kernel: tells
/// whether those that are attached are the same.
[[nodiscard]] std::uint64_t programs_digest();

/// The programs in this executable, loaded into the kernel, but not attached unless someone calls
/// attach_new() or attach_successor().
class ExecObject {
  public:
    /// Loads the programs with new maps, or with those of `reuse`. Error: log has what the
    /// verifier says. Kind unsupported if this kernel has no map type for rulesets.
    [[nodiscard]] static Result<ExecObject> load(std::uint64_t path_hash_seed,
                                                 const Maps* reuse = nullptr);

    /// A descriptor of the program that identifies files, in the same way as these programs do.
    [[nodiscard]] Result<UniqueFd> identifier() const;

    /// Attaches the programs for as long as this object lives.
    [[nodiscard]] Result<> attach();

    /// Attaches, with everything pinned in staging_directory, which an error leaves behind.
    [[nodiscard]] Result<Maps> attach_new(const Lock& lock);

    /// Whether all that loads and lookups need is pinned under the names of attach_new(): what is
    /// to be attached, and the programs that are asked for files and processes.
    [[nodiscard]] static Result<bool> is_whole();

    /// After attach_new(): makes staging_directory pin_directory, at once; what was there before,
    /// if anything, is staging_directory then. An error changes nothing.
    [[nodiscard]] static Result<> install(const Lock& lock);

    /// Attaches beside the programs of another version, whose maps were passed to load(). Both work
    /// on the same maps then: what one has enforced or staged for an execution, the other one
    /// leaves alone. They are to enforce the generation after the current one, whose number the
    /// names of their pins end with. An error leaves nothing of these programs behind.
    [[nodiscard]] Result<> attach_successor(const Lock& lock, const Maps& maps);

    /// After attach_successor(): puts these programs in the place of the others, which are
    /// detached. An error leaves others attached beside these.
    [[nodiscard]] Result<> take_over(const Lock& lock, const Maps& maps);

    /// Takes attach_successor() back. These programs stay attached as long as this object lives.
    void unpin_successor(const Lock& lock, const Maps& maps);

  private:
    struct Destroy {
        void operator()(exec_bpf* skeleton) const;
    };
    explicit ExecObject(std::unique_ptr<exec_bpf, Destroy> skeleton)
        : skeleton_(std::move(skeleton)) {}

    [[nodiscard]] Result<> pin_programs(std::string_view directory, std::string_view suffix);
    [[nodiscard]] Result<Maps> pin_maps(std::string_view directory);

    std::unique_ptr<exec_bpf, Destroy> skeleton_;
    std::uint64_t seed_ = 0;
    std::uint64_t digest_ = 0;   ///< programs_digest() of these
    std::uint64_t replaced_ = 0; ///< digest of the programs that these take the place of
    std::string suffix_;         ///< of the pins of a successor
};

} // namespace llexec::attach
