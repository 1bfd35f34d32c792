// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The form of a policy in JSON, for other programs and for editors.
#pragma once

#include <string>

namespace llexec {

/// A JSON schema (draft 7) that ends with a newline. It accepts what parse_policy() accepts in
/// JSON, but for what a schema cannot say: a group without an ABI version, variables that are not
/// declared, users that do not exist, keys that are there twice, a policy that handles nothing, and
/// numbers such as 443.0.
[[nodiscard]] std::string policy_schema();

} // namespace llexec
