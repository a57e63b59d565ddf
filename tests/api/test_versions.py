"""One place decides which version of the API a connection speaks; nothing outside `api/` asks for it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import airflow_provider_learning360
from airflow_provider_learning360.api.settings import LearningSettings
from airflow_provider_learning360.api.v1.platform import PlatformV1
from airflow_provider_learning360.api.v2.platform import PlatformV2
from airflow_provider_learning360.api.versions import build_platform

PACKAGE = Path(airflow_provider_learning360.__file__).parent
FLOORS = tuple(f"airflow_provider_learning360.api.{version}" for version in ("v1", "v2"))
MODULES = {
    path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text("utf-8")) for path in sorted(PACKAGE.rglob("*.py"))
}
OUTSIDE = [name for name in MODULES if not name.startswith(("api/", "simulator/"))]
# Of `api/`, what is common to both versions; `versions.py` decides, `settings.py` describes the connection.
COMMON = [name for name in MODULES if name.startswith("api/") and name.count("/") == 1 and name != "api/versions.py"]
# The form of the connection names its fields; it is data, and not a question.
DATA = {"provider_info.py", "testing/plugin.py", "ui/connections.py"}


def imported(tree: ast.AST) -> set[str]:
    """Every module that a file imports, and every name that it imports from one."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module or ""} | {f"{node.module}.{one.name}" for one in node.names}
    return names


def questions(tree: ast.AST) -> list[str]:
    """Code that reads `api_version`, or compares anything with the name of a version."""
    found = []
    for node in ast.walk(tree):
        named = getattr(node, "attr", None) or getattr(node, "id", None) or getattr(node, "arg", None)
        is_key = isinstance(node, ast.Constant) and node.value == "api_version"
        if named == "api_version" or is_key:
            found.append(f"line {node.lineno}: api_version")  # type: ignore[attr-defined]
        compared = ast.walk(node) if isinstance(node, ast.Compare | ast.match_case) else ()
        if any(isinstance(one, ast.Constant) and one.value in ("v1", "v2") for one in compared):
            found.append("a comparison with a version")
    return found


@pytest.mark.parametrize("module", OUTSIDE)
def test_module_imports_neither_version(module: str) -> None:
    assert [name for name in imported(MODULES[module]) if name.startswith(FLOORS)] == []


@pytest.mark.parametrize("module", [one for one in OUTSIDE if one not in DATA])
def test_module_does_not_ask_for_the_version(module: str) -> None:
    assert questions(MODULES[module]) == []


@pytest.mark.parametrize("module", COMMON)
def test_what_is_common_imports_neither_version(module: str) -> None:
    assert [name for name in imported(MODULES[module]) if name.startswith(FLOORS)] == []


@pytest.mark.parametrize("module", [one for one in COMMON if one != "api/settings.py"])
def test_what_is_common_does_not_ask_for_the_version(module: str) -> None:
    assert questions(MODULES[module]) == []


@pytest.mark.parametrize(("one", "other"), [("v1", "v2"), ("v2", "v1")])
def test_versions_do_not_import_each_other(one: str, other: str) -> None:
    inside = [tree for name, tree in MODULES.items() if name.startswith(f"api/{one}/")]
    assert inside
    assert [name for tree in inside for name in imported(tree) if name.startswith(FLOORS) and f".{other}" in name] == []


@pytest.mark.parametrize(
    "code",
    ["settings.api_version", "extra['api_version']", "extra.get('api_version')", "f(api_version='v2')",
     "version == 'v2'", "version in ('v1', 'v2')", "match version:\n    case 'v2': pass"],
)  # fmt: skip
def test_a_question_is_found(code: str) -> None:
    assert questions(ast.parse(code))


@pytest.mark.parametrize(("version", "platform"), [("v1", PlatformV1), ("v2", PlatformV2)])
def test_setting_decides(version: str, platform: type) -> None:
    extra = {"api_version": version}
    settings = LearningSettings.from_connection(
        "here", host="https://a.example.com", login="id", password="secret", extra=extra
    )
    assert type(build_platform(settings, lambda: 0.0)) is platform
