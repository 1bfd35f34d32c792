// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "service.hpp"

#include <fstream>
#include <iterator>

namespace llexec::vmtest {

std::string text_of(const fs::path& file) {
    std::ifstream stream(file);
    return {std::istreambuf_iterator<char>(stream), {}};
}

} // namespace llexec::vmtest
