# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Run by cpack on the files of the packages, to make them as all of Debian's packages are: manual pages and changelogs
# are compressed, and the static library is without debug information.

file(GLOB_RECURSE files "${CPACK_TEMPORARY_DIRECTORY}/*")
foreach(file IN LISTS files)
  if(file MATCHES "/share/(man/man.*/|doc/.*/changelog)[^/]*$")
    execute_process(COMMAND gzip -9nf "${file}" COMMAND_ERROR_IS_FATAL ANY)
  elseif(file MATCHES "/lib[^/]*\\.a$")
    execute_process(COMMAND strip --strip-debug --enable-deterministic-archives "${file}" COMMAND_ERROR_IS_FATAL ANY)
  endif()
endforeach()
