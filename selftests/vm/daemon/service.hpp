// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What the tests of llexecd at work have in common.
#pragma once

#include "kernel_objects.hpp"
#include "llexecd.hpp"

#include <string>

namespace llexec::vmtest {

class Service {
  public:
    Service() : world(ext4()) {}

    [[nodiscard]] bool confined() const { return world.confined(run(world.look(world.program))); }
    [[nodiscard]] bool unconfined() const {
        return world.unconfined(run(world.look(world.program)));
    }
    [[nodiscard]] static std::uint64_t generation() {
        return status()["generation"].get<std::uint64_t>();
    }

    Place place;
    World world;
};

inline const fs::path off = "/etc/llexec/off";

/// The file that switches llexec off, there and gone.
class OffFile {
  public:
    OffFile() { fs::create_directories(off.parent_path()); }
    OffFile(const OffFile&) = delete;
    OffFile& operator=(const OffFile&) = delete;
    ~OffFile() { set(false); }
    static void set(bool there) {
        if (there)
            write_file(off, "");
        else
            fs::remove(off);
    }
};

/// All that is in a file; empty if there is none.
std::string text_of(const fs::path& file);

} // namespace llexec::vmtest
