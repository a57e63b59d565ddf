"""What the pages point to exists: files, headings, tests, packages."""

from __future__ import annotations

import re
import sys
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pytest

PACKAGE = "src/airflow_provider_learning360"
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)$", re.MULTILINE)
NAMED_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
PROJECT = "https://github.com/airflow-provider-learning360/airflow-provider-learning360"


def named_tests() -> list[tuple[str, str]]:
    text = (Path(__file__).resolve().parents[2] / "docs/guarantees.md").read_text(encoding="utf-8")
    return sorted(set(NAMED_TEST.findall(text)))


def links_of(page: Any) -> list[str]:
    return [inline or reference for inline, reference in LINK.findall(page.prose)]


def test_links_lead_somewhere(pages: dict[str, Any], repository: Path) -> None:
    broken = []
    for name, page in pages.items():
        for link in links_of(page):
            target, _, anchor = link.partition("#")
            if "://" in target:
                continue
            path = (page.path.parent / target).resolve() if target else page.path
            if not path.exists():
                broken.append(f"{name}: {link}")
            elif anchor and anchor not in pages[str(path.relative_to(repository))].anchors:
                broken.append(f"{name}: {link} (no such heading)")
    assert broken == []


def test_links_into_the_project_lead_to_files(pages: dict[str, Any], repository: Path) -> None:
    links = [link for page in pages.values() for link in links_of(page) if link.startswith(PROJECT)]
    paths = [re.sub(rf"^{PROJECT}/(blob|raw|tree)/main/", "", link).partition("#")[0] for link in links]
    assert paths
    assert [path for path in paths if not (repository / path).exists()] == []


def test_the_project_has_one_address(pages: dict[str, Any], repository: Path) -> None:
    urls = tomllib.loads((repository / "pyproject.toml").read_text())["project"]["urls"]
    assert urls["Source"] == PROJECT
    assert {url.partition("/blob/")[0].removesuffix("/issues") for url in urls.values()} == {PROJECT}
    sphinx = (repository / "docs/conf.py").read_text()
    assert f'"{PROJECT}/tree/main"' in sphinx


@pytest.mark.parametrize(("path", "test"), named_tests(), ids=str)
def test_a_guarantee_names_a_test_that_exists(path: str, test: str, repository: Path) -> None:
    assert (repository / path).is_file()
    names = set(re.findall(r"^\s*(?:async )?def (\w+)\(", (repository / path).read_text("utf-8"), re.MULTILINE))
    assert not test or test in names, f"did you mean one of {get_close_matches(test, names)}?"


def test_every_guarantee_names_a_test(pages: dict[str, Any]) -> None:
    tables = re.findall(r"^\|.* proved by \|\n\| --- .*\n((?:\|.*\n)+)", pages["docs/guarantees.md"].text, re.MULTILINE)
    promises = [row for table in tables for row in table.splitlines()]
    assert len(promises) > 100
    assert [row for row in promises if not NAMED_TEST.search(row)] == []


def test_files_that_the_pages_name_exist(pages: dict[str, Any], repository: Path) -> None:
    named = {
        (name, path)
        for name, page in pages.items()
        for path in re.findall(r"`((?:src|docs|demo|tests|dags_examples|constraints)/[\w./-]+)`", page.text)
    }
    assert {(name, path) for name, path in named if not (repository / path).exists()} == set()


def test_every_page_is_in_the_table_of_contents(pages: dict[str, Any]) -> None:
    listed = re.findall(r"^[\w/-]+$", "\n".join(pages["docs/index.md"].text.split("```{toctree}")[1:]), re.MULTILINE)
    there = {name.removeprefix("docs/").removesuffix(".md") for name in pages if name.startswith("docs/")}
    assert set(listed) == there - {"index"}


def test_every_make_target_exists(pages: dict[str, Any], repository: Path) -> None:
    makefile = (repository / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    shown = "\n".join(page.shown for page in pages.values())
    named = set(re.findall(r"\bmake ([a-z-]+)(?=`|$| [A-Z]+=)", shown, re.MULTILINE))
    assert {"demo", "test", "docs", "dist"} <= named <= targets


def test_hosts_are_those_of_the_settings(pages: dict[str, Any]) -> None:
    from airflow_provider_learning360.api.settings import EU_HOST, US_HOST

    text = pages["docs/reference/settings.md"].text
    assert f"| EU (default) | `{EU_HOST}` |" in text
    assert f"| US | `{US_HOST}` |" in text


def test_symptoms_are_those_of_the_code(pages: dict[str, Any], repository: Path) -> None:
    section = pages["docs/how-to/errors.md"].text.split("| symptom |")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)` \| .* \| .* \|$", section, re.MULTILINE)
    assert len(rows) > 5
    source = "\n".join(path.read_text(encoding="utf-8") for path in (repository / PACKAGE).rglob("*.py"))
    source = re.sub(r'"\s*\n\s*f?"', "", source)  # long texts are written on several lines
    for symptom in rows:
        parts = re.sub(r"\d+$", "", symptom).split("...")
        assert all(part.strip() in source for part in parts), symptom


def test_classifiers_name_the_tested_python(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert f"Programming Language :: Python :: {version}" in project["classifiers"]


def test_tested_versions_are_named(pages: dict[str, Any], repository: Path) -> None:
    versions = re.findall(r'Airflow\("([\d.b]+)"', (repository / "tests/compat/environments.py").read_text())
    text = pages["docs/compatibility.md"].text
    assert len(versions) > 5
    assert [version for version in versions if version not in text] == []
