# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Debian packages, with "cmake --build --preset release --target packages" or cpack: llexec (programs, service,
# documentation) and llexec-dev (headers, static library). The service's files are installed by "cmake --install", too.

set(LLEXEC_PACKAGE_RELEASE 1 CACHE STRING "revision of the packages of this version")
set(LLEXEC_MAINTAINER "the llexec authors <llexec@localhost>" CACHE STRING "who the packages say maintains them")

# systemd 253 waits for the end of a reload. One that does not know the type would take the service for another.
if(NOT DEFINED LLEXEC_SYSTEMD_VERSION)
  execute_process(COMMAND systemctl --version OUTPUT_VARIABLE systemctl_output ERROR_QUIET RESULT_VARIABLE systemctl_result)
  if(systemctl_result EQUAL 0 AND systemctl_output MATCHES "^systemd ([0-9]+)")
    set(LLEXEC_SYSTEMD_VERSION "${CMAKE_MATCH_1}" CACHE STRING "version of systemd that the service is for")
  else()
    set(LLEXEC_SYSTEMD_VERSION 252 CACHE STRING "version of systemd that the service is for")
  endif()
endif()
if(LLEXEC_SYSTEMD_VERSION GREATER_EQUAL 253)
  set(LLEXEC_SERVICE_TYPE "notify-reload")
  set(LLEXEC_EXEC_RELOAD "# (a reload is a SIGHUP, and ends when llexecd says so)")
else()
  set(LLEXEC_SERVICE_TYPE "notify")
  set(LLEXEC_EXEC_RELOAD "ExecReload=/bin/kill -HUP $MAINPID")
endif()
configure_file("${PROJECT_SOURCE_DIR}/packaging/llexecd.service.in" "${PROJECT_BINARY_DIR}/packaging/llexecd.service" @ONLY)

install(FILES "${PROJECT_BINARY_DIR}/packaging/llexecd.service"
        DESTINATION "${CMAKE_INSTALL_PREFIX}/lib/systemd/system" COMPONENT service)
install(FILES packaging/llexec.tmpfiles DESTINATION "${CMAKE_INSTALL_PREFIX}/lib/tmpfiles.d" RENAME llexec.conf
        COMPONENT service)
# Only where there is none: an administrator's settings stay. dpkg has its own way to that.
install(CODE "
  if(NOT EXISTS \"\$ENV{DESTDIR}/etc/llexec/llexecd.toml\")
    file(INSTALL \"${PROJECT_SOURCE_DIR}/packaging/llexecd.toml\" DESTINATION \"/etc/llexec\")
  endif()" COMPONENT service)
install(DIRECTORY DESTINATION "/etc/llexec/policies.d" COMPONENT service)

# What only packages have.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "${LLEXEC_MAINTAINER}")
string(TIMESTAMP LLEXEC_PACKAGE_DATE "%a, %d %b %Y %H:%M:%S +0000" UTC)
configure_file(packaging/changelog.in "${PROJECT_BINARY_DIR}/packaging/changelog.Debian" @ONLY)
foreach(package IN ITEMS llexec llexec-dev)
  set(component runtime)
  if(package STREQUAL llexec-dev)
    set(component development)
  endif()
  set(directory "${CMAKE_INSTALL_DATADIR}/doc/${package}")
  install(FILES packaging/copyright DESTINATION "${directory}" COMPONENT ${component})
  install(FILES "${PROJECT_BINARY_DIR}/packaging/changelog.Debian" DESTINATION "${directory}" COMPONENT ${component})
  install(FILES CHANGELOG.md DESTINATION "${directory}" RENAME changelog COMPONENT ${component})
endforeach()

install(FILES packaging/lintian-overrides DESTINATION "${CMAKE_INSTALL_DATADIR}/lintian/overrides" RENAME llexec
        COMPONENT runtime)

set(CPACK_PACKAGE_NAME llexec)
set(CPACK_PACKAGE_VENDOR "the llexec authors")
set(CPACK_PACKAGE_VERSION "${PROJECT_VERSION}")
set(CPACK_PACKAGE_DIRECTORY "${PROJECT_BINARY_DIR}/packages")
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX "${CMAKE_INSTALL_PREFIX}")
set(CPACK_STRIP_FILES ON)
set(CPACK_PRE_BUILD_SCRIPTS "${PROJECT_SOURCE_DIR}/cmake/PackageFiles.cmake")
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_THREADS 0)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE "${LLEXEC_PACKAGE_RELEASE}")
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)

set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME llexec)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_RUNTIME_DESCRIPTION
"llexec confines programs from the outside: a policy file says which executions
it is for and what those programs may touch, and from then on such a program
runs inside its Landlock domain from its first instruction, whoever starts it.

This package has the service that does so from early at boot, llexecd, and the
command llexec. They need a kernel with Landlock, BPF LSM, and the BPF
interface for Landlock rulesets, which 'llexec probe' looks for; 'llexec run'
does without the last.")
if(LLEXEC_SERVICE_TYPE STREQUAL "notify-reload")
  set(CPACK_DEBIAN_RUNTIME_PACKAGE_BREAKS "systemd (<< 253)")
endif()
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_EXTRA
    "${PROJECT_SOURCE_DIR}/packaging/postinst;${PROJECT_SOURCE_DIR}/packaging/prerm;${PROJECT_SOURCE_DIR}/packaging/postrm;${PROJECT_SOURCE_DIR}/packaging/conffiles")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME llexec-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "libbpf-dev, libelf-dev, libfmt-dev, zlib1g-dev")
set(CPACK_DEBIAN_DEVELOPMENT_DESCRIPTION
"Headers and the static library behind llexec and llexecd: policies, what they
mean on a machine, enforcing them on oneself, and attaching them to programs
at exec.")

include(CPack)
cpack_add_component_group(runtime)
cpack_add_component_group(development)
# What says nothing of a component is a program's.
foreach(component IN ITEMS runtime Unspecified service documentation completions)
  cpack_add_component(${component} GROUP runtime)
endforeach()
cpack_add_component(development GROUP development)

# What the packages have, and not the tests, which the target "package" builds as well.
add_custom_target(packages COMMAND "${CMAKE_CPACK_COMMAND}" WORKING_DIRECTORY "${PROJECT_BINARY_DIR}" VERBATIM)
add_dependencies(packages llexec llexec-cli llexecd llexec-self-test)
