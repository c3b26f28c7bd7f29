"""Checks every package of packages.toml that is installed, and writes the reports.

cd conformance && python -m harnesses.run [--only WORD] [--reports FOLDER] [--expect] [--jobs N]
"""

import argparse
import importlib.util
import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from refloss_conformance import jsonable

HERE = pathlib.Path(__file__).parent
REPORTS = HERE.parent / "reports"
SHOWN = "conformance/harnesses"  # the folder's name in commands, which are run from the root of the repository


def packages(only: str | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tomllib.loads((HERE / "packages.toml").read_text("utf-8"))["package"]
    return [package for package in found if only is None or only.lower() in package["title"].lower()]


def command(package: dict[str, Any]) -> str:
    """The one line that reproduces a row, from the root of the repository."""
    variables = "".join(f"{name}={value} " for name, value in package.get("environment", {}).items())
    return f"{variables}refloss check {package['check'].format(here=SHOWN)}"


def outcome(package: dict[str, Any]) -> dict[str, Any]:
    """What the checker says of a package; one that is not installed, or fails to import, says so."""
    row: dict[str, Any] = {"title": package["title"], "reproduce": command(package), "expect": package.get("expect", [])}
    if importlib.util.find_spec(package["module"]) is None:
        return {**row, "status": f"not run: {package['module']} is not installed"}
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "report.json"
        words = shlex.split(package["check"].format(here=str(HERE)))
        line = [sys.executable, "-m", "refloss_conformance.cli", "check", *words, "--json", str(path)]
        environment = {**os.environ, **package.get("environment", {}), "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        done = subprocess.run(line, capture_output=True, text=True, check=False, env=environment, timeout=600)
        if not path.exists():
            said = [text for text in done.stderr.strip().splitlines() if text.startswith("refloss:")]
            return {**row, "status": f"not run: {said[-1][9:] if said else f'the check ended with code {done.returncode}'}"}
        report = json.loads(path.read_text("utf-8"))
    report["command"] = row["reproduce"].partition("refloss ")[1] + row["reproduce"].partition("refloss ")[2]
    report["callable"] = report["callable"].replace(str(HERE), SHOWN)
    return {**row, "status": "run", "report": report}


def _named(report: dict[str, Any]) -> set[str]:
    """All that was named, in answers and apart from them."""
    return {name for one in report["deviations"] for name in one["names"]} | {finding["name"] for finding in report["findings"]}


def _deviation(report: dict[str, Any]) -> str:
    noticed = [finding["text"] for finding in report["findings"]]
    named = [" + ".join(f"`{name}`" for name in one["names"]) + _constants(one) for one in report["deviations"]]
    reach = [f" ({one['explained']} of {one['failing']} failing cases)" for one in report["deviations"]]
    text = " or ".join(name + share for name, share in zip(named, reach, strict=True))
    return "; ".join([*([text] if text else []), *noticed]) or ("none" if report.get("strict", report.get("passed")) else "unknown")


def _constants(one: dict[str, Any]) -> str:
    known = [str(c) for c in one["constants"] if c is not None]
    return f" [{', '.join(known)}]" if known else ""


def _number(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_number(v) for v in value) + "]"
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _worst(report: dict[str, Any]) -> str:
    if not report["worst"]:
        return ""
    case = report["worst"][0]
    if report["report"] == "scenes":
        got = case["raised"] if case["got"] is None else f"got {_cut(case['got'])}"
        return f"`{case['id']}`: {got}, wanted {_cut(case['expected'])}"
    inputs = ", ".join(f"{name} = {_number(value)}" for name, value in case["inputs"].items())
    parameters = ", ".join(f"{name} = {value}" for name, value in case["parameters"].items())
    numbers = f"got {_number(case['got'])}, wanted {_number(case['wanted'])}"
    return f"{case['what']} {case['symptom']}: {inputs} ({parameters}, {case['dtype']}): {numbers}"


def _cut(parts: dict[str, Any]) -> str:
    """An answer on a line of a table."""
    text = "; ".join(f"{name} {value}" for name, value in parts.items())
    return text if len(text) <= 120 else f"{text[:116]} ..."


def _tiers(report: dict[str, Any]) -> tuple[str, str]:
    if report["report"] == "scenes":
        return "pass" if report["passed"] else f"fail ({report['failed']} of {report['cases']} answers)", ""
    parts = [(what, report[what]) for what in ("value", "gradient") if report[what]]
    words = []
    for tier in ("strict", "training"):
        failed = [f"{what} {part[tier]['failed']} of {part['cases']}" for what, part in parts if part[tier]["failed"]]
        words.append("pass" if report[tier] else "fail" + (f" ({', '.join(failed)})" if failed else ""))
    return words[0], words[1]


def page(rows: list[dict[str, Any]]) -> str:
    """The report as Markdown."""
    lines = [
        "# Third-party losses and assigners against the golden vectors and scenes", "",
        "Generated by `cd conformance && python -m harnesses.run`; do not edit. Strict: 64 eps, condition-aware. Training: would a",
        "gradient step notice? Assigners answer with integers, which are right or wrong. A deviation is the known mistake, or other",
        "convention, that gives the failing results; all of each outcome is in `report.json`.", "",
        "| implementation | version | loss | strict | training | deviation | worst case |", "| --- | --- | --- | --- | --- | --- | --- |",
    ]  # fmt: skip
    for row in rows:
        if row["status"] != "run":
            lines.append(f"| {row['title']} | | | {row['status']} | | | |")
            continue
        report = row["report"]
        cells = [
            row["title"],
            f"{report['package']} {report['version']}",
            f"`{report.get('loss') or report['function']}`",
            *_tiers(report),
            _deviation(report),
            _worst(report),
        ]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    lines += ["", "## To reproduce a row", "", "From the root of the repository, with the package installed:", ""]
    for row in rows:
        lines += [f"- {row['title']}:", "", f"      {row['reproduce']}", ""]
    effects = {
        name: (title, effect)
        for row in rows if row["status"] == "run" for one in row["report"]["deviations"]
        for name, title, effect in zip(one["names"], one["titles"], one["effects"], strict=True)
    }  # fmt: skip
    lines += ["## What the deviations do", ""]
    lines += [f"- `{name}`: {title}. {effect}" for name, (title, effect) in sorted(effects.items())]
    return "\n".join(lines).rstrip() + "\n"


def main(given: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", metavar="WORD", help="only packages whose title holds it")
    parser.add_argument("--reports", type=pathlib.Path, default=REPORTS, metavar="FOLDER")
    parser.add_argument("--expect", action="store_true", help="fail if an expected deviation is not named")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="checks at a time; as many as processors")
    arguments = parser.parse_args(given)
    rows, missing = [], []
    pool = ThreadPoolExecutor(max(1, arguments.jobs))
    for row in pool.map(outcome, packages(arguments.only)):
        rows.append(row)
        names = _named(row["report"]) if row["status"] == "run" else set()
        missing += [f"{row['title']}: {name} was not named" for name in row["expect"] if row["status"] == "run" and name not in names]
        print(row["title"], row["status"], sorted(names), flush=True)
    arguments.reports.mkdir(parents=True, exist_ok=True)
    (arguments.reports / "README.md").write_text(page(rows), "utf-8")
    (arguments.reports / "report.json").write_text(jsonable.dumps({"schema": 1, "report": "packages", "rows": rows}), "utf-8")
    print("\n".join(missing), end="\n" if missing else "")
    return 1 if arguments.expect and missing else 0


if __name__ == "__main__":
    sys.exit(main())
