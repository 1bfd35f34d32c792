// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The form of a policy in JSON, for other programs and for editors.
#pragma once

#include <string>

namespace llexec {

/// A JSON schema (draft 7) that ends with a newline. It accepts what parse_policy() accepts in
/// JSON, but for what a schema cannot say: a group without an ABI version, variables that are not
/// declared or stand for too many paths, users and groups that do not exist, included files that
/// cannot be read or include themselves, keys that are there twice, too deep nesting, a policy that
/// handles nothing, quiet rights that are not handled, quiet rules without quiet rights, numbers
/// such as 443.0 or out of range, and cgroups that cannot be or are written as paths of the file
/// system.
[[nodiscard]] std::string policy_schema();

} // namespace llexec
