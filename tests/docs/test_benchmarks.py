"""The page of benchmarks has every figure of the last `make bench`, and names each benchmark without one."""

from __future__ import annotations

from pathlib import Path

import pytest

import benchmark_results as results

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = REPOSITORY / "tests" / "benchmarks"


def test_page_has_the_tables_of_the_stored_figures() -> None:
    page = results.PAGE.read_text("utf-8")
    assert results.fill(page, results.load_results()) == page


def test_page_names_each_row() -> None:
    page = results.PAGE.read_text("utf-8")
    tests = results.load_results()["tests"].values()
    rows = [what for test in tests for what, *_ in test["figures"]]
    assert [one for one in rows if f"| {one} |" not in page] == []


def test_benchmark_without_figures_is_named() -> None:
    rows = results.format_figures({"versions": {}, "tests": {}, "curves": {}}).splitlines()
    names = [name for file in FOLDER.glob("test_*.py") for name in results.list_benchmarks(file.name)]
    assert {"test_import", "test_curve", "test_many_deferred_sensors"} <= set(names)
    assert [one for one in names if f"| `{one}` | not measured |  |  |" not in rows] == []


def test_page_has_a_heading_for_each_file() -> None:
    assert set(results.PARTS) == {one.name for one in FOLDER.glob("test_*.py")}


def test_page_is_in_the_table_of_contents_with_its_plots() -> None:
    contents = (REPOSITORY / "docs" / "index.md").read_text("utf-8").splitlines()
    assert {"benchmarks", "scale"} <= set(contents)
    page = results.PAGE.read_text("utf-8")
    for name in results.load_results()["curves"]:
        file = f"images/benchmark-{name.replace(' ', '-')}.svg"
        assert f"({file})" in page
        assert (REPOSITORY / "docs" / file).stat().st_size < 60_000


def test_peer_that_is_not_installed_is_named() -> None:
    assert results.beside("DbtCloudRunJobTrigger", None, 1.0, " ms") == "DbtCloudRunJobTrigger: not installed"


def test_ratio_stands_beside_the_peer() -> None:
    assert results.beside("HttpSensorTrigger", 1_000, 1, "") == "HttpSensorTrigger 1,000 (1,000 x)"
    assert results.beside("HttpOperator", 3.0, 4.0, " ms") == "HttpOperator 3 ms (0.75 x)"


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Store figures in a folder of the test, where there are none yet."""
    monkeypatch.setattr(results, "FILE", tmp_path / "figures.json")
    monkeypatch.setattr(results, "PAGE", tmp_path / "page.md")
    results.PAGE.write_text("<!-- figures -->\n<!-- end -->\n<!-- machine -->\n<!-- end -->\n")


@pytest.mark.usefixtures("empty")
def test_page_has_the_order_of_the_stored_figures() -> None:
    for parameter in ("v2", "v1"):
        results.store_results(
            {f"test_fetching.py::test_fetching[{parameter}]": [results.Figure(parameter, "1", "1")]}, {}
        )
    page = results.PAGE.read_text()
    assert page.index("| v1 |") < page.index("| v2 |")
    assert results.fill(page, results.load_results()) == page


@pytest.mark.usefixtures("empty")
def test_figures_of_other_versions_are_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    row = results.Figure("what", "1", "1")
    results.store_results({"test_imports.py::test_import": [row]}, {})
    stored = results.store_results({"test_fetching.py::test_fetching": [row]}, {})
    assert len(stored["tests"]) == 2
    monkeypatch.setattr(results, "find_versions", lambda: {"Python": "4"})
    stored = results.store_results({"test_planning.py::test_planning": [row]}, {})
    assert list(stored["tests"]) == ["test_planning.py::test_planning"]
    assert results.PAGE.read_text().count("| what | 1 | 1 |  |") == 1
