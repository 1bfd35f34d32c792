#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What `cmake --install` makes of files that are there already, and what other programs get.

    install_test.py CMAKE BUILD COMPILER FLAG

FLAG: what the library was compiled with, and has to be linked with.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

PROGRAM = """
#include <llexec/access.hpp>
#include <llexec/policy_file.hpp>
#include <llexec/probe.hpp>
#include <llexec/user_database.hpp>

#include <cstdio>

int main(int argc, char** argv) {
    llexec::SystemUserDatabase users;
    const auto parsed = llexec::parse_policy("[[ruleset]]\\nscoped = [\\"signal\\"]\\n", "test.toml", users);
    if (argc > 1) // links what attaching needs
        return llexec::probe_kernel().can_attach() ? 0 : 1;
    std::puts(parsed.policy ? parsed.policy->name.c_str() : argv[0]);
}
"""


class Install(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="llexec-install-")
        self.addCleanup(directory.cleanup)
        self.root = pathlib.Path(directory.name)

    def install(self, component):
        subprocess.run([CMAKE, "--install", BUILD, "--component", component], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "DESTDIR": str(self.root)})

    def test_settings_stay(self):
        settings = self.root / "etc/llexec/llexecd.toml"
        self.install("service")
        self.assertIn("enforce_at", settings.read_text(encoding="utf-8"))
        settings.write_text("# mine\n", encoding="utf-8")
        self.install("service")
        self.assertEqual(settings.read_text(encoding="utf-8"), "# mine\n")

    def test_programs_find_the_library(self):
        if shutil.which("pkg-config") is None:
            self.skipTest("pkg-config is not installed")
        self.install("development")
        file = next(self.root.rglob("llexec.pc"))
        prefix = next(line for line in file.read_text(encoding="utf-8").splitlines() if line.startswith("prefix="))[7:]
        flags = subprocess.run(["pkg-config", f"--define-variable=prefix={self.root}{prefix}", "--static", "--cflags", "--libs", "llexec"],
                               text=True, check=True, stdout=subprocess.PIPE,
                               env={**os.environ, "PKG_CONFIG_PATH": str(file.parent)}).stdout.split()
        source, program = self.root / "program.cpp", self.root / "program"
        source.write_text(PROGRAM, encoding="utf-8")
        subprocess.run([COMPILER, "-std=c++23", FLAG, source, "-o", program, *flags], check=True)
        self.assertEqual(subprocess.run([program], text=True, check=True, stdout=subprocess.PIPE).stdout, "test\n")


if __name__ == "__main__":
    CMAKE, BUILD, COMPILER, FLAG = sys.argv[1:]
    unittest.main(argv=sys.argv[:1])
