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
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
DATA = HERE.parent / "data"

# name: arguments. The exit code stands in the golden file.
CASES = {
    "check-valid": ["check", "--text-only", "valid.toml"],
    "check-valid-json": ["--json", "check", "--text-only", "valid.toml"],
    "check-errors": ["check", "--text-only", "errors.toml"],
    "check-errors-json": ["check", "--text-only", "--json", "errors.toml"],
    "check-abi": ["check", "--text-only", "--abi", "4", "abi"],
    "check-abi-all": ["check", "--text-only", "--abi", "11", "abi"],
    "check-abi-json": ["--json", "check", "--text-only", "--abi", "4", "abi"],
    "check-abi-strict": ["check", "--text-only", "--abi", "4", "--strict", "abi/best.toml"],
    "check-abi-zero": ["check", "--abi", "0", "abi"],
    "dump-text": ["dump", "abi"],
    "dump-json": ["--json", "dump", "valid.json"],
    "dump-format-json": ["dump", "--format", "json", "valid.json"],
    "dump-format-toml": ["dump", "valid.json", "--format", "toml"],
    "dump-json-format": ["--json", "dump", "--format", "landlock-config", "abi/best.toml"],
    "dump-landlock-config": ["dump", "--format", "landlock-config", "valid.json"],
    "dump-extensions": ["dump", "--format", "landlock-config", "abi/best.toml"],
    "dump-several": ["dump", "--format", "toml", "abi"],
    "dump-invalid": ["dump", "mixed"],
    "dump-no-argument": ["dump"],
    "dump-unknown-format": ["dump", "--format", "yaml", "valid.json"],
    "check-json": ["check", "--text-only", "valid.json"],
    "check-json-errors": ["check", "--text-only", "errors.json"],
    "check-syntax": ["check", "--text-only", "syntax.toml"],
    "check-unmatched": ["check", "--text-only", "unmatched.toml"],
    "check-too-many": ["check", "--text-only", "too-many.toml"],
    "check-directory": ["check", "--text-only", "set"],
    "check-mixed": ["check", "--text-only", "mixed"],
    "check-mixed-json": ["--json", "check", "--text-only", "mixed"],
    "check-twice": ["check", "--text-only", "twice/a", "twice/b/web.toml"],
    "check-empty-directory": ["check", "--text-only", "empty"],
    "check-missing-paths": ["check", "missing", "--abi", "9"],
    "check-missing": ["check", "--text-only", "nowhere.toml", "valid.toml"],
    "check-strict": ["check", "--text-only", "--strict", "warned.toml"],
    "check-strict-json": ["--json", "check", "--text-only", "--strict", "warned.toml"],
    "check-warned": ["check", "--text-only", "warned.toml"],
    "check-long-lines": ["check", "--text-only", "long.toml"],
    "check-after-separator": ["check", "--text-only", "valid.toml", "--", "unmatched.toml"],
    "check-control-characters": ["check", "--text-only", "no\x1b[31m\nfile.toml"],
    "check-sarif": ["check", "--text-only", "--sarif", "mixed", "warned.toml"],
    "check-allow": ["check", "--text-only", "--allow", "relative-path", "--allow", "empty-group", "warned.toml"],
    "check-allow-unknown": ["check", "--allow", "relative", "warned.toml"],
    "check-lints": ["check", "lints"],
    "check-lints-silenced": ["check", "lints/silenced.toml"],
    "check-abi-silenced": ["check", "--abi", "11", "lints/silenced.toml"],
    "check-strict-included": ["check", "--text-only", "--strict", "include/relative.toml"],
    "check-standard": ["check", "--text-only", "--standard", "valid.toml"],
    "check-compose": ["check", "--text-only", "--compose", "compose"],
    "dump-compose": ["dump", "--compose", "compose"],
    "dump-include": ["dump", "include/main.toml"],
    "dump-include-missing": ["dump", "include/missing.toml"],
    "explain": ["explain", "--abi", "9", "explain/web.toml", "read:/etc/passwd", "write:/etc/passwd",
                "create:/etc/new", "exec:/usr/bin/env", "tcp-bind:80", "tcp-connect:80", "signal", "link:/etc/passwd:/usr/x"],
    "explain-allowed": ["explain", "--abi", "9", "explain/web.toml", "read:/etc/passwd"],
    "explain-layers": ["explain", "--abi", "9", "explain", "read:/etc/passwd", "tcp-bind:80"],
    "explain-layers-refer": ["explain", "--abi", "9", "layers", "rename:/etc/passwd:/usr/x", "rename:/etc/passwd:/etc/x"],
    "explain-lacking": ["explain", "--abi", "3", "explain/web.toml", "tcp-connect:443", "signal", "ioctl:/dev/null"],
    "explain-lacking-json": ["--json", "explain", "--abi", "3", "explain/web.toml", "tcp-connect:443"],
    "explain-types": ["explain", "--abi", "9", "explain/web.toml", "overwrite:/dev/null", "ioctl:/etc/passwd", "ioctl:/dev/null"],
    "explain-observed": ["explain", "--abi", "9", "observed", "read:/etc/passwd", "rename:/etc/passwd:/usr/x"],
    "explain-observed-json": ["--json", "explain", "--abi", "9", "observed", "read:/etc/passwd"],
    "explain-json": ["--json", "explain", "--abi", "9", "explain/web.toml", "read:/etc/passwd", "tcp-connect:80"],
    "explain-unknown": ["explain", "explain/web.toml", "reed:/etc/passwd"],
    "explain-missing": ["explain", "--abi", "9", "missing", "read:/nonexistent/shop", "read:/etc/nonexistent/a/b"],
    "explain-missing-json": ["--json", "explain", "--abi", "9", "missing", "read:/nonexistent/shop"],
    "explain-refer-lacking": ["explain", "--abi", "1", "layers/files.toml", "rename:/etc/passwd:/usr/x"],
    "explain-no-access": ["explain", "explain/web.toml"],
    "explain-relative": ["explain", "explain/web.toml", "read:etc"],
    "match-none": ["match", "--policies", "explain", "--user", "0", "--cgroup", "/", "/usr/bin/env", "--policies", "set"],
    "match-user-number": ["match", "--policies", "explain", "--user", "4294967294", "--cgroup", "/", "/usr/bin/env"],
    "match-user-unknown": ["match", "--policies", "explain", "--user", "4294967295", "--cgroup", "/", "/usr/bin/env"],
    "match-user-empty": ["match", "--user", "", "/usr/bin/env"],
    "match-cgroup-empty": ["match", "--cgroup", "", "/usr/bin/env"],
    "match-cgroup-file": ["--json", "match", "--cgroup", "/sys/fs/cgroup/user.slice/x", "/usr/bin/env"],
    "match-cgroup-slashes": ["match", "--policies", "explain", "--user", "0", "--cgroup", "//user.slice/./x/", "/usr/bin/env"],
    "match-no-argument": ["match"],
    "diff": ["diff", "explain/web.toml", "explain/wide.toml"],
    "diff-same": ["diff", "explain/web.toml", "explain/web.toml"],
    "diff-json": ["--json", "diff", "explain/web.toml", "explain/wide.toml"],
    "diff-sets": ["diff", "explain", "set"],
    "diff-one": ["diff", "explain"],
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
    "run-exectime-several": ["run", "--exectime", "set", "--", "true"],
    "run-exectime-several-json": ["--json", "run", "set", "--exectime", "--", "true"],
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
    """Output that cannot be written is a failure, not an answer nobody saw. It hides no other failure."""
    # The schema is more than what is kept until the end.
    cases = ((1, ["check", "valid.toml"]), (1, ["schema"]), (1, ["diff", "explain/web.toml", "explain/wide.toml"]),
             (2, ["--json", "diff", "explain"]), (4, ["--json", "check", "errors.toml"]))
    good = True
    for code, arguments in cases:
        with open("/dev/full", "w", encoding="utf-8") as full:
            result = run(llexec, arguments, stdout=full, stderr=subprocess.PIPE)
        good = good and result.returncode == code and "cannot write" in result.stderr
    return good


def quoted_advice(llexec):
    """A path in an advice is as it has to be written in a policy."""
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory).resolve() / "\"a\\${b}"
        path.touch()
        shown = run(llexec, ["explain", "--abi", "9", "explain/web.toml", f"write:{path}"], capture_output=True)
        return f'parent = ["{path.parent}/\\"a\\\\$${{b}}"]' in shown.stdout


def help_names_all(llexec):
    shown = run(llexec, ["--help"], capture_output=True)
    return shown.returncode == 0 and all(word in shown.stdout for word in ("check", "run", "--json", "--version"))


def main():
    llexec, update = pathlib.Path(sys.argv[1]).resolve(), "--update" in sys.argv[2:]
    results = {name: compare(llexec, name, arguments, update) for name, arguments in CASES.items()}
    results["full device"] = full_device(llexec)
    results["quoted advice"] = quoted_advice(llexec)
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
