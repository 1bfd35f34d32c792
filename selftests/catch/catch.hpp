// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Catch2, version 2 (Debian 12) or 3.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp> // IWYU pragma: export
#else
#include <catch2/catch.hpp> // IWYU pragma: export
#endif
