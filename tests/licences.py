#!/usr/bin/env python3
"""Holds the licences of all dependencies against a list, and docs/licences.md against the dependencies.

tests/licences.py          exit status 1, with a sentence, where a licence is not allowed or the page is not what it should be
tests/licences.py --write  writes the page

Dependencies are those of Cargo.lock: of every platform, of building and of testing too. Needs cargo and Python's standard library.
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "licences.md"
# Licences that ask for their text and a name beside the program, or for nothing.
ALLOWED = {
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "Bitstream-Vera", "CC0-1.0", "ISC", "MIT", "MIT-0", "Unicode-3.0",
    "Unlicense", "Zlib", "bzip2-1.0.6",
}
# An exception takes conditions away, so that a licence with one is allowed where the licence is.
EXCEPTIONS = {"LLVM-exception"}
# What crates hold besides their own code, under terms that their metadata do not name.
BESIDES = {"dejavu": "Bitstream-Vera"}
OWN = "MIT"
HEAD = """# Licences of dependencies

What `Cargo.lock` names, on any platform, one line for each crate and licence. `tests/licences.py` fails when a crate or a licence is new here,
or when a licence leaves no choice among the allowed ones:
{allowed}.
`tests/licences.py --write` writes this page; versions are not on it, so that an update changes it only where a licence changes. *Program*:
code that may be part of `etnas-fast`; *tools*: of building, tests and benchmarks alone. Not listed: Python packages of `benches` and
`tests`, and the CUDA compiler of `cargo xtask`, no part of which is shipped.

