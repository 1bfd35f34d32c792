# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

find_package(PkgConfig REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json 3 REQUIRED)
find_package(CLI11 2 REQUIRED)

# Header-only on purpose: the distribution's shared library is built with exceptions, and its parse() throws.
find_path(TOMLPLUSPLUS_INCLUDE_DIR toml++/toml.h REQUIRED)
add_library(llexec_tomlplusplus INTERFACE)
target_include_directories(llexec_tomlplusplus SYSTEM INTERFACE "${TOMLPLUSPLUS_INCLUDE_DIR}")
target_compile_definitions(llexec_tomlplusplus INTERFACE
  TOML_HEADER_ONLY=1 TOML_EXCEPTIONS=0 TOML_ENABLE_FORMATTERS=0)

pkg_check_modules(LIBBPF REQUIRED IMPORTED_TARGET libbpf>=1.0)
pkg_check_modules(LIBELF REQUIRED IMPORTED_TARGET libelf)
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)

# For bpf/: the compiler with a BPF back end, and the tool that makes skeletons. Neither needs to be the C++ compiler.
find_program(BPF_CLANG NAMES clang clang-19 clang-20 clang-21 clang-18 clang-17 clang-16 clang-15 clang-14
             DOC "clang used for -target bpf")
find_program(BPFTOOL NAMES bpftool PATHS /usr/sbin /usr/local/sbin /sbin
             DOC "bpftool used for gen skeleton")

if(BUILD_TESTING)
  find_package(Catch2 REQUIRED) # 2.13 (Debian 12) or 3
  pkg_check_modules(LIBURING REQUIRED IMPORTED_TARGET liburing)
  find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)
endif()
