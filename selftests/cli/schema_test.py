#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Holds `llexec schema` against the parser: both accept the same JSON, but for what a schema cannot say.

    schema_test.py LLEXEC

Every vector of Landlock Config, every JSON policy of the data folder, mutations of them, and what dump makes of every TOML one.
Exits 4 (skipped) without python3-jsonschema.
"""
import copy
import json
import pathlib
import random
import subprocess
import sys
import tempfile

try:
    import jsonschema
except ImportError:
    print("skipped: python3-jsonschema is not installed")
    sys.exit(4)

HERE = pathlib.Path(__file__).resolve().parent
DATA = HERE.parent / "data"

# What the parser finds wrong and a schema cannot say. Anything else that only one of them refuses is a mistake.
ONLY_THE_PARSER = (
    "needs 'abi'", "is not declared", "no access right is handled", "there is no user", "there is no group",
    "is there twice", "JSON syntax", "cannot include", "includes itself", "is a floating-point number",
    "found a floating-point number", "is too large", "has rights that are not handled", "but no right of its class is quiet",
    "is out of range", "stands for too many paths", "nested too deeply", "is a path of the file system", "no cgroup can be named",
    "combinations of its users",
)


def load_json(text):
    """The value, or None: what is no JSON, or has a key twice, is not a schema's business."""
    def pairs(items):
        if len({key for key, _ in items}) != len(items):
            raise ValueError("twice")
        return dict(items)
    try:
        return json.loads(text, object_pairs_hook=pairs)
    except ValueError:
        return None


class Checker:
    def __init__(self, llexec):
        self.llexec = llexec
        schema = json.loads(self.run("schema").stdout)
        jsonschema.Draft7Validator.check_schema(schema)
        self.validator = jsonschema.Draft7Validator(schema)
        self.directory = tempfile.TemporaryDirectory()
        self.documents = {}

    def run(self, *arguments):
        return subprocess.run([self.llexec, *arguments], text=True, capture_output=True, check=False)

    def add(self, name, document):
        self.documents[f"{len(self.documents):05}"] = (name, document)

    def parse_all(self):
        """Errors of the parser by document: one run for all of them."""
        for key, (_, document) in self.documents.items():
            (pathlib.Path(self.directory.name) / f"{key}.json").write_text(json.dumps(document), encoding="utf-8")
        report = json.loads(self.run("--json", "check", "--text-only", self.directory.name).stdout)
        errors = {key: [] for key in self.documents}
        for finding in report["diagnostics"]:
            if finding["severity"] == "error":
                errors[pathlib.Path(finding["file"]).stem].append(finding["message"])
        return errors

    def compare(self):
        failures = agreed = refused = 0
        for key, errors in self.parse_all().items():
            name, document = self.documents[key]
            by_schema = next(iter(self.validator.iter_errors(document)), None)
            beyond = [e for e in errors if not any(words in e for words in ONLY_THE_PARSER)]
            if by_schema is None and beyond:
                print(f"only the parser refuses {name}: {beyond[0]}\n  {json.dumps(document)[:300]}")
            elif by_schema is not None and not errors:
                print(f"only the schema refuses {name}: {by_schema.message[:200]}\n  {json.dumps(document)[:300]}")
            else:
                agreed += 1
                refused += by_schema is not None
                continue
            failures += 1
        print(f"{agreed} documents judged alike ({refused} of them refused by both), {failures} not")
        return failures


def mutate(document, source):
    """Some change somewhere: a key gone, renamed or null, a value of another type, an array emptied."""
    result = copy.deepcopy(document)
    places = []

    def walk(node):
        if isinstance(node, dict):
            places.extend((node, key) for key in node)
            for value in list(node.values()):
                walk(value)
        elif isinstance(node, list):
            places.extend((node, index) for index in range(len(node)))
            for value in node:
                walk(value)

    walk(result)
    node, key = source.choice(places)
    choice = source.randrange(8)
    if choice == 0:
        del node[key]
    elif choice == 1 and isinstance(node, dict):
        node[source.choice(["abi", "parent", "port", "name", "quiet", "xyz", "scoped", "allowedAccess"])] = node.pop(key)
    else:
        node[key] = source.choice([None, [], {}, "", "abi.all", "read_file", "signal", "/a", "a/..", "$${", "${a}", "${", "/.", "/a\0", 0, 1, -1, 65536, True,
                                   [None], ["abi.all"], [1], [{}], [""], "deny", 443.5])
    return result


def main():
    checker = Checker(sys.argv[1])
    originals = []
    for vector in json.loads((DATA / "landlock_config" / "vectors.json").read_text(encoding="utf-8")):
        document = load_json(vector["json"]) if "json" in vector else None
        if document is not None:
            originals.append((vector["name"], document))
    for file in sorted(DATA.glob("*.json")):
        originals.append((file.name, load_json(file.read_text(encoding="utf-8"))))
    for file in sorted([*DATA.glob("**/*.toml"), *(HERE.parent.parent / "docs" / "examples").glob("*.toml")]):
        dumped = checker.run("dump", "--format", "json", str(file))
        if dumped.returncode == 0:
            originals.append((f"dump of {file.name}", json.loads(dumped.stdout)))
    for key in ("user", "group"):
        for value in ("", "/a\0", "0"):
            checker.add(f"{key} {value!r}", {"match": [{key: [value]}], "ruleset": [{"scoped": ["signal"]}]})
    source = random.Random(7)
    for name, document in originals:
        checker.add(name, document)
        if isinstance(document, dict) and document:
            for number in range(12):
                checker.add(f"{name}, mutation {number}", mutate(document, source))
    if len(checker.documents) < 1000:
        sys.exit("too few documents: is the data folder complete?")
    sys.exit(1 if checker.compare() else 0)


if __name__ == "__main__":
    main()
