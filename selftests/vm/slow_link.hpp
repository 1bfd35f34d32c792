// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Stopping an execution between two of its hooks.
#pragma once

#include "policies.hpp"

#include <cstdint>
#include <functional>
#include <sys/types.h>
#include <thread>

namespace llexec::vmtest {

/// A symbolic link that whoever follows it waits for: on a FUSE file system of its own. As the
/// interpreter of a script, it is followed after bprm_creds_for_exec.
class SlowLink {
  public:
    /// Mounts it on a directory.
    SlowLink(const fs::path& directory, const fs::path& target);
    SlowLink(const SlowLink&) = delete;
    SlowLink& operator=(const SlowLink&) = delete;
    ~SlowLink();

    [[nodiscard]] fs::path path() const { return directory_ / "link"; }
    /// Waits until somebody looks it up. Whether anybody did.
    [[nodiscard]] bool is_looked_up();
    /// Lets them follow it. Whether they do.
    [[nodiscard]] bool answer();
    /// From now on, tells whoever looks it up that there is this error.
    void refuse_all(int error);
    /// From now on, says that it is a file of this user's, and whoever looks at that gets this
    /// error every second time.
    void refuse_second_looks(int error, uid_t owner);

  private:
    /// The opcode of the next request, 0 if there is none in that time.
    [[nodiscard]] std::uint32_t next_request(int timeout_ms);
    [[nodiscard]] bool next_is(std::uint32_t opcode);
    /// Whether there was still somebody to answer, as for send.
    bool reply(const void* data, std::size_t size) const { return send(0, data, size); }
    bool send(int error, const void* data, std::size_t size) const;
    /// Answers each request, in a thread of its own, until the end.
    void serve(std::function<bool(std::uint32_t opcode)> answer);

    fs::path directory_;
    std::string target_;
    int fuse_ = -1;
    std::uint64_t request_ = 0;
    std::uint64_t node_ = 0; ///< that it is about
    std::jthread server_;
};

} // namespace llexec::vmtest
