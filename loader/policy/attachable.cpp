// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/policy_file.hpp"

namespace llexec {

std::vector<Diagnostic> check_attachable(const Policy& policy) {
    if (!policy.match.empty())
        return {};
    return {
        Diagnostic{.severity = Severity::error,
                   .file = policy.file,
                   .position = {},
                   .message = "the policy has no [[match]] block, so it would never be attached",
                   .advice = "add one, such as [[match]] with exe = [\"/usr/sbin/nginx\"]"}};
}

} // namespace llexec
