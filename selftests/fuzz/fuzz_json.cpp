// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Any bytes are a document or have one syntax error with a place in the text.
#include "check.hpp"
#include "policy/document.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    std::vector<llexec::Diagnostic> diagnostics;
    const auto root = llexec::parse_json(text, "fuzz.json", diagnostics);
    llexec::fuzz::check(root.has_value() == diagnostics.empty());
    llexec::fuzz::check_places(diagnostics, text);
    return 0;
}
