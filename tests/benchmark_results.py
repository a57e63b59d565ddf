"""
The figures of the last `make bench`, and the tables of them in `docs/benchmarks.md`.

`python tests/benchmark_results.py` writes the tables again from `docs/benchmarks.json`.
"""

from __future__ import annotations

import ast
import json
import os
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple, NotRequired, TypedDict

DOCS = Path(__file__).resolve().parents[1] / "docs"
BENCHMARKS = DOCS.parent / "tests" / "benchmarks"
FILE = DOCS / "benchmarks.json"
PAGE = DOCS / "benchmarks.md"
PACKAGES = (
    "apache-airflow",
    "apache-airflow-providers-http",
    "apache-airflow-providers-smtp",
    "apache-airflow-providers-dbt-cloud",
    "apache-airflow-providers-airbyte",
    "aiohttp",
    "requests",
    "pydantic",
)
NOT_INSTALLED = "not installed"
NOT_MEASURED = "not measured"
# Each file of tests/benchmarks, in the order of the page, and its heading there.
PARTS = {
    "test_imports.py": "DAG files",
    "test_fetching.py": "Fetch",
    "test_streaming.py": "Stream the list of sessions",
    "test_waiting.py": "One waiting sensor",
    "test_slow_server.py": "A server that takes two seconds",
    "test_many_sensors.py": "Many waiting sensors",
    "test_watching.py": "Watched assets",
    "test_curves.py": "Growth",
    "test_planning.py": "Plan reminders",
    "test_mailing.py": "Mails without Airflow",
    "test_reminding.py": "Mails through Airflow",
    "test_page.py": "The page",
    "test_local_airflow.py": "A local Airflow",
}


class Figure(NamedTuple):
    """
    One row of a table.

    :param what: What was measured.
    :param measured: The figure of this provider.
    :param bar: What it must reach; empty if nothing is promised.
    :param peer: The same of others, measured in the same run.
    """

    what: str
    measured: str
    bar: str
    peer: str = ""


class Point(TypedDict):
    """
    What a number of triggers cost.

    :param count: How many there were.
    :param requests: Requests in one poll interval.
    :param connections: TCP connections.
    :param memory: Memory of the process in MiB, over one with a single trigger.
    :param ended: How many ended with an error meanwhile.
    """

    count: int
    requests: float
    connections: int
    memory: float
    ended: NotRequired[int]


class Measurement(TypedDict):
    """
    The figures of one test.

    :param run: The day of the run.
    :param load: The load average of the machine when the test ended.
    :param figures: The rows.
    """

    run: str
    load: float
    figures: list[list[str]]


class Results(TypedDict):
    """
    All figures of one machine and one set of versions.

    :param versions: Versions of Python and packages, and the number of cores.
    :param tests: The figures of each test.
    :param curves: For `waiting` and `watching`: the points of each class.
    """

    versions: dict[str, str]
    tests: dict[str, Measurement]
    curves: dict[str, dict[str, list[Point]]]


def find_versions() -> dict[str, str]:
    """Return the versions that may change a figure, and the number of cores."""
    found = {"Python": platform.python_version(), "cores": str(os.cpu_count())}
    for one in PACKAGES:
        try:
            found[one] = version(one)
        except PackageNotFoundError:
            found[one] = NOT_INSTALLED
    return found


def beside(name: str, theirs: float | None, ours: float, unit: str, digits: int = 0) -> str:
    """Return the figure of a peer, and how many times ours it is; without one, that the peer is not installed."""
    if theirs is None:
        return f"{name}: {NOT_INSTALLED}"
    ratio = f" ({format_ratio(theirs / ours)} x)" if ours > 0 and theirs > 0 else ""
    return f"{name} {theirs:,.{digits}f}{unit}{ratio}"


def format_ratio(ratio: float) -> str:
    """Return a ratio with two digits that count."""
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.1f}" if ratio >= 1 else f"{ratio:.2f}"


def list_benchmarks(file: str) -> list[str]:
    """
    Return the names of the tests in a file of `tests/benchmarks`.

    :param file: The name of the file.
    """
    body = ast.parse((BENCHMARKS / file).read_text("utf-8")).body
    return [one.name for one in body if isinstance(one, ast.FunctionDef) and one.name.startswith("test_")]


def load_results() -> Results:
    """Return the stored figures."""
    if not FILE.exists():
        return {"versions": {}, "tests": {}, "curves": {}}
    stored: Results = json.loads(FILE.read_text("utf-8"))
    return stored


def store_results(tests: dict[str, list[Figure]], curves: dict[str, dict[str, list[Point]]]) -> Results:
    """
    Store the figures of a run, and write the tables; return all that is stored.

    Figures of tests that did not run stay, unless versions differ: then they are of other code.

    :param tests: The rows of each test that passed.
    :param curves: The points of the curves that were measured.
    """
    stored, versions = load_results(), find_versions()
    if stored["versions"] != versions:
        stored = {"versions": versions, "tests": {}, "curves": {}}
    run, load = f"{datetime.now(tz=UTC):%Y-%m-%d}", round(os.getloadavg()[0], 1)
    for test, figures in tests.items():
        stored["tests"][test] = {"run": run, "load": load, "figures": [list(one) for one in figures]}
    for name, lines in curves.items():
        stored["curves"].setdefault(name, {}).update(lines)
    FILE.write_text(json.dumps(stored, indent=1, ensure_ascii=False, sort_keys=True) + "\n", "utf-8")
    stored = load_results()  # in the order of the file, so that the page can be written from it again
    write_page(stored)
    return stored


def write_page(results: Results) -> None:
    """Write the generated parts of the page."""
    PAGE.write_text(fill(PAGE.read_text("utf-8"), results), "utf-8")


def fill(page: str, results: Results) -> str:
    """Return the page with its generated parts."""
    for name, text in {"machine": format_machine(results), "figures": format_figures(results)}.items():
        start = f"<!-- {name} -->\n"
        before, _, rest = page.partition(start)
        _, end, after = rest.partition("<!-- end -->")
        page = f"{before}{start}{text}{end}{after}"
    return page


def format_machine(results: Results) -> str:
    """Return the versions as a table, and when and under which load the figures were taken."""
    taken = results["tests"].values()
    runs, loads = sorted({one["run"] for one in taken}), sorted(one["load"] for one in taken)
    rows = [*results["versions"].items()]
    if runs:
        rows.append(("measured", runs[0] if len(runs) == 1 else f"{runs[0]} to {runs[-1]}"))
        rows.append(("load average of the machine", f"{loads[0]:.1f} to {loads[-1]:.1f}"))
    return format_table(("what", "value"), rows)


def format_figures(results: Results) -> str:
    """Return a heading and a table for each part. A test without figures has a row that says so."""
    header = ("what", "measured", "bar", "peers, in the same run")
    parts = []
    for file, heading in PARTS.items():
        rows = [row for name in list_benchmarks(file) for row in find_rows(results, file, name)]
        parts.append(f"### {heading}\n\n{format_table(header, rows)}\n")
    return "".join(parts)


def find_rows(results: Results, file: str, name: str) -> list[list[str]]:
    """Return the rows of a test, with all its parameters."""
    tests = [taken["figures"] for key, taken in results["tests"].items() if key.partition("[")[0] == f"{file}::{name}"]
    return [row for figures in tests for row in figures] or [[f"`{name}`", NOT_MEASURED, "", ""]]


def format_table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table in Markdown."""
    header = list(header)
    lines = [header, ["---"] * len(header), *(list(one) for one in rows)]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


if __name__ == "__main__":
    write_page(load_results())
