"""
The tables of the README say what the code says.

`python tests/docs/test_tables.py` writes them anew, between the comments that mark them.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

README = Path(__file__).resolve().parents[2] / "README.md"
# What a reader of the table has to write for a name that only the code knows.
PLAIN_TYPES = {"ContractPolicy": "str", "OnMissing": "str"}


def settings_table() -> str:
    from airflow_provider_learning360.api.settings import FORM_FIELDS, LearningSettings, extra_settings

    rows = []
    for name in [*FORM_FIELDS, *extra_settings()]:
        field = LearningSettings.model_fields[name]
        form = FORM_FIELDS.get(name)
        default = (
            "required" if field.is_required() else "" if field.default is None else code(json.dumps(field.default))
        )
        where = f"`{form}`" if form else f"extra `{name}`"
        rows.append((field.title or "", where, default, field.description or ""))
    return table(("setting", "where", "default", "meaning"), rows)


def errors_table() -> str:
    from airflow_provider_learning360.api import errors

    kinds = [
        one
        for _, one in inspect.getmembers(errors, inspect.isclass)
        if issubclass(one, errors.LearningError) and one is not errors.LearningError
    ]
    kinds.sort(key=lambda one: inspect.getsourcelines(one)[1])
    rows = []
    for kind in kinds:
        (parent,) = [base for base in kind.__bases__ if issubclass(base, errors.LearningError)]
        below = "" if parent is errors.LearningError else "↳ "
        rows.append((f"{below}`{kind.__name__}`", first_line(kind), "yes" if kind.retryable else "no"))
    return table(("error", "what happened, what to do", "repeated"), rows)


def arguments_table(kind: type) -> str:
    documented = params_of(kind)
    rows = []
    for name, parameter in inspect.signature(kind.__init__).parameters.items():
        if name in ("self", "kwargs"):
            continue
        annotation = re.sub(r"\w+", lambda word: PLAIN_TYPES.get(word[0], word[0]), str(parameter.annotation))
        required = parameter.default is inspect.Parameter.empty
        default = "required" if required else code(parameter.default)
        templated = "yes" if name in kind.template_fields else "no"
        rows.append((f"`{name}`", f"`{annotation}`", default, templated, documented[name]))
    return table(("argument", "type", "default", "templated", "meaning"), rows)


def params_of(kind: type) -> dict[str, str]:
    """The `:param name:` lines of a docstring."""
    text = inspect.getdoc(kind) or ""
    found = re.findall(r"^:param (\w+): (.*?)(?=^:|^\s*$|\Z)", text, re.MULTILINE | re.DOTALL)
    return {name: " ".join(meaning.split()) for name, meaning in found}


def first_line(kind: type) -> str:
    return (inspect.getdoc(kind) or "").splitlines()[0]


def code(value: Any) -> str:
    return "" if value is None else f"`{value!r}`" if not isinstance(value, str) else f"`{value}`"


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def operator(name: str) -> Callable[[], str]:
    def make() -> str:
        from airflow_provider_learning360.operators import program_session as operators
        from airflow_provider_learning360.sensors import program_session as sensors

        return arguments_table(getattr(operators, name, None) or getattr(sensors, name))

    return make


TABLES: dict[str, Callable[[], str]] = {
    "settings": settings_table,
    "errors": errors_table,
    "GetProgramSessionOperator": operator("GetProgramSessionOperator"),
    "ListProgramSessionsOperator": operator("ListProgramSessionsOperator"),
    "ProgramSessionModifiedSensor": operator("ProgramSessionModifiedSensor"),
}


def marked(text: str, name: str) -> re.Match[str]:
    match = re.search(rf"(<!-- table: {name} -->\n)(.*?)(\n<!-- end -->)", text, re.DOTALL)
    assert match, f"the README has no place marked for the table {name}"
    return match


@pytest.mark.parametrize("name", TABLES)
def test_the_table_says_what_the_code_says(name: str) -> None:
    shown = marked(README.read_text(encoding="utf-8"), name)[2]
    assert shown == TABLES[name](), "run: python tests/docs/test_tables.py"


def test_every_operator_and_sensor_has_a_table() -> None:
    from airflow_provider_learning360.operators import program_session as operators
    from airflow_provider_learning360.sensors import program_session as sensors

    for module in (operators, sensors):
        own = [
            name
            for name, one in inspect.getmembers(module, inspect.isclass)
            if one.__module__ == module.__name__ and name.endswith(("Operator", "Sensor"))
        ]
        assert own
        assert set(own) <= set(TABLES)


@pytest.mark.parametrize("name", [one for one in TABLES if one[0].isupper()])
def test_no_documented_argument_is_unknown(name: str) -> None:
    from airflow_provider_learning360.operators import program_session as operators
    from airflow_provider_learning360.sensors import program_session as sensors

    kind = getattr(operators, name, None) or getattr(sensors, name)
    assert set(params_of(kind)) == set(inspect.signature(kind.__init__).parameters) - {"self", "kwargs"}


def write_tables() -> None:
    text = README.read_text(encoding="utf-8")
    for name, make in TABLES.items():
        match = marked(text, name)
        text = text[: match.start()] + match[1] + make() + match[3] + text[match.end() :]
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(write_tables())
