#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What checking many policies costs.

    check.py LLEXEC [--policies N] [--rules N]

Makes directories of N/10, N/2 and N policies and checks each: with all lints, and with --text-only. Prints seconds, memory and,
as the figure that does not depend on the machine, the time of each policy relative to the smallest set: 1.0 means linear.
Exits 1 if a policy of the largest set takes more than 1.5 times as long as one of the smallest.
"""
import argparse
import os
import pathlib
import shutil
import sys
import tempfile
import time

PROGRAMS = 100
DIRECTORIES = 200


def make_world(root):
    """Programs and directories that the policies name: they are what a machine would have, without findings."""
    os.mkdir(f"{root}/bin")
    shutil.copy("/usr/bin/env", f"{root}/bin/p0")
    for number in range(1, PROGRAMS):
        os.link(f"{root}/bin/p0", f"{root}/bin/p{number}")
    for number in range(DIRECTORIES):
        os.makedirs(f"{root}/data/d{number}")


def policy(root, number, rules):
    text = [f'abi = 6\n\n[[match]]\nexe = ["{root}/bin/p{number % PROGRAMS}"]\nuser = [{number}]\n',
            '[[ruleset]]\nhandled_access_fs = ["abi.all"]\nhandled_access_net = ["abi.all"]\nscoped = ["abi.all"]\n',
            '[[path_beneath]]\nallowed_access = ["abi.read_execute"]\nparent = ["/usr", "/etc", '
            f'"{root}/bin"]\n']
    for rule in range(rules - 4):
        access = "abi.read_execute" if rule % 3 else "abi.read_write"
        text.append(f'[[path_beneath]]\nallowed_access = ["{access}"]\nparent = ["{root}/data/d{(number * 7 + rule) % DIRECTORIES}"]\n')
    text.append(f'[[net_port]]\nallowed_access = ["connect_tcp"]\nport = [{number % 65536}]\n')
    return "\n".join(text)


def measure(command):
    start = time.monotonic()
    child = os.posix_spawn(command[0], command, os.environ, file_actions=[
        (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0), (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0)])
    _, status, usage = os.wait4(child, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 4):
        sys.exit(f"{command}: {status}")
    return time.monotonic() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description="What checking many policies costs.")
    parser.add_argument("llexec")
    parser.add_argument("--policies", type=int, default=10000)
    parser.add_argument("--rules", type=int, default=20)
    options = parser.parse_args()
    llexec = str(pathlib.Path(options.llexec).resolve())
    linear = True
    print(f"{'':12} {'policies':>8} {'seconds':>8} {'CPU s':>7} {'MB':>7} {'us each':>8} {'ratio':>6}")
    for name, flags in (("all lints", []), ("--text-only", ["--text-only"])):
        first = None
        for count in (options.policies // 10, options.policies // 2, options.policies):
            with tempfile.TemporaryDirectory() as root:
                make_world(root)
                directory = f"{root}/policies"
                os.mkdir(directory)
                for number in range(count):
                    pathlib.Path(directory, f"p{number:06}.toml").write_text(policy(root, number, options.rules), encoding="ascii")
                seconds, cpu, memory = min(measure([llexec, "check", *flags, directory]) for _ in range(3))
            first = first or cpu / count
            ratio = cpu / count / first
            linear = linear and ratio <= 1.5
            print(f"{name:12} {count:8} {seconds:8.2f} {cpu:7.2f} {memory:7.1f} {cpu / count * 1e6:8.1f} {ratio:6.2f}")
    sys.exit(0 if linear else 1)


if __name__ == "__main__":
    main()
