"""
What each environment kept of the promises; the table of it in `docs/compatibility.md`.

`python tests/compat/results.py` writes the table again from `docs/compatibility.json`.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NotRequired, TypedDict

from environments import AIRFLOWS, LOWEST, list_environments

DOCS = Path(__file__).resolve().parents[2] / "docs"
FILE = DOCS / "compatibility.json"
PAGE = DOCS / "compatibility.md"
TABLE = re.compile(r"(?<=<!-- matrix -->\n)(.*?)(?=<!-- end -->)", re.DOTALL)

# Each promise, in the order of the table, and what it means.
PROMISES = {
    "provider found": "Airflow finds the provider, and its description is valid",
    "form": "the connection form has all fields",
    "fetch": "a task reads a session",
    "wait: poke": "a sensor waits on a worker",
    "wait: reschedule": "a sensor waits in mode `reschedule`, with `since`",
    "wait: reschedule without since": "the same without `since`",
    "wait: deferred": "a sensor waits in the triggerer",
    "watch": "a change of a session creates an asset event",
    "memory": "what a process must remember outlives it",
    "clean up": "`clean` deletes what no run needs any more",
    "reminders, with a crash": "reminders keep their promise of `delivery` if the process is killed",
    "page": "the page answers in Airflow's API server",
    "YAML": "DAGs in YAML act (airflow-blueprint)",
    "YAML: approval": "a step in YAML asks before it sends",
    "YAML: watch": "a change starts a DAG in YAML",
    "native YAML": "Airflow's own importer reads the examples",
    "commands": "the commands work",
    "operations": "any operation of the API is called",
}
Kind = Literal["kept", "refused", "failed"]
WORDS = {"kept": "yes", "failed": "**failed**"}
NOT_THERE = "not there"
LETTERS = {"kept": "y", "refused": "r", "failed": "F", None: "-"}
RECORDING = threading.Lock()
WORST = ("failed", "refused", "kept")


class Outcome(TypedDict):
    """
    What became of one promise.

    :param outcome: Whether its tests passed, or showed the promised error.
    :param sentence: The promised error.
    """

    outcome: Kind
    sentence: NotRequired[str]


class Result(TypedDict):
    """
    What one environment kept.

    :param environment: Its name, such as `3.0.6/3.12`.
    :param run: The day of the run.
    :param seconds: How long the promises took.
    :param versions: Versions of Python and of packages.
    :param promises: Outcome of each promise; one that has no test there is missing.
    """

    environment: str
    run: str
    seconds: int
    versions: dict[str, str]
    promises: dict[str, Outcome]


def load_results() -> list[Result]:
    """Return the recorded results."""
    results: list[Result] = json.loads(FILE.read_text("utf-8")) if FILE.exists() else []
    return results


def record(result: Result) -> None:
    """Replace the recorded result of an environment, and write the table again."""
    with RECORDING:
        found = {one["environment"]: one for one in [*load_results(), result]}
        kept = [found[one.name] for one in list_environments() if one.name in found]
        FILE.write_text(json.dumps(kept, indent=2) + "\n", "utf-8")
        write_table()


def write_table() -> None:
    """Write the table of the recorded results into the page."""
    table = format_table(load_results())
    PAGE.write_text(TABLE.sub(lambda _: table, PAGE.read_text("utf-8")), "utf-8")


def format_table(results: Sequence[Result]) -> str:
    """Return the table in Markdown: a row for each promise, a column for each Airflow; below it, the refusals."""
    columns = {name: found for name in airflow_names() if (found := of_airflow(name, results))}
    sentences: list[str] = []
    rows = [
        ["", *(found[0]["versions"]["apache-airflow"] for found in columns.values())],
        ["---"] * (len(columns) + 1),
        ["Python", *(", ".join(one["versions"]["python"] for one in found) for found in columns.values())],
    ]
    for promise, meaning in PROMISES.items():
        outcomes = [worst_of(promise, found) for found in columns.values()]
        if any(outcomes):
            rows.append([f"**{promise}**: {meaning}", *(format_outcome(one, sentences) for one in outcomes)])
    notes = [f"{number}. {sentence}" for number, sentence in enumerate(sentences, 1)]
    lines = ["| " + " | ".join(row).strip() + " |" for row in rows]
    return "\n".join([*lines, "", *(["What the errors say:", "", *notes, ""] if notes else [])])


def airflow_names() -> list[str]:
    """Return the versions in the order of the table."""
    return [one.version for one in AIRFLOWS]


def of_airflow(version: str, results: Iterable[Result]) -> list[Result]:
    """Return the results of one Airflow, the oldest Python first."""
    return [one for one in results if one["environment"].partition("/")[0] == version]


def worst_of(promise: str, results: Sequence[Result]) -> Outcome | None:
    """Return the worst outcome of a promise in these results; None if it has no test there."""
    found = [one["promises"][promise] for one in results if promise in one["promises"]]
    return min(found, key=lambda one: WORST.index(one["outcome"]), default=None)


def format_outcome(outcome: Outcome | None, sentences: list[str]) -> str:
    """Return what the table says of an outcome; a new promised error joins the sentences."""
    if outcome is None:
        return NOT_THERE
    if outcome["outcome"] != "refused":
        return WORDS[outcome["outcome"]]
    sentence = outcome["sentence"]
    if sentence not in sentences:
        sentences.append(sentence)
    return f"refused ({sentences.index(sentence) + 1})"


def print_table(results: Sequence[Result]) -> None:
    """Print a line for each promise, with a letter for each environment."""
    print()
    for number, result in enumerate(results, 1):
        print(f"{number:>4}  {result['environment']:<16} {result['seconds'] / 60:4.1f} min")
    print(f"\n{'':<32}" + "".join(f"{number:>4}" for number in range(1, len(results) + 1)))
    for promise in PROMISES:
        print(f"{promise:<32}" + "".join(f"{LETTERS[find_outcome(promise, one)]:>4}" for one in results))
    print("\ny: kept; r: refused with the promised error; F: failed; -: not there", flush=True)


def find_outcome(promise: str, result: Result) -> str | None:
    """Return what became of a promise; None if it has no test there."""
    found = result["promises"].get(promise)
    return found["outcome"] if found else None


if __name__ == "__main__":
    write_table()
    print(f"{PAGE.name}: {len(load_results())} environments ({LOWEST} included)")
