#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""llexec probe and load on a kernel that cannot attach policies.

    probe_test.py LLEXEC

Exits 4 (skipped) if this kernel has the interface: the tests of the virtual machine are about those.
"""
import json
import os
import pathlib
import subprocess
import sys
import unittest

MAP_TYPE = "BPF_MAP_TYPE_LANDLOCK_RULESET"
UNSUPPORTED_KERNEL = 3
DATA = pathlib.Path(__file__).resolve().parent.parent / "data"


def llexec(*arguments):
    return subprocess.run([sys.argv[1], *arguments], text=True, capture_output=True, timeout=60, check=False)


def report():
    return json.loads(llexec("--json", "probe").stdout)


def item(name):
    return next(item for item in report()["items"] if item["name"] == name)


class Probe(unittest.TestCase):
    def test_exit_code(self):
        self.assertEqual(llexec("probe").returncode, UNSUPPORTED_KERNEL)
        self.assertEqual(llexec("--json", "probe").returncode, UNSUPPORTED_KERNEL)

    def test_text_names_the_map_type_and_what_to_do(self):
        lines = llexec("probe").stdout.splitlines()
        at = next(i for i, line in enumerate(lines) if line.startswith("ruleset-map"))
        self.assertIn("missing", lines[at])
        self.assertIn(MAP_TYPE, lines[at])
        self.assertIn("->", lines[at + 1])
        self.assertIn("cannot be attached", lines[-1])

    def test_text_has_no_verifier_log(self):
        result = llexec("probe")
        self.assertNotIn("processed", result.stdout + result.stderr)

    def test_json_says_that_nothing_can_be_attached(self):
        self.assertIs(report()["can_attach"], False)
        self.assertNotIn("verifier_log", report())

    def test_json_has_each_prerequisite_with_its_status(self):
        found = item("ruleset-map")
        self.assertEqual(found["status"], "missing")
        self.assertIn(MAP_TYPE, found["tried"])
        self.assertTrue(found["advice"])
        self.assertEqual(item("kfuncs")["status"], "missing")
        self.assertEqual(item("programs")["status"], "not-tried")
        self.assertEqual(item("attach")["status"], "not-tried")


class Load(unittest.TestCase):
    def setUp(self):
        names = [item["name"] for item in report()["items"] if item["status"] == "missing"]
        if names[0] != "ruleset-map":
            self.skipTest(f"load says what is missing first, which is {names[0]} here")

    def test_it_refuses_and_names_the_map_type(self):
        result = llexec("load", str(DATA / "valid.toml"))
        self.assertEqual(result.returncode, UNSUPPORTED_KERNEL)
        self.assertIn(MAP_TYPE, result.stderr)
        self.assertEqual(result.stdout, "")

    def test_it_leaves_nothing_behind(self):
        llexec("load", str(DATA / "valid.toml"))
        self.assertFalse(os.path.exists("/sys/fs/bpf/llexec"))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    prerequisites = {item["name"]: item for item in report()["items"]}
    if prerequisites["btf"]["status"] != "ok":
        print("skipped: this kernel's BTF cannot be read")
        sys.exit(4)
    if "not in the kernel's BTF" not in prerequisites["ruleset-map"]["result"]:
        print(f"skipped: this kernel has {MAP_TYPE}")
        sys.exit(4)
    unittest.main(argv=sys.argv[:1])
