"""The reference is complete: every public name is on the built site, and every argument is documented."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import zlib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PUBLIC = REPOSITORY / "docs" / "reference" / "public.md"
PATIENCE = 300  # seconds, many times what a build takes


def public_names() -> dict[str, set[str]]:
    """The public names of each module, as the page lists them."""
    rows = re.findall(
        r"^\| `(airflow_provider_learning360[\w.]*)` \| (.+) \|$", PUBLIC.read_text("utf-8"), re.MULTILINE
    )
    return {module: set(re.findall(r"`(\w+)`", names)) for module, names in rows}


def public_objects() -> dict[str, Any]:
    return {
        f"{module}.{name}": getattr(import_module(module), name) for module in public_names() for name in listed(module)
    }


def listed(module: str) -> set[str]:
    """The names that a module calls public itself."""
    names = getattr(import_module(module), "__all__", None)
    return public_names()[module] if names is None else set(names)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built pages; a warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-E", "-n", "-W", "--keep-going", "docs", str(folder)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def documented(site: Path) -> set[str]:
    """The names of Python that the site has a place for."""
    head, _, packed = (site / "objects.inv").read_bytes().partition(b"using zlib.\n")
    assert head.startswith(b"# Sphinx inventory version 2")
    lines = zlib.decompress(packed).decode().splitlines()
    return {line.split()[0] for line in lines if re.match(r"\S+ py:", line)}


@pytest.mark.slow  # builds the site
def test_every_public_name_is_on_the_site(documented: set[str]) -> None:
    objects = public_objects()
    places = [objects[name] for name in documented & set(objects)]
    assert len(places) > 40
    missing = {
        name
        for name, one in objects.items()
        # The same class may be imported from two places.
        if name not in documented and not any(one is place for place in places)
    }
    assert missing == set()


@pytest.mark.slow  # builds the site
def test_generated_texts_are_on_the_site(site: Path) -> None:
    for page, words in {
        "settings": "max_document_bytes",
        "policy": "skip_if_automated_reminders",
        "yaml": "learning360_changed_sessions",
        "cli": "--learning-conn-id",
        "errors": "TooLargeError",
        "operations": "list-path-sessions",
        "models": "isAudienceBuilder",
    }.items():
        html = (site / "reference" / f"{page}.html").read_text("utf-8")
        assert words in html
        assert "generated:" not in html


@pytest.mark.slow  # builds the site
def test_no_page_is_loaded_from_elsewhere(site: Path) -> None:
    page = (site / "index.html").read_text("utf-8")
    assert re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=\"(https?:[^\"]+)", page) == []


@pytest.mark.parametrize("module", sorted(public_names()))
def test_a_module_and_the_page_list_the_same_names(module: str) -> None:
    names, written = listed(module), public_names()[module]
    if module.endswith(".errors"):
        assert written <= names  # the others are in the table of errors
    else:
        assert written == names
    assert [name for name in names if not hasattr(import_module(module), name)] == []


def with_documented_arguments() -> dict[str, Callable[..., Any]]:
    kinds = ("Operator", "Sensor", "Trigger", "Hook")
    return {
        name: one
        for name, one in public_objects().items()
        if name.endswith(kinds) or (inspect.isfunction(one) and ".testing" not in name)
    }


@pytest.mark.parametrize("name", sorted(with_documented_arguments()))
def test_every_argument_is_documented(name: str) -> None:
    one = with_documented_arguments()[name]
    parameters = inspect.signature(one).parameters.values()
    # What goes on to a class of Airflow or to the class above may be documented there.
    passed_on = {parameter.name for parameter in parameters if parameter.kind is parameter.VAR_KEYWORD}
    written = set(re.findall(r"^:param (\w+):", inspect.getdoc(one) or "", re.MULTILINE))
    assert written - passed_on == {parameter.name for parameter in parameters} - passed_on - {"self"}


def test_operators_and_sensors_are_public() -> None:
    from airflow_provider_learning360.provider_info import get_provider_info

    info = get_provider_info()
    entries = [one for kind in ("operators", "sensors", "triggers") for one in info[kind]]
    modules = [module for one in entries for module in one["python-modules"]]
    assert set(modules) <= set(public_names())
