"""langchain-tests beside others: `make compare`. Prints Markdown tables of what each class passes on the emulator.

    python compare/run.py [--xml FILE] [pytest's arguments]

The whole suite runs once for each class and model family, and what concerns structured output once for each method.
Not part of the tests: it says how the others fare, and needs them installed (constraints/compare.txt).
"""

from __future__ import annotations

import argparse
import datetime
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

from table import Outcome, differences, summary

HERE = Path(__file__).resolve().parent
NAMES = {
    "ours_native": "`ChatWorkersAI` (native)",
    "ours_openai": "`ChatWorkersAI` (/ai/v1)",
    "cloudflare_native": "`ChatCloudflareWorkersAI` (native)",
    "cloudflare_openai": "`ChatCloudflareWorkersAI` (/ai/v1)",
    "openai": "`ChatOpenAI` (/ai/v1)",
}
FAMILIES = {"Llama": "llama-3.3-70b", "GptOss": "gpt-oss-20b", "Gemma": "gemma-4-26b", "Scout": "llama-4-scout"}
PAIRS = (("cloudflare_native", "ours_native"), ("cloudflare_openai", "ours_openai"), ("openai", "ours_openai"))
PACKAGES = ("langchain-tests", "langchain-core", "langchain-cloudflare", "langchain-openai", "openai")


def run(xml: Path, arguments: Sequence[str]) -> None:
    """Run all suites: what is no matter of structured output once, not once per method. Failures are what is asked."""
    command = [sys.executable, "-m", "pytest", "-c", str(HERE / "pytest.ini"), f"--rootdir={HERE}"]
    command += [str(HERE / "suites.py"), "-k", "function_calling or structured_output", f"--junitxml={xml}"]
    command += ["-q", "--tb=no", "-rN", "--numprocesses=auto", "--maxprocesses=4", *arguments]
    path = os.pathsep.join([str(HERE), str(HERE.parent)])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CLOUDFLARE_", "CF_", "LANG"))}
    done = subprocess.run(command, env={**kept, "PYTHONPATH": path}, stdout=sys.stderr, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"pytest ended with {done.returncode}")


def outcomes(xml: Path) -> list[Outcome]:
    """What became of each test, in the order of NAMES and FAMILIES. One that also failed to clean up counts once."""
    found: dict[tuple[str, str], Outcome] = {}
    for case in ElementTree.parse(xml).iter("testcase"):  # noqa: S314 - written just now by our own pytest
        name = case.get("name", "")
        _, contestant, family, method = case.get("classname", "").rpartition(".")[2].split("__")
        failed = case.find("failure") is not None or case.find("error") is not None
        end = "failed" if failed else "skipped" if case.find("skipped") is not None else "passed"
        outcome = Outcome(NAMES[contestant], FAMILIES[family], name.partition("[")[0], f"{name}, {method}", end)
        key = (case.get("classname", ""), name)
        if key not in found or failed:
            found[key] = outcome
    who, families = list(NAMES.values()), list(FAMILIES.values())
    return sorted(found.values(), key=lambda each: (who.index(each.who), families.index(each.family)))


def main() -> None:
    """Run, and print."""
    parser = argparse.ArgumentParser(description="langchain-tests beside others")
    parser.add_argument("--xml", type=Path, help="keep pytest's report, with the reasons, here")
    told, rest = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        xml = told.xml or Path(folder) / "report.xml"
        run(xml.resolve(), rest)
        found = outcomes(xml)
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    print(f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, on this package's emulator, not the service: {versions}.\n")
    print(summary(found))
    for theirs, ours in PAIRS:
        print("\n" + differences(found, ours=NAMES[ours], theirs=NAMES[theirs]))


if __name__ == "__main__":
    main()
