"""How the modules of the page depend on one another."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

from airflow_provider_learning360 import ui

FOLDER = Path(ui.__file__).parent
PACKAGE = ui.__name__


def imports_of(path: Path) -> set[str]:
    """The modules of the page that a module imports, at its top or inside a function."""
    nodes = ast.walk(ast.parse(path.read_text("utf-8")))
    names = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name.removeprefix(f"{PACKAGE}.") for name in names if name.startswith(f"{PACKAGE}.")}


def test_modules_have_no_import_cycle() -> None:
    graph = {path.stem: imports_of(path) for path in FOLDER.glob("*.py")}
    assert graph["plugin"] == {"app", "prefix"}
    assert list(TopologicalSorter(graph).static_order())
