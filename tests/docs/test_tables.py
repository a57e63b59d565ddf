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
PLAIN_TYPES = {"ContractPolicy": "str", "Kind": "str", "OnGone": "str", "OnMissing": "str", "PollKind": "str"}


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
    rows = [
        (*described[:3], "yes" if described[0].strip("`") in kind.template_fields else "no", described[3])
        for described in parameters(kind.__init__, params_of(kind))
    ]
    return table(("argument", "type", "default", "templated", "meaning"), rows)


def parameters(function: Callable[..., Any], documented: dict[str, str]) -> list[tuple[str, str, str, str]]:
    """Name, type, default and meaning of each parameter."""
    rows = []
    for name, parameter in inspect.signature(function).parameters.items():
        if name in ("self", "kwargs"):
            continue
        annotation = re.sub(r"\w+", lambda word: PLAIN_TYPES.get(word[0], word[0]), str(parameter.annotation))
        required = parameter.default is inspect.Parameter.empty
        default = "required" if required else code(parameter.default)
        rows.append((f"`{name}`", f"`{annotation}`", default, documented[name]))
    return rows


def watched_table() -> str:
    from airflow_provider_learning360.assets.program_session import watched_program_sessions

    rows = parameters(watched_program_sessions, params_of(watched_program_sessions))
    return table(("argument", "type", "default", "meaning"), rows)


def params_of(kind: Callable[..., Any]) -> dict[str, str]:
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


def own_kinds() -> dict[str, type]:
    """Every operator and sensor of ours, by its name."""
    from airflow_provider_learning360.operators import changes, reminders
    from airflow_provider_learning360.operators import program_session as operators
    from airflow_provider_learning360.sensors import program_session as sensors
    from airflow_provider_learning360.sensors import session_date

    return {
        name: one
        for module in (operators, changes, reminders, sensors, session_date)
        for name, one in inspect.getmembers(module, inspect.isclass)
        if one.__module__ == module.__name__ and name.endswith(("Operator", "Sensor"))
    }


def operator(name: str) -> Callable[[], str]:
    return lambda: arguments_table(own_kinds()[name])


TABLES: dict[str, Callable[[], str]] = {
    "settings": settings_table,
    "errors": errors_table,
    "GetProgramSessionOperator": operator("GetProgramSessionOperator"),
    "ListProgramSessionsOperator": operator("ListProgramSessionsOperator"),
    "ProgramSessionModifiedSensor": operator("ProgramSessionModifiedSensor"),
    "ChangedProgramSessionsOperator": operator("ChangedProgramSessionsOperator"),
    "watched_program_sessions": watched_table,
    "SessionDateSensor": operator("SessionDateSensor"),
    "PlanSessionRemindersOperator": operator("PlanSessionRemindersOperator"),
    "SendSessionReminderOperator": operator("SendSessionReminderOperator"),
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
    assert len(own_kinds()) >= 4
    assert set(own_kinds()) <= set(TABLES)


@pytest.mark.parametrize("name", [one for one in TABLES if one[0].isupper()])
def test_no_documented_argument_is_unknown(name: str) -> None:
    kind = own_kinds()[name]
    assert set(params_of(kind)) == set(inspect.signature(kind.__init__).parameters) - {"self", "kwargs"}


def write_tables() -> None:
    text = README.read_text(encoding="utf-8")
    for name, make in TABLES.items():
        match = marked(text, name)
        text = text[: match.start()] + match[1] + make() + match[3] + text[match.end() :]
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(write_tables())
