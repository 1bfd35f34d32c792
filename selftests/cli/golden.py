#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Runs llexec and compares output and exit code with golden/NAME.

    golden.py LLEXEC [--update]

Each golden file has the command, its exit code, and what came on stdout and stderr. --update writes the files anew; read
the difference before committing it. Commands run in selftests/data, so that file names are the same everywhere.
"""
import difflib
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
DATA = HERE.parent / "data"

# name: arguments. The exit code stands in the golden file.
CASES = {
    "check-valid": ["check", "valid.toml"],
    "check-valid-json": ["--json", "check", "valid.toml"],
    "check-errors": ["check", "errors.toml"],
    "check-errors-json": ["check", "--json", "errors.toml"],
    "check-abi": ["check", "--abi", "4", "abi"],
    "check-abi-all": ["check", "--abi", "11", "abi"],
    "check-abi-json": ["--json", "check", "--abi", "4", "abi"],
    "check-abi-strict": ["check", "--abi", "4", "--strict", "abi/best.toml"],
    "check-abi-zero": ["check", "--abi", "0", "abi"],
    "dump-text": ["dump", "abi"],
    "dump-json": ["--json", "dump", "valid.json"],
    "dump-format-json": ["dump", "--format", "json", "valid.json"],
    "dump-format-toml": ["dump", "valid.json", "--format", "toml"],
    "dump-landlock-config": ["dump", "--format", "landlock-config", "valid.json"],
    "dump-extensions": ["dump", "--format", "landlock-config", "abi/best.toml"],
    "dump-several": ["dump", "--format", "toml", "abi"],
    "dump-invalid": ["dump", "mixed"],
    "dump-no-argument": ["dump"],
    "dump-unknown-format": ["dump", "--format", "yaml", "valid.json"],
    "check-json": ["check", "valid.json"],
    "check-json-errors": ["check", "errors.json"],
    "check-syntax": ["check", "syntax.toml"],
    "check-unmatched": ["check", "unmatched.toml"],
    "check-directory": ["check", "set"],
    "check-mixed": ["check", "mixed"],
    "check-mixed-json": ["--json", "check", "mixed"],
    "check-twice": ["check", "twice/a", "twice/b/web.toml"],
    "check-empty-directory": ["check", "empty"],
    "check-missing": ["check", "nowhere.toml", "valid.toml"],
    "check-strict": ["check", "--strict", "warned.toml"],
    "check-strict-json": ["--json", "check", "--strict", "warned.toml"],
    "check-warned": ["check", "warned.toml"],
    "check-long-lines": ["check", "long.toml"],
    "check-after-separator": ["check", "valid.toml", "--", "unmatched.toml"],
    "check-control-characters": ["check", "no\x1b[31m\nfile.toml"],
    "check-no-argument": ["check"],
    "check-no-argument-json": ["--json", "check"],
    "no-command": [],
    "no-command-json": ["--json"],
    "unknown-option": ["check", "--frobnicate", "valid.toml"],
    "unknown-option-json": ["check", "--frobnicate", "--json", "valid.toml"],
    "version": ["--version"],
    "run-no-policy": ["run", "--", "true"],
    "run-no-command": ["run", "valid.toml"],
    "run-no-command-json": ["--json", "run", "valid.toml", "--"],
    "run-bad-policy": ["run", "mixed/bad.toml", "--", "true"],
    "run-bad-policy-json": ["--json", "run", "mixed/bad.toml", "--", "true"],
    "run-missing-policy": ["run", "nowhere.toml", "--", "true"],
    "run-unknown-option": ["run", "--frobnicate", "valid.toml", "--", "true"],
}


def render(arguments, result):
    parts = [f"$ llexec {' '.join(repr(a) if not a.isprintable() else a for a in arguments)}\n",
             f"exit {result.returncode}\n"]
    for name, text in (("stdout", result.stdout), ("stderr", result.stderr)):
        parts.append(f"--- {name}\n{text}")
    return "".join(parts)


def run(llexec, arguments, **options):
    return subprocess.run([llexec, *arguments], cwd=DATA, text=True, timeout=60, check=False, **options)


def compare(llexec, name, arguments, update):
    shown = render(arguments, run(llexec, arguments, stdin=subprocess.DEVNULL, capture_output=True))
    path = HERE / "golden" / name
    if update:
        path.write_text(shown)
        return True
    expected = path.read_text()
    if shown == expected:
        return True
    sys.stdout.writelines(difflib.unified_diff(expected.splitlines(True), shown.splitlines(True),
                                               f"golden/{name}", "now"))
    return False


def full_device(llexec):
    """Output that cannot be written is a failure, not a success nobody saw."""
    with open("/dev/full", "w", encoding="utf-8") as full:
        result = run(llexec, ["check", "valid.toml"], stdout=full, stderr=subprocess.PIPE)
    return result.returncode == 1 and "cannot write" in result.stderr


def help_names_all(llexec):
    shown = run(llexec, ["--help"], capture_output=True)
    return shown.returncode == 0 and all(word in shown.stdout for word in ("check", "run", "--json", "--version"))


def main():
    llexec, update = pathlib.Path(sys.argv[1]).resolve(), "--update" in sys.argv[2:]
    results = {name: compare(llexec, name, arguments, update) for name, arguments in CASES.items()}
    results["full device"] = full_device(llexec)
    results["help"] = help_names_all(llexec)
    stale = {path.name for path in (HERE / "golden").iterdir()} - set(CASES)
    if stale:
        print("golden files without a case:", *sorted(stale))
    failed = [name for name, good in results.items() if not good]
    for name in failed:
        print("FAIL", name)
    print(f"{len(results) - len(failed)} of {len(results)} passed")
    return 1 if failed or stale else 0


if __name__ == "__main__":
    sys.exit(main())
