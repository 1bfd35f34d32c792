// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#pragma once

namespace tsync {

/// How long TSYNC and the broadcast take. False if one of them left a thread out.
bool compare_durations(int rounds);

/// What they leave behind when memory runs out on the way. False if TSYNC restricted some threads
/// and not others, or if nothing failed.
bool compare_failures();

} // namespace tsync
