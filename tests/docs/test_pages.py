"""What the pages point to exists: files, headings, tests, rooms."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PACKAGE = "src/airflow_provider_learning360"
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
NAMED_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def named_tests() -> list[tuple[str, str]]:
    text = (Path(__file__).resolve().parents[2] / "docs/guarantees.md").read_text(encoding="utf-8")
    return sorted(set(NAMED_TEST.findall(text)))


def test_links_lead_somewhere(pages: dict[str, Any], repository: Path) -> None:
    broken = []
    for name, page in pages.items():
        for link in LINK.findall(page.prose):
            target, _, anchor = link.partition("#")
            if "://" in target:
                continue
            path = (page.path.parent / target).resolve() if target else page.path
            if not path.exists():
                broken.append(f"{name}: {link}")
            elif anchor and anchor not in pages[str(path.relative_to(repository))].anchors:
                broken.append(f"{name}: {link} (no such heading)")
    assert broken == []


@pytest.mark.parametrize(("path", "test"), named_tests(), ids=str)
def test_a_guarantee_names_a_test_that_exists(path: str, test: str, repository: Path) -> None:
    assert (repository / path).is_file()
    assert not test or re.search(rf"^\s*(async )?def {test}\(", (repository / path).read_text("utf-8"), re.MULTILINE)


def test_every_guarantee_names_a_test(pages: dict[str, Any]) -> None:
    rows = [line for line in pages["docs/guarantees.md"].text.splitlines() if line.startswith("| ")]
    promises = [row for row in rows if not row.startswith(("| guarantee", "| what happens", "| ---"))]
    assert promises
    assert [row for row in promises if not NAMED_TEST.search(row)] == []


@pytest.mark.parametrize("page", ["README.md", "docs/architecture.md"])
def test_a_map_names_every_room(page: str, pages: dict[str, Any], repository: Path) -> None:
    rooms = {path.parent.name for path in (repository / PACKAGE).glob("*/__init__.py")}
    assert rooms
    assert {room for room in rooms if f"{room}/" not in pages[page].text} == set()


def test_the_architecture_names_every_module_of_the_core(pages: dict[str, Any], repository: Path) -> None:
    text = pages["docs/architecture.md"].text
    modules = [
        path
        for room in ("api", "hooks", "sensors")
        for path in (repository / PACKAGE / room).glob("*.py")
        if path.name not in ("__init__.py", "program_session.py")
    ]
    assert {path.name for path in modules if f"`{path.name}`" not in text} == set()


def test_files_that_the_pages_name_exist(pages: dict[str, Any], repository: Path) -> None:
    named = {
        (name, path)
        for name, page in pages.items()
        for path in re.findall(r"`((?:src|docs|demo|dags_examples|constraints)/[\w./-]+)`", page.text)
    }
    assert {(name, path) for name, path in named if not (repository / path).exists()} == set()
