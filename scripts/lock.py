"""Resolve the constraints files anew: `make lock`.

constraints/py3.txt     the newest versions of everything the extras and dependency groups of pyproject.toml ask for,
                        resolved by pip on every Python that this machine has
constraints/oldest.txt  the lowest versions that pyproject.toml declares, the rest resolved around them, on the oldest
                        of these Pythons (`make test-oldest`)

Only names and versions are written: no index, no hashes, no address.
"""

from __future__ import annotations

import datetime
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DESTINATION = ROOT / "constraints"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())

Pins = dict[str, str]  # name: version

# What the environments need besides: an installer that knows dependency groups, and what builds the package.
TOOLS = ["pip", "hatchling", "editables"]

# Declared floors that do not install beside the others, and what the others leave.
RAISED: Pins = {"pydantic": "2.11.5"}  # llama-index-workflows 2.14, which llama-index-core 0.14.23 asks for

# Around the lowest versions, what has to be old too.
HELD: Pins = {"click": "8.2.1"}  # typer 0.16 uses what click 8.3 deprecates

# Declared floors below what the test tools ask for in name only: resolved without, then written in.
FORCED = ("httpx",)  # langchain-tests 1.1.9: >=0.28.1


def declared() -> list[str]:
    """The requirements of the package and of all its extras, without the references to itself."""
    extras = PROJECT["project"]["optional-dependencies"].values()
    every = [*PROJECT["project"]["dependencies"], *(line for extra in extras for line in extra)]
    return [line for line in every if not line.startswith("workers-ai[")]


def floors() -> Pins:
    """The lowest version that each declared requirement allows."""
    found = {}
    for line in declared():
        match = re.match(r"([\w.-]+)(?:\[[\w,-]+\])?>=([\w.]+)", line)
        if match is None:
            raise SystemExit(f"{line!r} in pyproject.toml declares no lowest version")
        found[match[1]] = RAISED.get(match[1], match[2])
    return found


def resolve(python: str, requirements: list[str], groups: list[str]) -> Pins:
    """What pip would install into an empty environment of this Python."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([python, "-m", "venv", folder], check=True)
        pip = [f"{folder}/bin/python", "-m", "pip", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "-qq", "--upgrade", "pip"], check=True)
        command = [*pip, "install", "-qq", "--dry-run", "--ignore-installed", "--report", "-"]
        asked = [*requirements, *(f"--group={name}" for name in groups)]
        report = subprocess.run([*command, *asked], check=True, cwd=ROOT, stdout=subprocess.PIPE)
    packages = (entry["metadata"] for entry in json.loads(report.stdout)["install"])
    return {re.sub(r"[-_.]+", "-", one["name"]).lower(): one["version"] for one in packages}


def merge(by_python: dict[str, Pins]) -> list[str]:
    """One line a package; where the Pythons differ, one line a version with the Pythons it is for.

    >>> merge({"3.11": {"a": "1", "b": "1"}, "3.12": {"a": "1", "b": "2"}, "3.13": {"a": "1", "b": "2"}})
    ['a==1', 'b==1 ; python_version < "3.12"', 'b==2 ; python_version >= "3.12"']
    """
    lines = []
    for name in sorted({name for pins in by_python.values() for name in pins}):
        runs: list[tuple[str, str]] = []  # (version, the first Python that has it)
        for python, pins in by_python.items():
            version = pins.get(name)
            if version is not None and (not runs or runs[-1][0] != version):
                runs.append((version, python))
        for place, (version, since) in enumerate(runs):
            bounds = [f'python_version >= "{since}"'] if place else []
            if place + 1 < len(runs):
                bounds.append(f'python_version < "{runs[place + 1][1]}"')
            lines.append(" ; ".join([f"{name}=={version}", *([" and ".join(bounds)] if bounds else [])]))
    return lines


def write(name: str, pythons: list[str], lines: list[str]) -> None:
    """Write one constraints file, with a head that says where it comes from."""
    day = datetime.datetime.now(datetime.UTC).date()
    head = f"# Made by `make lock` on {day} with Python {', '.join(pythons)}: do not edit.\n"
    (DESTINATION / name).write_text(head + "".join(f"{line}\n" for line in lines))
    print(f"constraints/{name}: {len(lines)} lines")


def main() -> None:
    """Find the Pythons, resolve on each, write both files."""
    listing = subprocess.run(["sh", "scripts/pythons.sh"], check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    pythons = dict(line.split(" ", 1) for line in listing.stdout.splitlines())
    pythons = dict(sorted(pythons.items(), key=lambda item: int(item[0].split(".")[1])))
    groups = list(PROJECT["dependency-groups"])
    newest = {minor: resolve(path, [*declared(), *TOOLS], groups) for minor, path in pythons.items()}
    write("py3.txt", list(newest), merge(newest))

    oldest = next(iter(pythons))
    lowest = floors()
    exact = {**{name: version for name, version in lowest.items() if name not in FORCED}, **HELD}
    pinned = [f"{name}=={version}" for name, version in exact.items()]
    pins = resolve(pythons[oldest], [*pinned, *FORCED, *TOOLS], ["test"])
    pins.update({name: lowest[name] for name in FORCED})
    write("oldest.txt", [oldest], merge({oldest: pins}))


if __name__ == "__main__":
    sys.exit(main())
