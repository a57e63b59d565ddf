"""
docs/architecture.md names every package, module and arrow between packages; no two files import each other in a circle.

`python tests/docs/test_architecture.py` writes the arrows and the tables of modules again.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = "airflow_provider_learning360"
SOURCES = REPOSITORY / "src" / PACKAGE
PAGE = REPOSITORY / "docs" / "architecture.md"
DRAWING = re.compile(r"(?<=```text\n)(?:[\w/]+ +-> .*\n)+")
MODULES = re.compile(r"(?<=<!-- modules: )([\w/]+)( -->\n)(.*?)(?=<!-- end -->)", re.DOTALL)
LONGEST_GLOSSARY = 20
FEW = 2  # modules of a package that need no table
# Joins the packages below its own, so that it stands above them.
JOINS = "api/versions"
# A part of the package above it: `api/platform.py` names its types. It has a table of its own.
PART = "api/catalogue"


@cache
def packages() -> list[str]:
    """Every package, also one inside another, such as `api/v1`."""
    folders = (path.parent for path in sorted(SOURCES.rglob("__init__.py")))
    return [folder.relative_to(SOURCES).as_posix() for folder in folders if folder != SOURCES]


def modules() -> dict[str, Path]:
    """Every module of the package and of the demo, by its name."""
    found = {}
    for path in sorted(SOURCES.rglob("*.py")):
        parts = (PACKAGE, *path.relative_to(SOURCES).with_suffix("").parts)
        found[".".join(parts).removesuffix(".__init__")] = path
    return found | {path.stem: path for path in sorted((REPOSITORY / "demo").glob("*.py"))}


def imported_modules(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """Yield the modules that a file imports: at the top, in functions, and for type checkers only."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name in known)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            source = node.module or ""
            for name in node.names:
                member = f"{source}.{name.name}"
                if member in known:
                    yield member
                elif source in known:
                    yield source


@cache
def import_graph() -> dict[str, set[str]]:
    known = modules()
    return {name: set(imported_modules(path, known)) - {name} for name, path in known.items()}


def package_of(module: str) -> str | None:
    """The innermost folder of a module, or the module itself; nothing for the package and the demo."""
    parts = module.split(".")
    if parts[0] != PACKAGE or len(parts) == 1:
        return None
    inner = "/".join(parts[1:3])
    return inner if inner != PART and (inner == JOINS or inner in packages()) else parts[1]


@cache
def arrows() -> dict[str, list[str]]:
    """Which packages each package imports."""
    found: dict[str, set[str]] = defaultdict(set)
    for module, targets in import_graph().items():
        package = package_of(module)
        if package is not None:
            found[package] |= {target for one in targets if (target := package_of(one)) not in (None, package)}
    return {package: sorted(targets) for package, targets in found.items()}


@pytest.mark.slow
def test_packages_inside_another_are_known() -> None:
    assert {"api", "api/v1", "api/v2"} <= set(packages())
    assert package_of(f"{PACKAGE}.api.v2.links") == "api/v2"
    assert package_of(f"{PACKAGE}.api.errors") == "api"
    assert package_of(f"{PACKAGE}.api.catalogue.search") == "api"
    assert {package for package, targets in arrows().items() if {"api/v1", "api/v2"} & set(targets)} == {JOINS}


def drawn_arrows() -> dict[str, list[str]]:
    """The same, as the page draws it."""
    drawing = DRAWING.search(PAGE.read_text("utf-8"))
    assert drawing, "docs/architecture.md has no drawing of packages"
    lines = [line.partition("->") for line in drawing[0].splitlines()]
    return {
        package.strip(): [] if "nothing" in targets else targets.split(", ") for package, _, targets in stripped(lines)
    }


def stripped(lines: list[tuple[str, str, str]]) -> list[tuple[str, ...]]:
    return [tuple(part.strip() for part in line) for line in lines]


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """The modules that import each other in a circle: Tarjan's strongly connected components of more than one."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for target in graph[module]:
            if target not in index:
                visit(target)
                low[module] = min(low[module], low[target])
            elif target in stack:
                low[module] = min(low[module], index[target])
        if low[module] == index[module]:
            component = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            if len(component) > 1:
                found.append(sorted(component))

    for module in graph:
        if module not in index:
            visit(module)
    return sorted(found)


def test_the_drawing_has_every_package_and_every_arrow() -> None:
    assert drawn_arrows() == arrows(), "run: python tests/docs/test_architecture.py"


def test_no_arrow_runs_in_a_circle() -> None:
    graph = {package: set(targets) for package, targets in arrows().items()}
    assert circles(graph) == []


def test_no_circle_of_files() -> None:
    assert circles(import_graph()) == []


def test_a_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]


def test_the_glossary_is_short() -> None:
    section = PAGE.read_text("utf-8").split("## Glossary")[1].split("\n## ")[0]
    terms = [row for row in section.splitlines() if row.startswith("| **")]
    assert 10 <= len(terms) <= LONGEST_GLOSSARY


def test_each_package_has_a_line_of_its_own() -> None:
    section = PAGE.read_text("utf-8").split("## Packages")[1].split("\n## ")[0]
    described = set(re.findall(r"^\| `([\w/]+?)(?:/|\.py)` \|", section, re.MULTILINE))
    assert described == set(arrows())


def module_table(package: str) -> str:
    """The modules of a package, each with the first sentence of its docstring."""
    rows = ["| module | what it does |", "| --- | --- |"]
    for path in sorted((SOURCES / package).glob("*.py")):
        if path.name != "__init__.py":
            docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
            purpose = " ".join(docstring.split("\n\n")[0].split()).replace("|", "\\|")
            rows.append(f"| `{path.name}` | {purpose} |")
    return "\n".join(rows) + "\n"


@pytest.mark.parametrize("package", packages())
def test_package_has_a_table_of_its_modules(package: str) -> None:
    tables = {match[1]: match[3] for match in MODULES.finditer(PAGE.read_text("utf-8"))}
    if len([one for one in (SOURCES / package).glob("*.py") if one.name != "__init__.py"]) > FEW or package in tables:
        assert tables.get(package) == module_table(package), "run: python tests/docs/test_architecture.py"


def test_modules_that_the_text_names_exist() -> None:
    named = set(re.findall(r"`(?:\w+/)*(\w+\.py)`", PAGE.read_text("utf-8")))
    there = {path.name for path in [*SOURCES.rglob("*.py"), *(REPOSITORY / "tests").rglob("*.py")]}
    assert named - there == set()


def floors(graph: dict[str, list[str]]) -> list[str]:
    """The packages, those first that nobody imports."""
    height: dict[str, int] = {}

    def height_of(package: str) -> int:
        if package not in height:
            height[package] = 1 + max(map(height_of, graph[package]), default=0)
        return height[package]

    return sorted(graph, key=lambda package: (-height_of(package), package))


def write_page() -> Any:
    graph = arrows()
    width = max(map(len, graph))
    lines = [f"{package:<{width}} -> {', '.join(graph[package]) or 'nothing'}\n" for package in floors(graph)]
    text = DRAWING.sub(lambda _: "".join(lines), PAGE.read_text("utf-8"))
    PAGE.write_text(MODULES.sub(lambda match: match[1] + match[2] + module_table(match[1]), text), "utf-8")


if __name__ == "__main__":
    sys.exit(write_page())
