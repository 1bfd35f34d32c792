#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""llexec run against the running kernel's Landlock.

    run_test.py LLEXEC PROBE

As root the whole suite runs a second time as an ordinary user. Each denial has its positive control: the same access by
the same program, without the policy. Exits 4 (skipped) if this kernel has no Landlock.
"""
import ctypes
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

ALLOWED, DENIED = 0, 1
NOBODY = 65534
SYSTEM = '"/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache"'


def landlock_abi():
    libc = ctypes.CDLL(None, use_errno=True)
    return libc.syscall(ctypes.c_long(444), None, ctypes.c_size_t(0), ctypes.c_uint32(1))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Run(unittest.TestCase):
    """One user's view; `prefix` becomes that user."""
    prefix = []
    uid = os.getuid()
    # As in env(1), a search path with a directory that this user cannot enter turns "not found" into "denied".
    environment = {**os.environ, "PATH": "/usr/bin:/bin"}

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory(prefix="llexec-host-")
        cls.root = pathlib.Path(cls.directory.name)
        # A build tree may stand where an ordinary user cannot go.
        cls.llexec = shutil.copy(sys.argv[1], cls.root / "llexec")
        cls.probe = shutil.copy(sys.argv[2], cls.root / "probe")
        for name in ("open", "closed", "both"):
            (cls.root / name).mkdir()
            (cls.root / name / "file").write_text("text\n")
        for path in [cls.root, *cls.root.rglob("*")]:
            os.chown(path, cls.uid, -1)

    @classmethod
    def tearDownClass(cls):
        cls.directory.cleanup()

    def policy(self, body, name="test", folder=""):
        path = self.root / folder / f"{name}.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(body)
        os.chmod(path, 0o644)
        return path

    def plain(self, *command, **options):
        return subprocess.run([*self.prefix, *map(str, command)], capture_output=True, text=True, timeout=60,
                              check=False, env=self.environment, **options)

    def run_under(self, policy, *command, **options):
        return self.plain(self.llexec, "run", policy, "--", *command, **options)

    def assert_confined(self, policy, access, argument):
        """Denied under the policy, and allowed without it."""
        control = self.plain(self.probe, access, argument)
        self.assertEqual(control.returncode, ALLOWED, f"control: {access} {argument}: {control.stderr}")
        result = self.run_under(policy, self.probe, access, argument)
        self.assertEqual(result.returncode, DENIED, f"{access} {argument}: {result.stderr}")

    def assert_allowed(self, policy, access, argument):
        result = self.run_under(policy, self.probe, access, argument)
        self.assertEqual(result.returncode, ALLOWED, f"{access} {argument}: {result.stderr}")

    def needs(self, abi):
        if ABI < abi:
            self.skipTest(f"needs Landlock ABI {abi}, this kernel has {ABI}")

    def fs_policy(self, name="fs", handled='"abi.all"', granted='"abi.read_execute"', folder="", extra=""):
        return self.policy(f"""abi = 1
{extra}
[[ruleset]]
handled_access_fs = [{handled}]
[[path_beneath]]
allowed_access = ["abi.read_execute"]
parent = [{SYSTEM}, "{self.probe}"]
[[path_beneath]]
allowed_access = [{granted}]
parent = ["{self.root}/open"]
""", name, folder)

    # What the policy says is what the kernel does.

    def test_reading_is_confined_to_what_is_granted(self):
        policy = self.fs_policy()
        self.assert_confined(policy, "read", self.root / "closed/file")
        self.assert_confined(policy, "list", self.root / "closed")
        self.assert_allowed(policy, "read", self.root / "open/file")
        self.assert_allowed(policy, "list", self.root / "open")

    def test_writing_is_confined_to_what_is_granted(self):
        policy = self.fs_policy("fs-write", granted='"abi.read_write"')
        self.assert_confined(policy, "write", self.root / "closed/file")
        self.assert_allowed(policy, "write", self.root / "open/file")
        self.assert_confined(self.fs_policy(), "write", self.root / "open/file")

    def test_creating_is_confined_to_what_is_granted(self):
        policy = self.fs_policy("fs-create", granted='"make_reg", "write_file"')
        result = self.run_under(policy, self.probe, "create", self.root / "closed/new")
        self.assertEqual(result.returncode, DENIED)
        self.assertFalse((self.root / "closed/new").exists())
        self.assertEqual(self.plain(self.probe, "create", self.root / "closed/new").returncode, ALLOWED)
        (self.root / "closed/new").unlink()
        self.assert_allowed(policy, "create", self.root / "open/new")
        (self.root / "open/new").unlink()

    def test_truncating_is_a_right_of_its_own(self):
        self.needs(3)
        policy = self.fs_policy("fs-truncate", handled='"abi.all", "truncate"', granted='"write_file"')
        self.assert_confined(policy, "truncate", self.root / "open/file")

    def test_rights_that_are_not_handled_stay_free(self):
        policy = self.policy('[[ruleset]]\nhandled_access_fs = ["make_sock"]\n')
        self.assert_allowed(policy, "read", self.root / "closed/file")

    def test_tcp_is_confined_to_the_granted_ports(self):
        self.needs(4)
        granted, other = free_port(), free_port()
        policy = self.policy(f"""abi = 4
[[ruleset]]
handled_access_net = ["abi.all"]
[[net_port]]
allowed_access = ["bind_tcp"]
port = [{granted}]
""")
        self.assert_confined(policy, "bind-tcp", other)
        self.assert_allowed(policy, "bind-tcp", granted)
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.assert_confined(policy, "connect-tcp", server.getsockname()[1])

    def test_a_scoped_program_cannot_reach_abstract_sockets_outside(self):
        self.needs(6)
        policy = self.policy('[[ruleset]]\nscoped = ["abstract_unix_socket"]\n')
        name = f"llexec-host-test-{os.getpid()}"
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("\0" + name)
            server.listen(8)
            self.assert_confined(policy, "abstract-unix", name)
            other = self.policy('[[ruleset]]\nscoped = ["signal"]\n', "other")
            self.assert_allowed(other, "abstract-unix", name)

    def test_a_scoped_program_cannot_signal_outside(self):
        self.needs(6)
        policy = self.policy('[[ruleset]]\nscoped = ["signal"]\n')
        with subprocess.Popen([*self.prefix, "sh", "-c", "echo; exec sleep 60"], stdout=subprocess.PIPE) as outside:
            try:
                outside.stdout.readline()  # it is that user's from now on
                self.assert_confined(policy, "signal", outside.pid)
            finally:
                outside.kill()

    def test_children_are_confined_too(self):
        policy = self.fs_policy()
        script = f'{self.probe} read {self.root}/closed/file; echo $?'
        self.assertEqual(self.run_under(policy, "sh", "-c", script).stdout, f"{DENIED}\n")
        self.assertEqual(self.plain("sh", "-c", script).stdout, f"{ALLOWED}\n")

    def test_an_inherited_descriptor_stays_usable(self):
        with open(self.root / "closed/file", encoding="utf-8") as inherited:
            result = self.run_under(self.fs_policy(), self.probe, "read-fd", inherited.fileno(),
                                    pass_fds=[inherited.fileno()])
        self.assertEqual(result.returncode, ALLOWED)

    # Layers.

    def test_several_policies_are_several_layers_each_only_takes_away(self):
        body = '[[path_beneath]]\nallowed_access = ["write_file"]\nparent = ["{0}/both", "{0}/{1}"]\n'
        self.policy(body.format(self.root, "open"), "10-first", "layers")
        self.policy(body.format(self.root, "closed"), "20-second", "layers")
        folder = self.root / "layers"
        self.assert_allowed(folder, "write", self.root / "both/file")
        self.assert_confined(folder, "write", self.root / "open/file")
        self.assert_confined(folder, "write", self.root / "closed/file")
        self.assert_allowed(folder / "10-first.toml", "write", self.root / "open/file")

    def test_the_seventeenth_layer_follows_on_error(self):
        body = '{}[[ruleset]]\nhandled_access_fs = ["make_sock"]\n'
        for number in range(16):
            self.policy(body.format(""), f"{number:02}", "many")
        folder = self.root / "many"
        self.assertEqual(self.run_under(folder, "true").returncode, 0)
        self.policy(body.format('[enforce]\non_error = "allow"\n'), "16", "many")
        allowed = self.run_under(folder, "true")
        self.assertEqual(allowed.returncode, 0)
        self.assertIn("not enforced", allowed.stderr)
        self.policy(body.format(""), "16", "many")
        denied = self.run_under(folder, "true")
        self.assertEqual(denied.returncode, 125)
        self.assertIn("16 Landlock layers", denied.stderr)

    # [enforce]

    def no_new_privs(self, policy):
        result = self.run_under(policy, "grep", "NoNewPrivs", "/proc/self/status")
        return result.returncode, result.stdout.split()[-1:], result.stderr

    def test_no_new_privs_is_set(self):
        self.assertEqual(self.plain("grep", "NoNewPrivs", "/proc/self/status").stdout.split()[-1], "0")
        self.assertEqual(self.no_new_privs(self.policy('[[ruleset]]\nhandled_access_fs = ["make_sock"]\n')),
                         (0, ["1"], ""))

    def test_without_no_new_privs_a_privilege_is_needed(self):
        policy = self.fs_policy("no-nnp", extra="[enforce]\nno_new_privs = false\n")
        result = self.run_under(policy, self.probe, "read", self.root / "closed/file")
        if self.uid == 0:
            self.assertEqual(result.returncode, DENIED)
        else:
            self.assertEqual(result.returncode, 125)
            self.assertIn("no_new_privs = true", result.stderr)

    def test_observe_enforces_nothing_and_says_so(self):
        policy = self.fs_policy("observe", extra='[enforce]\nmode = "observe"\n')
        result = self.run_under(policy, self.probe, "read", self.root / "closed/file")
        self.assertEqual(result.returncode, ALLOWED)
        self.assertIn("not enforced", result.stderr)

    def test_what_the_kernel_lacks_is_said_or_refused(self):
        if ABI >= 10:
            self.skipTest("this kernel has every right that llexec knows")
        body = '{}[[ruleset]]\nhandled_access_fs = ["make_sock"]\nhandled_access_net = ["bind_udp"]\n'
        best_effort = self.run_under(self.policy(body.format("")), "true")
        self.assertEqual(best_effort.returncode, 0)
        self.assertIn("'bind_udp' stays unrestricted", best_effort.stderr)
        strict = self.run_under(self.policy(body.format('[enforce]\ncompat = "strict"\n')), "true")
        self.assertEqual(strict.returncode, 125)
        self.assertIn("strict", strict.stderr)
        nothing = self.run_under(self.policy('[[ruleset]]\nhandled_access_net = ["bind_udp"]\n'), "true")
        self.assertEqual(nothing.returncode, 125)

    def test_a_missing_path_is_said_or_refused(self):
        body = '{}[[path_beneath]]\nallowed_access = ["make_sock"]\nparent = ["/nowhere"]\n'
        result = self.run_under(self.policy(body.format("")), "true")
        self.assertEqual(result.returncode, 0)
        self.assertIn("test.toml:3:11: warning: '/nowhere' cannot be opened", result.stderr)
        result = self.run_under(self.policy(body.format('[enforce]\nmissing_paths = "error"\n')), "true")
        self.assertEqual(result.returncode, 125)
        self.assertIn("test.toml:5:11: error: '/nowhere' cannot be opened", result.stderr)

    def test_check_finds_what_run_refuses(self):
        strict = '[enforce]\ncompat = "strict"\n[[ruleset]]\n'
        fails = '[enforce]\nmissing_paths = "error"\n[[ruleset]]\nhandled_access_fs = ["read_file"]\n' \
                '[[path_beneath]]\nallowed_access = ["read_file"]\n'
        foreign = self.root / "foreign"
        foreign.symlink_to("/etc/passwd")
        self.addCleanup(foreign.unlink)
        cases = {
            "known": (strict + 'handled_access_fs = ["write_file"]\n', True),
            "number": (strict + 'handled_access_fs = ["write_file", 0x4000000000000000]\n', False),
            "nothing": ('[[ruleset]]\nhandled_access_fs = [0x4000000000000000]\n', False),
            "missing": (fails + 'parent = ["/nonexistent/file"]\n', False),
            "there": (fails + 'parent = ["/etc/passwd", "/"]\n', True),
            "own link": (fails + f'parent = ["{foreign}", "/"]\n', True),
        }
        if ABI < 10:
            cases["name"] = (strict + 'handled_access_fs = ["write_file"]\nhandled_access_net = ["bind_udp"]\n', False)
            cases["quiet"] = (strict + 'handled_access_fs = ["write_file"]\nquiet_access_fs = ["write_file"]\n', False)
        for name, (text, good) in cases.items():
            with self.subTest(name):
                policy = self.policy(text, "check")
                result = self.run_under(policy, "true")
                self.assertEqual(result.returncode, 0 if good else 125, result.stderr)
                check = self.plain(self.llexec, "check", policy)
                self.assertEqual(check.returncode, 0 if good else 4, check.stdout + check.stderr)
        if os.getuid() == 0:
            os.chown(foreign, 4711, -1, follow_symlinks=False)
            policy = self.policy(cases["own link"][0], "check")
            self.assertEqual(self.run_under(policy, "true").returncode, 125)
            check = self.plain(self.llexec, "check", policy)
            self.assertEqual(check.returncode, 4)
            self.assertIn("a symbolic link of user 4711 leads to /etc/passwd", check.stderr)

    def test_exectime_needs_a_kernel_that_has_it_whatever_on_error_says(self):
        if ABI >= 12:
            self.skipTest("this kernel has it")
        body = '{}[[ruleset]]\nhandled_access_fs = ["make_sock"]\n'
        for extra in ("", '[enforce]\non_error = "allow"\n'):
            result = self.plain(self.llexec, "run", "--exectime", self.policy(body.format(extra)), "--", "echo", "ran")
            self.assertEqual((result.returncode, result.stdout), (125, ""))
            self.assertIn("12 is needed", result.stderr)
        self.assertEqual(self.run_under(self.policy(body.format("")), "echo", "ran").stdout, "ran\n")

    def test_each_log_mode_is_accepted(self):
        for mode in ("new-exec", "none", "subdomains-off"):
            policy = self.policy(f'[enforce]\nlog = "{mode}"\n[[ruleset]]\nhandled_access_fs = ["make_sock"]\n')
            self.assertEqual(self.run_under(policy, "true").returncode, 0, mode)

    # The wrapper.

    def harmless(self):
        return self.policy('[[ruleset]]\nhandled_access_fs = ["make_sock"]\n')

    def test_the_status_of_the_command_passes_through(self):
        self.assertEqual(self.run_under(self.harmless(), "sh", "-c", "exit 7").returncode, 7)
        result = self.run_under(self.harmless(), "sh", "-c", "kill -TERM $$")
        self.assertIn(result.returncode, (-signal.SIGTERM, 128 + signal.SIGTERM))

    def test_arguments_reach_the_command_unchanged(self):
        arguments = ["[a]", "", "--", "--json", "-x", "a b", "{}", "check", "--help"]
        result = self.run_under(self.harmless(), "printf", "%s\\n", *arguments)
        self.assertEqual(result.stdout.split("\n")[:-1], arguments)

    def test_a_command_that_cannot_be_executed_is_told_from_a_missing_one(self):
        self.assertEqual(self.run_under(self.harmless(), "no-such-command-llexec").returncode, 127)
        self.assertEqual(self.run_under(self.harmless(), self.root / "open/file").returncode, 126)
        policy = self.policy(f'abi = 1\n[[path_beneath]]\nallowed_access = ["execute"]\nparent = ["{self.root}/open"]\n')
        self.assertEqual(self.plain("/bin/true").returncode, 0)
        denied = self.run_under(policy, "/bin/true")
        self.assertEqual(denied.returncode, 126)
        self.assertIn("may not allow executing it", denied.stderr)

    def test_standard_output_belongs_to_the_command_even_with_json(self):
        policy = self.policy('[[path_beneath]]\nallowed_access = ["make_sock"]\nparent = ["/nowhere"]\n')
        result = self.plain(self.llexec, "--json", "run", policy, "--", "echo", "mine")
        self.assertEqual(result.stdout, "mine\n")
        self.assertEqual(json.loads(result.stderr)["diagnostics"][0]["line"], 3)


class RunAsNobody(Run):
    """The same for a user without privileges."""
    prefix = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    uid = NOBODY

    @classmethod
    def setUpClass(cls):
        if os.getuid() != 0:
            raise unittest.SkipTest("already an ordinary user")
        super().setUpClass()


if __name__ == "__main__":
    ABI = landlock_abi()
    if ABI < 1:
        print("SKIP: this kernel has no Landlock, or has it disabled")
        sys.exit(4)
    print(f"Landlock ABI {ABI}")
    unittest.main(argv=sys.argv[:1], verbosity=2)
