"""How Sphinx builds these pages: `make docs`. Nothing is fetched from other sites."""

from __future__ import annotations

import inspect
import logging
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
# Importing the operators loads Airflow, which writes a configuration into its home.
_AIRFLOW_HOME = tempfile.TemporaryDirectory(prefix="learning360-docs-")
os.environ.update(AIRFLOW_HOME=_AIRFLOW_HOME.name, AIRFLOW__LOGGING__LOGGING_LEVEL="ERROR")
logging.getLogger("airflow").setLevel(logging.WARNING)

import generated  # noqa: E402 - it is beside this file

from airflow_provider_learning360 import __version__  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sphinx.application import Sphinx

project = "360Learning provider for Apache Airflow"
author = "The authors of the 360Learning provider"
project_copyright = author
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton"]
exclude_patterns = ["_build"]
nitpicky = True
# Types of other projects have their pages elsewhere. Ours must be found.
nitpick_ignore_regex = [(r"py:.*", r"(?!airflow_provider_learning360\.).*")]

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4

autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"
maximum_signature_line_length = 80
add_module_names = False
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = f"360Learning provider {release}"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_show_sourcelink = False
html_show_sphinx = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}
copybutton_exclude = ".linenos, .gp, .go"


SOURCE = "https://github.com/airflow-provider-learning360/airflow-provider-learning360/tree/main"
FOLDER = re.compile(r"\]\((?:\.\./)+(dags_examples(?:/\w+)?)\)")


def fill_page(_app: Sphinx, _name: str, source: list[str]) -> None:
    """Put the generated texts into a page; links to folders of the repository lead to the repository."""
    source[0] = FOLDER.sub(rf"]({SOURCE}/\1)", generated.fill(source[0]))


def rewrite_docstring(_app: Sphinx, what: str, _name: str, subject: Any, _options: Any, lines: list[str]) -> None:
    """Write `code` as Sphinx wants it, and add what annotations and attributes say."""
    lines[:] = [re.sub(r"(?<!`)`([^`]+)`(?!`)", r"``\1``", line) for line in lines]
    function = subject.__init__ if what == "class" else subject
    show_values(annotations_of(function), lines)
    if what == "class":
        lines[:] = [line.replace(":returns:", ":Pushes to XCom:") for line in lines]
        name_templated(getattr(subject, "template_fields", ()), lines)
    elif what in ("function", "method"):
        name_result(annotations_of(function).get("return"), lines)


def annotations_of(function: Any) -> dict[str, Any]:
    """Return the annotations of a function, with those that its signature takes from the class above."""
    if not inspect.isfunction(function):
        return {}
    parameters = inspect.signature(function).parameters.values()
    return {**{one.name: one.annotation for one in parameters}, **function.__annotations__}


def show_values(annotations: dict[str, Any], lines: list[str]) -> None:
    """Show the values that an argument takes in place of the name of their type, which only the code knows."""
    values = generated.literal_types()
    for name, annotation in annotations.items():
        shown = re.sub(r"\w+", lambda word: values.get(word[0], word[0]), str(annotation))
        place = next((number for number, line in enumerate(lines) if line.startswith(f":param {name}:")), None)
        if place is not None and shown != str(annotation):
            lines.insert(place, f":type {name}: {shown}")


def name_templated(names: Sequence[str], lines: list[str]) -> None:
    """Say which arguments are templated."""
    if names:
        place = next((number for number, line in enumerate(lines) if line.startswith((":param", ":type"))), len(lines))
        lines[place:place] = [f"Templated arguments: {', '.join(f'``{name}``' for name in names)}.", ""]


def name_result(result: Any, lines: list[str]) -> None:
    """Add the type that a function returns, where its docstring does not describe the result."""
    if result in (None, "None") or any(line.startswith(":returns:") for line in lines):
        return
    fields = [number for number, line in enumerate(lines) if line.startswith(":")]
    if not fields:
        lines += ["", f":rtype: {result}", ""]
        return
    end = next((number for number in range(fields[-1], len(lines)) if not lines[number].strip()), len(lines))
    lines.insert(end, f":rtype: {result}")


def setup(app: Sphinx) -> None:
    """Connect what this file does to Sphinx."""
    app.connect("source-read", fill_page)
    app.connect("autodoc-process-docstring", rewrite_docstring)