| crate | licence | part of |
|---|---|---|
"""


def allowed(expression):
    """Whether an SPDX expression can be fulfilled with allowed licences. The slash of old crates means OR."""
    tokens = re.findall(r"[()]|[\w.+-]+", expression.replace("/", " OR "))
    position = 0

    def peek():
        return tokens[position] if position < len(tokens) else None

    def take():
        nonlocal position
        position += 1
        return tokens[position - 1] if position <= len(tokens) else None

    def choice():
        result = both()
        while peek() == "OR":
            take()
            result = both() or result
        return result

    def both():
        result = licence()
        while peek() == "AND":
            take()
            result = licence() and result
        return result

    def licence():
        token = take()
        if token == "(":
            result = choice()
            if take() != ")":
                raise ValueError(expression)
            return result
        if token in (None, ")", "AND", "OR", "WITH"):
            raise ValueError(expression)
        if peek() != "WITH":
            return token in ALLOWED
        take()
        exception = take()
        return token in ALLOWED and exception in EXCEPTIONS

    result = choice()
    if position != len(tokens) or re.sub(r"[()\w.+\s-]", "", expression.replace("/", "")):
        raise ValueError(expression)
    return result


def in_program(metadata):
    """Ids of packages that code of the program may come from: reached without dependencies of builds, tests and macros."""
    macros = {package["id"] for package in metadata["packages"] for target in package["targets"] if "proc-macro" in target["kind"]}
    edges = {
        node["id"]: [
            edge["pkg"]
            for edge in node["deps"]
            if edge["pkg"] not in macros and any(kind["kind"] is None for kind in edge["dep_kinds"])
        ]
        for node in metadata["resolve"]["nodes"]
    }
    members = set(metadata["workspace_members"])
    stack = [package["id"] for package in metadata["packages"] if package["id"] in members and package["name"] == "etnas"]
    found = set()
    while stack:
        package = stack.pop()
        if package not in found:
            found.add(package)
            stack.extend(edges[package])
    return found


def examine(metadata):
    """The rows of the page, and sentences about what is wrong."""
    members, program = set(metadata["workspace_members"]), in_program(metadata)
    rows, wrong = {}, []
    for package in metadata["packages"]:
        name, licence = package["name"], package["license"]
        if package["id"] in members:
            if licence != OWN:
                wrong.append(f"The workspace's member {name} has the licence {licence}: {OWN} was expected.")
            continue
        if licence is not None and name in BESIDES:
            licence = f"({licence}) AND {BESIDES[name]}"
        try:
            fine = licence is not None and allowed(licence)
        except ValueError:
            wrong.append(f"The licence {licence!r} of {name} {package['version']} is no SPDX expression: read the crate's files.")
            continue
        if not fine:
            wrong.append(
                f"{name} {package['version']} has the licence {licence}, and none of its choices is allowed: "
                f"replace the crate, or allow the licence in tests/licences.py with a reason."
            )
        rows[name, licence] = rows.get((name, licence), False) or package["id"] in program
    return rows, wrong


def page(rows):
    parts = {True: "program", False: "tools"}
    lines = [f"| {name} | {licence} | {parts[program]} |\n" for (name, licence), program in sorted(rows.items())]
    return HEAD.format(allowed=", ".join(sorted(ALLOWED, key=str.lower))) + "".join(lines)


def differences(found, expected):
    """Sentences about lines that only one of two pages has."""
    here, there = found.splitlines(), expected.splitlines()
    sentences = [f"docs/licences.md lacks the line: {line}" for line in there if line not in here]
    sentences += [f"docs/licences.md has a line that is no longer true: {line}" for line in here if line not in there]
    if not sentences and found != expected:
        sentences.append("The lines of docs/licences.md are out of order.")
    return sentences


def self_test():
    """A check that lets everything pass is none: this one must refuse what it should."""
    for expression in ("MIT", "MIT/Apache-2.0", "GPL-3.0-only OR MIT", "(MIT OR GPL-2.0+) AND Unicode-3.0",
                       "Apache-2.0 WITH LLVM-exception", "MIT OR (GPL-3.0-only AND Zlib)"):
        assert allowed(expression), expression
    for expression in ("GPL-3.0-only", "MIT AND GPL-3.0-only", "GPL-2.0-only WITH LLVM-exception", "MIT WITH Odd-exception",
                       "(MIT OR GPL-2.0+) AND AGPL-3.0-only", "GPL-3.0-only AND Zlib OR MPL-2.0"):
        assert not allowed(expression), expression
    for expression in ("", "MIT OR", "(MIT", "MIT Apache-2.0", "MIT, Apache-2.0", "AND MIT", "MIT)"):
        try:
            allowed(expression)
        except ValueError:
            continue
        raise AssertionError(f"{expression!r} passes for an expression")

    def metadata(**licences):
        packages = [
            {"id": name, "name": name, "version": "1.0.0", "license": licence,
             "targets": [{"kind": ["proc-macro" if name == "macro" else "lib"]}]}
            for name, licence in licences.items()
        ]
        deps = [{"pkg": name, "dep_kinds": [{"kind": "dev" if name == "tool" else None}]} for name in licences if name != "etnas"]
        nodes = [{"id": name, "deps": deps if name == "etnas" else []} for name in licences]
        return {"packages": packages, "workspace_members": ["etnas"], "resolve": {"nodes": nodes}}

    rows, wrong = examine(metadata(etnas="MIT", part="Zlib", tool="ISC", macro="MIT"))
    assert not wrong and rows == {("part", "Zlib"): True, ("tool", "ISC"): False, ("macro", "MIT"): False}, (rows, wrong)
    for licence in ("GPL-3.0-only", None, "see LICENSE.txt"):
        assert len(examine(metadata(etnas="MIT", part=licence))[1]) == 1, licence
    assert len(examine(metadata(etnas=None))[1]) == 1
    more, _ = examine(metadata(etnas="MIT", part="Zlib", tool="ISC", macro="MIT", other="MIT"))
    changed, _ = examine(metadata(etnas="MIT", part="MIT", tool="ISC", macro="MIT"))
    assert [len(differences(page(rows), page(other))) for other in (rows, more, changed)] == [0, 1, 2]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write docs/licences.md")
    write = parser.parse_args().write
    self_test()
    command = ["cargo", "metadata", "--locked", "--format-version", "1"]
    output = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=False)
    if output.returncode:
        sys.exit(f"'{' '.join(command)}' failed: what it says stands above.")
    rows, wrong = examine(json.loads(output.stdout))
    if write:
        PAGE.write_text(page(rows), encoding="utf-8")
    else:
        found = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
        stale = differences(found, page(rows))
        wrong += stale + ["Read the new licences, then run tests/licences.py --write."] * bool(stale)
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    if wrong:
        sys.exit(1)
    print(f"{len(rows)} crates, {sum(rows.values())} of them part of the program: all licences are allowed.")


if __name__ == "__main__":
    main()
