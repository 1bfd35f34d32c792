#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Holds --help against the manual pages, the README, the documentation and the completions.

    interface_test.py LLEXEC LLEXECD

What --help, the JSON schema and the sources name stands in each place where it belongs, and those places name nothing
else. The examples of docs/lints.md are run. Checks that need a program which is not installed are skipped.
"""
import collections
import ctypes
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

REPO = pathlib.Path(__file__).resolve().parents[2]
DATA = REPO / "selftests" / "data"
COMPLETIONS = REPO / "completions"
# Of every command, and documented once.
COMMON = {"-h", "--help", "--json"}
OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")


def read(path):
    return (REPO / path).read_text(encoding="utf-8")


def llexec(*arguments, cwd=None):
    return subprocess.run([LLEXEC, *arguments], cwd=cwd, text=True, capture_output=True, timeout=60, check=False)


class Help:
    """What llexec says about itself."""

    def __init__(self):
        text = llexec("--help").stdout
        self.options = set(re.findall(OPTION, self.part(text, "Options")))
        self.commands = re.findall(r"^  (\S+)", self.part(text, "Subcommands"), re.M)
        self.of = {command: llexec(command, "--help").stdout for command in self.commands}
        self.command_options = {command: self.options_of(text) - COMMON for command, text in self.of.items()}
        self.lints = self.choices("check", "--allow")
        self.formats = self.choices("dump", "--format")
        self.hooks = re.findall(r"bprm_\w+", self.part(self.of["load"], "Options"))
        # Each with its argument, and what is said about it.
        footer = self.of["explain"].partition("ACCESS is one of")[2]
        self.accesses = dict(re.findall(r"^  ([a-z-]+(?::[A-Z:]+)?) +(.*)", footer, re.M))
        self.verbs = [access.partition(":")[0] for access in self.accesses]

    @staticmethod
    def part(text, title):
        return re.search(rf"^{title}:.*\n((?: .*\n)*)", text, re.M)[1]

    def options_of(self, text):
        return set(OPTION.findall(" ".join(re.findall(r"^  (-\S+)", self.part(text, "Options"), re.M))))

    def choices(self, command, option):
        return re.search(rf"{option} [A-Z]+:\{{(.*?)\}}", self.of[command])[1].split(",")


class Manual:
    """A page of man(7): its text, and the tags of its paragraphs, by section and subsection."""

    def __init__(self, path):
        self.path = REPO / path
        self.subsections = []
        self.tags = collections.defaultdict(list)
        self.text = collections.defaultdict(str)
        tagged, section, subsection = False, "", ""
        for line in self.path.read_text(encoding="utf-8").splitlines():
            plain = self.plain(line)
            if line.startswith(".SH "):
                section, subsection = plain, ""
            elif line.startswith(".SS "):
                subsection = plain
                self.subsections.append((section, plain))
            elif tagged:
                self.tags[section, subsection].append(plain)
            self.text[section] += plain + "\n"
            tagged = line.startswith(".TP")

    @staticmethod
    def plain(line):
        """The words of a line, without macros, quotes and escapes."""
        macro, _, rest = line.partition(" ") if line.startswith(".") else ("", "", line)
        if macro in (".BI", ".BR", ".RB", ".IR", ".RI"):
            # These set their arguments without space between.
            words = re.findall(r'"((?:[^"]|"")*)"|(\S+)', rest)
            rest = "".join(quoted or word for quoted, word in words)
        return re.sub(r"\\f.", "", rest.replace('""', '"')).replace("\\-", "-").strip('"')


class Interface(unittest.TestCase):
    """--help, and all that is written about it."""
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.help = Help()
        cls.page = Manual("docs/man/llexec.1")

    def test_help_was_understood(self):
        self.assertLessEqual({"check", "explain", "load", "run"}, set(self.help.commands))
        self.assertEqual(self.help.options, COMMON | {"--version"})
        self.assertIn("--strict", self.help.command_options["check"])
        self.assertIn("--enforce-at", self.help.command_options["load"])
        for names, one in ((self.help.lints, "no-match"), (self.help.formats, "toml"), (self.help.verbs, "read"),
                           (self.help.verbs, "signal"), (self.help.hooks, "bprm_creds_for_exec")):
            self.assertIn(one, names)

    def test_manual_has_the_commands(self):
        documented = [name.split()[1] for section, name in self.page.subsections if section == "COMMANDS"]
        self.assertEqual(documented, self.help.commands)

    def test_manual_has_the_options(self):
        self.assertEqual(set(OPTION.findall(" ".join(self.page.tags["OPTIONS", ""]))), self.help.options)
        for command in self.help.commands:
            tags = [tag for (_, name), tags in self.page.tags.items() if name.split()[1:2] == [command] for tag in tags]
            options = {option for tag in tags if tag.startswith("-") for option in OPTION.findall(tag)}
            with self.subTest(command=command):
                self.assertEqual(options, self.help.command_options[command])

    def test_manual_has_the_verbs(self):
        tags = next(tags for (_, name), tags in self.page.tags.items() if name.startswith("llexec explain"))
        shown = [tag for tag in tags if not tag.startswith("-")]
        self.assertEqual(shown, list(self.help.accesses))
        text = " ".join(self.page.text["COMMANDS"].split())
        for access, summary in self.help.accesses.items():
            with self.subTest(access=access):
                self.assertIn(f" {access} {summary} ", text)

    def test_manual_has_values(self):
        for word in (*self.help.formats, *self.help.hooks):
            with self.subTest(word=word):
                self.assertRegex(self.page.text["COMMANDS"], rf"(?m)^{re.escape(word)}\b")

    def test_manual_has_the_exit_codes(self):
        self.assertEqual([int(tag) for tag in self.page.tags["EXIT STATUS", ""]], self.exit_codes())

    def test_lints(self):
        names = self.help.lints
        self.assertEqual(self.page.tags["LINTS", ""], names)
        for rule in json.loads(llexec("check", "--sarif", "valid.toml", cwd=DATA).stdout)["runs"][0]["tool"]["driver"]["rules"]:
            if rule["id"] in names:
                level = rule["defaultConfiguration"]["level"]
                with self.subTest(lint=rule["id"]):
                    self.assertIn(f"\n{rule['id']}\n({level})", self.page.text["LINTS"])
                    self.assertRegex(read("docs/lints.md"), rf"(?m)^## {rule['id']}\n\n\*{level.title()}\.\*")
        self.assertEqual(re.findall(r"^## (.*)", read("docs/lints.md"), re.M), names)

    @staticmethod
    def exit_codes():
        return [int(code) for code in re.findall(r"= (\d+),", read("include/llexec/exit_code.hpp"))]

    def test_readme_has_the_commands(self):
        rows = re.findall(r"^\| `llexec ([a-z]+)(.*?)` \|", read("README.md"), re.M)
        self.assertEqual([command for command, _ in rows], self.help.commands)
        for command, synopsis in rows:
            with self.subTest(command=command):
                self.assertEqual(set(OPTION.findall(synopsis.partition(" -- ")[0])), self.help.command_options[command])

    def test_no_argument_is_overlooked(self):
        for command in (["probe"], ["schema"], ["status"], ["events"], ["unload"], ["match", "/bin/true"]):
            with self.subTest(command=command):
                result = llexec(*command, "--", "nginx")
                self.assertEqual((result.returncode, result.stdout), (2, ""))
                self.assertIn("'nginx' is one argument too many", result.stderr)

    @staticmethod
    def match_with(policies, mode, program):
        """What so many policies for all executions are for one of a program by root."""
        with tempfile.TemporaryDirectory() as directory:
            for number in range(policies):
                pathlib.Path(directory, f"{number:02}.toml").write_text(
                    f'[[match]]\ncgroup = ["/"]\n[enforce]\nmode = "{mode}"\n[[ruleset]]\nscoped = ["signal"]\n', encoding="utf-8")
            arguments = ["match", program, "--policies", directory, "--user", "0", "--cgroup", "/"]
            return llexec(*arguments), json.loads(llexec("--json", *arguments).stdout)

    def test_match_says_what_is_too_much(self):
        for policies, mode, problem in ((16, "enforce", None), (17, "enforce", "more than 16 policies are to be enforced"),
                                        (32, "observe", None), (33, "observe", "more than 32 policies select this execution")):
            with self.subTest(policies=policies):
                text, facts = self.match_with(policies, mode, "/bin/sh")
                self.assertEqual(text.returncode, 0)
                self.assertEqual(f"\nbut {problem}" in text.stdout, problem is not None)
                self.assertTrue(facts["problem"].startswith(problem) if problem else "problem" not in facts)

    def test_match_knows_llexec_itself(self):
        text, facts = self.match_with(1, "enforce", LLEXEC)
        self.assertEqual(text.returncode, 5)
        self.assertIn("\n  00: llexec itself is never selected when root executes it\n", text.stdout)
        self.assertFalse(facts["policies"][0]["selected"])

    def test_readme_has_the_exit_codes(self):
        sentence = re.search(r"Exit codes:(.*?)otherwise CMD", read("README.md"), re.S)[1]
        self.assertEqual([int(code) for code in re.findall(r"\b\d+\b", sentence.replace("env(1)", ""))], self.exit_codes())

    def test_pages_are_clean(self):
        for page in ("llexec.1", "llexec.toml.5", "llexecd.8"):
            for command in (["mandoc", "-T", "lint"], ["man", "--warnings", "-l"]):
                with self.subTest(page=page, program=command[0]):
                    if shutil.which(command[0]) is None:
                        self.skipTest(f"{command[0]} is not installed")
                    result = subprocess.run([*command, REPO / "docs/man" / page], text=True, capture_output=True,
                                            check=False, env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "80"})
                    if command[0] == "mandoc":
                        self.assertEqual(result.stdout, "")  # what is wrong
                    self.assertEqual((result.returncode, result.stderr), (0, ""))


class Daemon(unittest.TestCase):
    """llexecd(8) against --help and the sources."""
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.help = subprocess.run([LLEXECD, "--help"], text=True, capture_output=True, timeout=60, check=True).stdout
        cls.page = Manual("docs/man/llexecd.8")

    def test_manual_has_the_options(self):
        options = set(OPTION.findall(" ".join(re.findall(r"^  (-\S+)", Help.part(self.help, "Options"), re.M))))
        self.assertLessEqual({"--help", "--config", "--self-test-program"}, options)
        self.assertEqual(set(OPTION.findall(" ".join(self.page.tags["OPTIONS", ""]))), options)

    def test_manual_has_the_settings(self):
        source = read("loader/policy/settings.cpp")
        settings = dict(re.findall(r"void read_(\w+)\(const Member& member.*?\{\n(.*?)^\}", source, re.M | re.S))
        keys = re.findall(r'\.key = "(\w+)"', source)
        self.assertLessEqual({"enforce_at", "metrics"}, set(keys))
        shown = collections.defaultdict(set)
        for tag in self.page.tags["SETTINGS", ""]:
            key, value = re.fullmatch(r'(\w+) = "*(\w+)', tag).groups()
            shown[key].add(value)
        for key in keys:
            words = re.findall(r'string_view\("(\w+)"\)', settings[key])
            words += ["true", "false"] if "Kind::boolean" in settings[key] else []
            self.assertEqual(shown.pop(key), set(words or ["PATH"]))
        self.assertEqual(shown, {})

    def test_manual_has_the_exit_codes(self):
        source = read("include/llexec/exit_code.hpp").partition("negative")[0]  # those after it are llexec's
        self.assertEqual(self.page.tags["EXIT STATUS", ""], re.findall(r"= (\d+),", source))

    def test_manual_has_the_metrics(self):
        calls = re.findall(r'writer\.(counter|gauge)\("(\w+)"', read("loader/daemon/metrics.cpp"))
        names = ["llexec_" + name + ("_total" if kind == "counter" else "") for kind, name in calls]
        self.assertIn("llexec_policy_applied_total", names)
        self.assertEqual(sorted(self.page.tags["METRICS", ""]), sorted(names))

    def test_manual_has_the_fields(self):
        sources = "".join(read(path) for path in sorted((REPO / "loader/daemon").glob("*.cpp")))
        fields = set(re.findall(r'\{"((?:LLEXEC_|OBJECT_)?[A-Z]+(?:_[A-Z]+)*)", ', sources))
        self.assertLessEqual({"LLEXEC_POLICY", "ERRNO", "OBJECT_PID"}, fields)
        self.assertEqual(set(self.page.tags["JOURNAL FIELDS", ""]), fields - {"MESSAGE", "PRIORITY"})


class ThreatModel(unittest.TestCase):
    """docs/threat-model.md names tests that there are."""

    def test_tests_exist(self):
        named = set()
        for row in re.findall(r"^\| .*\.(?:cpp|sh)`.*$", read("docs/threat-model.md"), re.M):
            for file, what in re.findall(r"`(\S+\.(?:cpp|sh))`: (.*?)(?=; `| \|$)", row):
                tests = self.cases_of(REPO / "selftests" / file)
                for name in re.findall(r'"(.*?)"(?=, "| \(|$)', what):
                    named.add(name)
                    with self.subTest(file=file):
                        self.assertIn(name, tests)
        self.assertIn("a program is confined when it is executed by its path", named)
        self.assertIn("faults: an execution that was selected never runs unrestricted", named)

    @staticmethod
    def cases_of(path):
        if path.suffix == ".sh":
            return set(re.findall(r'^\s*check "(.*?)"', path.read_text(encoding="utf-8"), re.M))
        cases = re.findall(r"^TEST_CASE(?:_METHOD)?\((.*?)\) \{", path.read_text(encoding="utf-8"), re.M | re.S)
        return {"".join(re.findall(r'"((?:[^"\\]|\\.)*)"', case)).replace('\\"', '"') for case in cases}


class Completions(unittest.TestCase):
    """The text of each completion, and what the shells make of it."""
    maxDiff = None
    VALUES = {"check --allow": "lints", "dump --format": "formats", "load --enforce-at": "hooks"}

    @classmethod
    def setUpClass(cls):
        cls.help = Help()

    def complete_bash(self, line):
        """What is offered at the end of a line, as readline calls a completion."""
        script = '''source "$1" || exit 1
            line=$2 COMP_LINE=$2 COMP_POINT=${#2}
            read -ra COMP_WORDS <<< "${line//:/ : }"
            [[ $line == *[[:space:]] ]] && COMP_WORDS+=('')
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            _llexec llexec "${COMP_WORDS[COMP_CWORD]}" && ((${#COMPREPLY[@]} == 0)) ||
                printf '%s\\n' "${COMPREPLY[@]}"'''
        return self.answers(["bash", "--norc", "-c", script, "-", COMPLETIONS / "llexec.bash", line])

    def complete_fish(self, line):
        script = "source $argv[1]; complete -C $argv[2]"
        return self.answers(["fish", "--no-config", "-c", script, COMPLETIONS / "llexec.fish", line])

    def answers(self, command):
        with tempfile.TemporaryDirectory() as home:
            result = subprocess.run(command, cwd=DATA, text=True, capture_output=True, timeout=60, check=False,
                                    env={"PATH": os.environ["PATH"], "HOME": home, "LC_ALL": "C.UTF-8"})
        self.assertEqual((result.returncode, result.stderr), (0, ""), command[-1])
        return {answer.split("\t")[0].rstrip("/") for answer in result.stdout.splitlines()}

    def check_answers(self, complete):
        """What both shells that can be asked must say."""
        self.assertEqual(complete("llexec "), set(self.help.commands))
        self.assertEqual(complete("llexec -"), COMMON | {"--version"})
        for command, options in self.help.command_options.items():
            with self.subTest(command=command):
                self.assertEqual(complete(f"llexec {command} -"), options | COMMON)
                self.assertEqual(complete(f"llexec --json {command} --"), options | COMMON - {"-h"})
        for line, names in self.VALUES.items():
            with self.subTest(line=line):
                self.assertEqual(complete(f"llexec {line} "), set(getattr(self.help, names)))
        accesses = {verb if verb in ("signal", "unix-abstract") else verb + ":" for verb in self.help.verbs}
        policies = {path.name for path in DATA.iterdir() if path.is_dir() or path.suffix in (".toml", ".json")}
        self.assertEqual(complete("llexec explain "), accesses | policies)
        for command in ("check", "diff", "dump", "load", "run"):
            with self.subTest(command=command):
                self.assertEqual(complete(f"llexec {command} "), policies)
        self.assertEqual(complete("llexec check set/"), {"set/10-first.toml", "set/20-second.toml"})
        self.assertEqual(complete("llexec check --strict v"), {"valid.toml", "valid.json"})
        self.assertEqual(complete("llexec match --policies v"), {"valid.toml", "valid.json"})
        self.assertEqual(complete("llexec match --user roo"), {"root"})
        self.assertIn("/etc/passwd", complete("llexec match --user root /etc/passw"))
        self.assertIn("seq", complete("llexec run valid.toml -- se"))
        # CMD's files are not policies.
        self.assertIn("empty/README", complete("llexec run valid.toml -- cat empty/"))
        self.assertEqual(complete("llexec probe "), set())

    def test_bash(self):
        self.assertIsNotNone(shutil.which("bash"))
        self.check_answers(self.complete_bash)
        # readline replaces what follows the last colon or equals sign.
        self.assertEqual(self.complete_bash(f"llexec explain valid.toml read:{DATA}/set/10"), {f"{DATA}/set/10-first.toml"})
        self.assertEqual(self.complete_bash(f"llexec explain valid.toml rename:/x:{DATA}/empty/R"), {f"{DATA}/empty/README"})
        self.assertEqual(self.complete_bash("llexec explain valid.toml tcp-bind:"), set())
        self.assertEqual(self.complete_bash("llexec check --allow=no-m"), {"no-match"})

    def test_fish(self):
        if shutil.which("fish") is None:
            self.skipTest("fish is not installed")
        self.assertEqual(self.answers(["fish", "-n", COMPLETIONS / "llexec.fish"]), set())
        self.check_answers(self.complete_fish)
        self.assertEqual(self.complete_fish(f"llexec explain valid.toml read:{DATA}/empty/R"), {f"read:{DATA}/empty/README"})

    def test_zsh_syntax(self):
        if shutil.which("zsh") is None:
            self.skipTest("zsh is not installed")
        self.assertEqual(self.answers(["zsh", "-f", "-n", COMPLETIONS / "_llexec"]), set())

    def test_zsh_text(self):
        text = (COMPLETIONS / "_llexec").read_text(encoding="utf-8")
        blocks = dict(re.findall(r"^\t(\w+)=\((.*?)^\t\)", text, re.M | re.S))
        self.assertEqual(re.findall(r"'([a-z]+):", blocks["commands"]), self.help.commands)
        self.assertEqual(re.findall(r"'([a-z-]+):(.*)'", blocks["paths"] + blocks["others"]),
                         list(zip(self.help.verbs, self.help.accesses.values())))
        self.assertEqual(blocks["lints"].split(), self.help.lints)
        self.assertIn(f":({' '.join(self.help.formats)})'", text)
        self.assertIn(f":({' '.join(self.help.hooks)})'", text)
        documents = set(re.findall(r"'(--[a-z-]+)\[", blocks["documents"]))
        cases = re.findall(r"^\t\t([a-z |]+)\)\n(.*?)^\t\t\t;;", text, re.M | re.S)
        found = {command: set(re.findall(r"'\*?(--[a-z-]+)=?\[", body)) | (documents if "$documents" in body else set())
                 for names, body in cases for command in names.split(" | ")}
        self.assertEqual(found, self.help.command_options)

    def test_fish_text(self):
        text = (COMPLETIONS / "llexec.fish").read_text(encoding="utf-8")
        self.assertEqual(re.findall(r"-n __llexec_first -a (\w+)", text), self.help.commands)
        self.assertEqual(re.search(r"set -g __llexec_commands (.*)", text)[1].split(), self.help.commands)
        self.assertEqual(re.search(r"-l allow .*? -xa '(.*?)'", text, re.S)[1].split(), self.help.lints)
        found = {command: set() for command in self.help.commands}
        for commands, option in re.findall(r"-n '__llexec_using ([a-z ]+)' -l ([a-z-]+)", text):
            for command in commands.split():
                found[command].add(f"--{option}")
        self.assertEqual(found, self.help.command_options)


class PolicyFormat(unittest.TestCase):
    """llexec.toml(5) and policy-format.md against the JSON schema."""

    @classmethod
    def setUpClass(cls):
        cls.tables = collections.defaultdict(set)
        cls.words = collections.defaultdict(set)
        cls.spellings = set()
        cls.collect(json.loads(llexec("schema").stdout), "")
        cls.page = Manual("docs/man/llexec.toml.5")
        parts = re.split(r"^##+ (.*)$", read("docs/policy-format.md"), flags=re.M)
        cls.chapters = dict(zip([title.strip("`") for title in parts[1::2]], parts[2::2]))

    @classmethod
    def collect(cls, node, table):
        """The keys of each table as TOML writes them, and the words that values can be."""
        for name, value in node.get("properties", {}).items():
            key = re.sub(r"[A-Z]", lambda letter: "_" + letter[0].lower(), name)
            cls.spellings.add(name)
            cls.tables[table].add(key)
            pending = [value]
            while pending:
                one = pending.pop()
                cls.words[key].update(word for word in one.get("enum", []) if isinstance(word, str))
                pending += [each for each in (*one.get("anyOf", []), one.get("items")) if isinstance(each, dict)]
                if "properties" in one and one.get("type") == "object":
                    cls.collect(one, key)

    @staticmethod
    def title(table):
        return f"[{table}]" if table in ("enforce", "lint") else f"[[{table}]]"

    def test_schema_was_understood(self):
        self.assertLessEqual({"abi", "include", "match", "lint"}, self.tables[""])
        self.assertIn("exe_beneath", self.tables["match"])
        self.assertIn("log_new_exec_on", self.words["log"])

    def test_manual_has_the_keys(self):
        for table, keys in self.tables.items():
            tags = self.page.tags["DESCRIPTION", self.title(table) if table else "Top level"]
            with self.subTest(table=table):
                self.assertEqual({re.match(r"[\[\]]*(\w+)", tag)[1] for tag in tags}, keys)
        sections = {name for section, name in self.page.subsections if section == "DESCRIPTION"}
        self.assertEqual(sections, {self.title(table) if table else "Top level" for table in self.tables})

    def test_format_has_the_keys(self):
        for table, keys in self.tables.items():
            for key in keys:
                where = self.chapters[self.title(table)] if table else read("docs/policy-format.md")
                where += self.chapters["Quiet rules"] if key == "quiet" else ""
                with self.subTest(table=table, key=key):
                    self.assertRegex(where, rf"`{key}`|`{key} = |`\[+{key}\]+`|(?m:^{key} = )")
        titles = {self.title(key) if key in self.tables else key for key in self.tables[""]}
        self.assertEqual({title for title in self.chapters if title.startswith("[") or title in self.tables[""]}, titles)
        for table in ("match", "enforce", "ruleset"):
            rows = re.findall(r"^\| (`[^|]*`) \|", self.chapters[self.title(table)], re.M)
            with self.subTest(table=table):
                self.assertEqual({key for row in rows for key in re.findall(r"`(\w+)`", row)}, self.tables[table])

    def test_words(self):
        page = self.page.path.read_text(encoding="utf-8").replace("\\-", "-")
        for key, words in self.words.items():
            if key == "allow":  # lints have a place of their own
                continue
            for word in words:
                with self.subTest(key=key, word=word):
                    self.assertRegex(page, rf"(?<![\w-]){re.escape(word)}(?![\w-])")
                    self.assertRegex(read("docs/policy-format.md"), rf'[`"]{re.escape(word)}[`"]')

    def test_json_spellings(self):
        camel = {name for name in self.spellings if not name.islower()}
        for text in (self.page.text["JSON"], self.chapters["JSON"]):
            self.assertEqual(set(re.findall(r"(?<![\"\w])[a-z]+(?:[A-Z][a-z]+)+(?![\"\w])", text)), camel)


class LintExamples(unittest.TestCase):
    """docs/lints.md shows what llexec says."""

    def test_examples(self):
        chapters = re.split(r"^## (.*)$", read("docs/lints.md"), flags=re.M)[1:]
        for name, chapter in zip(chapters[::2], chapters[1::2]):
            with self.subTest(lint=name), tempfile.TemporaryDirectory() as directory:
                self.run_example(name, chapter, pathlib.Path(directory))

    def run_example(self, name, chapter, directory):
        shown = None
        for language, body in re.findall(r"^```(\w*)\n(.*?)^```", chapter, re.M | re.S):
            if language == "toml":
                (directory / re.match(r"# (\S+)\n", body)[1]).write_text(body, encoding="utf-8")
                for program in re.findall(r'^exe = \["(.*?)"', body, re.M):
                    if not os.path.exists(program) and "nonexistent" not in program:
                        self.skipTest(f"{program} is not installed")
            elif language == "sh":
                subprocess.run(["sh", "-ec", body], cwd=directory, check=True, timeout=60)
            else:
                shown = body.splitlines()
        if name == "kernel-lacks-right" and not 0 < landlock_abi() < 10:
            self.skipTest("this kernel has no Landlock, or has UDP rights")
        self.assertRegex(shown[0], r"^\$ llexec check ")
        self.assertGreater(len(shown), 1)
        findings = [portable(line) for line in llexec(*shown[0].split()[2:], cwd=directory).stderr.splitlines()]
        for line in shown[1:]:
            self.assertTrue(line.endswith(f"[{name}]"), line)
            self.assertIn(portable(line), findings)


def landlock_abi():
    """0 or less: none."""
    libc = ctypes.CDLL(None, use_errno=True)
    return libc.syscall(ctypes.c_long(444), None, ctypes.c_size_t(0), ctypes.c_uint32(1))


def portable(line):
    """Without what differs between kernels and machines."""
    line = re.sub(r"kernel has ABI \d+", "kernel has ABI N", line)
    return re.sub(r"/lib/[a-z0-9_]+-linux-gnu/|/lib64/", "/lib/MACHINE/", line)


if __name__ == "__main__":
    LLEXEC, LLEXECD = (str(pathlib.Path(sys.argv.pop(1)).resolve()) for _ in range(2))
    unittest.main()
