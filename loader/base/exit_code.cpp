// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/exit_code.hpp"

namespace llexec {

ExitCode exit_code(ErrorKind kind) {
    switch (kind) {
    case ErrorKind::system:
        return ExitCode::runtime_error;
    case ErrorKind::unsupported:
        return ExitCode::unsupported_kernel;
    case ErrorKind::policy:
        return ExitCode::policy_invalid;
    }
    return ExitCode::runtime_error;
}

} // namespace llexec
