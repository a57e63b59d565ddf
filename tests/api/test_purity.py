from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_learning360 import api

PACKAGE = Path(api.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
EACH = pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())

# Modules that read a clock, open a socket or a file, or start a process or thread.
IO = {"aiohttp", "asyncio", "airflow", "http", "httpx", "os", "pathlib", "random", "requests", "selectors", "socket",
      "subprocess", "threading", "time", "urllib3"}  # fmt: skip
CLOCKS = {"now", "utcnow", "today", "monotonic", "perf_counter", "time"}


def test_api_has_modules() -> None:
    assert len(MODULES) > 10


def test_api_imports_no_airflow_and_no_http_client() -> None:
    code = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]: importlib.import_module('airflow_provider_learning360.api.' + name)\n"
        "print(sorted({'airflow', 'requests', 'aiohttp', 'httpx', 'urllib3'} & set(sys.modules)))\n"
    )
    names = [".".join(module.relative_to(PACKAGE).with_suffix("").parts) for module in MODULES]
    names = [name for name in names if not name.endswith("__init__")]
    run = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@EACH
def test_api_imports_nothing_that_does_input_or_output(module: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module != "urllib.parse":
            imported.add((node.module or "").split(".")[0])
    assert imported & IO == set()
    assert "urllib" not in imported


@pytest.mark.slow
@EACH
def test_api_reads_only_clocks_that_are_passed_in(module: Path) -> None:
    calls = [node.func for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Call)]
    read = [func for func in calls if isinstance(func, ast.Attribute) and func.attr in CLOCKS]
    assert {ast.unparse(func.value) for func in read} <= {"context"}
    assert "open" not in {ast.unparse(func) for func in calls}
