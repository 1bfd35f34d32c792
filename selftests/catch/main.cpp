// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Version 2 of Catch2 makes its main() here; version 3 brings it as a library.
#define CATCH_CONFIG_MAIN
#include "catch.hpp"
