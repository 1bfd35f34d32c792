// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Ownership of one file descriptor.
#pragma once

#include <utility>

namespace llexec {

/// Owns at most one file descriptor and closes it. Move-only; no implicit conversion from or to
/// int.
class UniqueFd {
  public:
    UniqueFd() = default;
    /// Takes ownership of `fd`; any negative value means "none".
    explicit UniqueFd(int fd) : fd_(fd < 0 ? -1 : fd) {}
    UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    UniqueFd& operator=(UniqueFd&& other) noexcept {
        if (this != &other)
            reset(std::exchange(other.fd_, -1));
        return *this;
    }
    UniqueFd(const UniqueFd&) = delete;
    UniqueFd& operator=(const UniqueFd&) = delete;
    ~UniqueFd() { reset(); }

    /// The descriptor, still owned; -1 if there is none.
    [[nodiscard]] int get() const { return fd_; }
    [[nodiscard]] bool valid() const { return fd_ >= 0; }
    /// Gives up ownership.
    [[nodiscard]] int release() { return std::exchange(fd_, -1); }
    /// Closes what is owned and owns `fd` instead. errno is left as it was.
    void reset(int fd = -1) noexcept;

  private:
    int fd_ = -1;
};

/// Lets this process have as many descriptors open as the kernel allows (fs.nr_open), or without
/// CAP_SYS_RESOURCE as its hard limit does: load() has one open for each policy. For main();
/// nothing here calls it. What cannot be raised stays as it is.
void raise_descriptor_limit();

} // namespace llexec
