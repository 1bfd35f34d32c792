# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# llexec_flags: what our own C++ is compiled with. Linked PRIVATE, so users of the library get none of it.

option(LLEXEC_WERROR "Treat compiler warnings as errors" OFF)
option(LLEXEC_SANITIZE "Build with AddressSanitizer and UndefinedBehaviorSanitizer" OFF)
set(LLEXEC_CLANG_TIDY "" CACHE STRING "clang-tidy to run beside each compilation; empty: none")

add_library(llexec_flags INTERFACE)
target_compile_options(llexec_flags INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wpedantic;-Wshadow;-Wconversion;-Wsign-conversion>
  $<$<COMPILE_LANGUAGE:CXX>:-Wold-style-cast;-Wcast-align;-Wcast-qual;-Wnon-virtual-dtor>
  $<$<COMPILE_LANGUAGE:CXX>:-Woverloaded-virtual;-Wformat=2;-Wimplicit-fallthrough;-Wundef>
  $<$<COMPILE_LANGUAGE:CXX>:-Wextra-semi;-Wvla;-Wmissing-declarations>
  # g++ 12 to 14 find some inside their own library.
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:Clang>>:-Wnull-dereference>
  -fstack-protector-strong)
# With optimisation, g++ 12 finds these in its own std::string, where they are not (GCC bugs 105329, 105651).
target_compile_options(llexec_flags INTERFACE
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict;-Wno-array-bounds;-Wno-stringop-overflow;-Wno-stringop-overread>)
if(LLEXEC_WERROR)
  target_compile_options(llexec_flags INTERFACE -Werror)
endif()
if(LLEXEC_SANITIZE)
  # g++ 12 reports uninitialised members inside its own library when it instruments.
  target_compile_options(llexec_flags INTERFACE
    -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
    $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:GNU>>:-Wno-maybe-uninitialized>)
  target_link_options(llexec_flags INTERFACE -fsanitize=address,undefined)
endif()

if(LLEXEC_CLANG_TIDY)
  find_program(LLEXEC_CLANG_TIDY_EXE NAMES "${LLEXEC_CLANG_TIDY}" REQUIRED)
  set(CMAKE_CXX_CLANG_TIDY "${LLEXEC_CLANG_TIDY_EXE};--quiet")
endif()
