"""
The README is short, reads on a package index too, and shows what the demo prints.

`python tests/docs/test_readme.py` runs the demo, and writes its output again into the README and docs/start/demo.md.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

LONGEST = 180  # lines
REPOSITORY = Path(__file__).resolve().parents[2]
OUTPUT = re.compile(r"(?<=```text\n)360Learning provider.*?(?=```\n)", re.DOTALL)
LAST_SHOWN = "reminder job for"  # what the README shows ends with the first of these lines


def test_it_is_short(readme: Any) -> None:
    assert len(readme.text.splitlines()) <= LONGEST


def test_it_has_no_table_of_arguments(readme: Any) -> None:
    heads = re.findall(r"^\| (.+?) \|.*\n\| --- ", readme.text, re.MULTILINE)
    assert heads
    assert not {"argument", "setting", "field", "option"} & set(heads)


def test_links_are_absolute(readme: Any) -> None:
    links = re.findall(r"\]\(([^)]+)\)|^\[[^\]]+\]: (\S+)$|<img[^>]+src=\"([^\"]+)", readme.prose, re.MULTILINE)
    targets = ["".join(link) for link in links]
    assert targets
    assert [target for target in targets if not target.startswith("https://")] == []


def test_every_reference_is_defined_and_used(readme: Any) -> None:
    defined = set(re.findall(r"^\[([^\]]+)\]: ", readme.prose, re.MULTILINE))
    used = {" ".join(one.split()) for one in re.findall(r"\]\[([^\]]+)\]", readme.prose)}
    assert used == defined


def test_its_dag_is_that_of_the_first_page(readme: Any, pages: dict[str, Any]) -> None:
    assert readme.blocks("python") == pages["docs/start/first-dag.md"].blocks("python")


def test_its_dag_is_short(readme: Any) -> None:
    (dag,) = readme.blocks("python")
    assert len([line for line in dag.splitlines() if line.strip()]) <= 10


def demo_output(page: Any) -> str:
    (shown,) = [one for one in page.blocks("text") if one.startswith("360Learning provider")]
    return str(shown)


def test_it_shows_a_part_of_the_demo(readme: Any, pages: dict[str, Any]) -> None:
    whole = iter(fixed(demo_output(pages["docs/start/demo.md"])))
    part = [line for line in fixed(demo_output(readme)) if line.strip() != "..."]
    # In the same order: each search goes on where the one before ended.
    assert [line for line in part if line not in whole] == []


def run_demo() -> str:
    done = subprocess.run([sys.executable, "demo/demo.py"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_demo_prints_what_the_page_shows(pages: dict[str, Any]) -> None:
    shown = demo_output(pages["docs/start/demo.md"])
    # Sorted: the simulator's lines come from a thread of its own.
    assert sorted(fixed(run_demo())) == sorted(fixed(shown))


def fixed(text: str) -> list[str]:
    """The parts of the demo's output that do not change: no port, no duration, no date, no ID."""
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "DATE", text)
    text = re.sub(r"\w+day \d{1,2} \w+ \d{4} at \d\d:\d\d", "DATE", text)
    text = re.sub(r"\b[0-9a-f]{24}\b", "ID", text)
    text = re.sub(r"Done in [\d.]+ s", "Done in TIME", text)
    return [line for line in text.splitlines() if line.strip()]


def write_output() -> None:
    whole = run_demo()
    lines = whole.splitlines(keepends=True)
    end = next(number for number, line in enumerate(lines, 1) if LAST_SHOWN in line)
    part = "".join([*lines[:end], "   ...\n", lines[-1]])
    for page, output in (("docs/start/demo.md", whole), ("README.md", part)):
        path = REPOSITORY / page
        path.write_text(OUTPUT.sub(lambda _, output=output: output, path.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    sys.exit(write_output())
