"""The README is short, reads on a package index too, and shows what the demo prints."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

LONGEST = 180  # lines


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


def test_the_demo_prints_what_the_page_shows(pages: dict[str, Any], repository: Path) -> None:
    shown = demo_output(pages["docs/start/demo.md"])

    done = subprocess.run([sys.executable, "demo/demo.py"], cwd=repository, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    # Sorted: the simulator's lines come from a thread of its own.
    assert sorted(fixed(done.stdout)) == sorted(fixed(shown))


def fixed(text: str) -> list[str]:
    """The parts of the demo's output that do not change: no port, no duration, no time of the edit."""
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)
    text = re.sub(r"Done in [\d.]+ s", "Done in TIME", text)
    return [re.sub(r"(modifiedAt: \S+ -> )\S+", r"\1NOW", line) for line in text.splitlines() if line.strip()]
