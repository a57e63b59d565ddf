"""docs/reminders.md describes what the code does."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.reminders.policy import MODELS, ReminderPolicy

PAGE = (Path(__file__).resolve().parents[2] / "docs/reminders.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_example_uses_every_option() -> None:
    (example,) = [one for one in blocks("yaml") if one.startswith("name: course_reminders")]
    policy = ReminderPolicy.read(example)
    assert policy.model_fields_set == set(ReminderPolicy.model_fields)
    assert {field for rule in policy.rules for field in rule.model_fields_set} == set(MODELS["rules"].model_fields)


@pytest.mark.parametrize("field", sorted({name for key in ("", "rules") for name in MODELS[key].model_fields}))
def test_option_has_a_row(field: str) -> None:
    assert re.search(rf"^\| [^|]*`{field}`[^|]* \|", PAGE, re.MULTILINE)


def test_shown_error_is_real() -> None:
    shown = next(one for one in blocks("text") if one.startswith("Reminder policy"))
    (example,) = [one for one in blocks("yaml") if one.startswith("name: course_reminders")]
    wrong = example.replace("audience: not_completed\n\n", "audience: not_complete\n\n", 1)
    with pytest.raises(FixArgumentError) as caught:
        ReminderPolicy.read(wrong)
    assert str(caught.value) == shown.strip()


def test_shown_commands_accept_their_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_learning360.cli import reminders
    from airflow_provider_learning360.cli.__main__ import main

    called = []
    for name in ("plan_reminders", "reminder_schema"):
        monkeypatch.setattr(reminders, name, lambda args, name=name: called.append((name, vars(args))))
    for line in "\n".join(blocks("shell")).splitlines():
        if line.startswith("airflow learning360 "):
            main(shlex.split(line)[2:])
    assert {name for name, _ in called} >= {"plan_reminders", "reminder_schema"}
