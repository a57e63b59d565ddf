"""Texts of 360Learning cannot control a terminal, and JSON keeps its value."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_learning360.api.sanitizer import is_unprintable
from airflow_provider_learning360.cli.__main__ import main
from airflow_provider_learning360.cli.output import write, write_json, write_json_text

if TYPE_CHECKING:
    from airflow_provider_learning360.simulator import Simulator

HOSTILE = "Safety\x1b[31m \x07\x08\x7f\x85\x9b \u202eevil\u2066 \ufeff\u200b\u2028 \U000e0041 é 日本 👍 \u200d"
HARMLESS = ("é", "日本", "👍", "\u200d")

pytestmark = pytest.mark.learning360_simulator(sessions=1, learners=2, extra={"retry_attempts": 1})


def control_characters(text: str) -> list[str]:
    return [one for one in text if is_unprintable(one) and one not in "\n\t"]


def printed(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[str, str]:
    capfd.readouterr()
    with contextlib.suppress(SystemExit):
        main(arguments)
    out, err = capfd.readouterr()
    assert control_characters(out) == control_characters(err) == []
    return out, err


@pytest.mark.parametrize("options", [["--show-people"], ["--raw", "--show-people"]], ids=str)
def test_document_keeps_its_value(
    options: list[str], learning360_simulator: Simulator, capfd: pytest.CaptureFixture[str]
) -> None:
    (session_id,) = learning360_simulator.session_ids
    learning360_simulator.edit(session_id, name=HOSTILE, tutors=[HOSTILE])
    out, _ = printed(capfd, "get-session", session_id, *options)
    assert json.loads(out) == learning360_simulator.session(session_id)


@pytest.mark.parametrize(("field", "escaped"), [("name", r"\x1b[31m"), ("tutors", r"\u001b[31m")])
def test_field_is_printed_with_escapes(
    field: str, escaped: str, learning360_simulator: Simulator, capfd: pytest.CaptureFixture[str]
) -> None:
    (session_id,) = learning360_simulator.session_ids
    learning360_simulator.edit(session_id, name=HOSTILE, tutors=[HOSTILE])
    out, _ = printed(capfd, "get-session", session_id, "--field", field, "--show-people")
    assert escaped in out
    assert [one for one in HARMLESS if one not in out] == []


def test_field_keeps_its_lines(learning360_simulator: Simulator, capfd: pytest.CaptureFixture[str]) -> None:
    (session_id,) = learning360_simulator.session_ids
    learning360_simulator.edit(session_id, description="one\n\ttwo")
    assert printed(capfd, "get-session", session_id, "--field", "description")[0] == "one\n\ttwo\n"


@pytest.mark.parametrize("policy", ["warn", "strict"])
def test_names_of_unknown_fields_are_printed_with_escapes(
    policy: str, learning360_simulator: Simulator, capfd: pytest.CaptureFixture[str]
) -> None:
    learning360_simulator.play({"do": {"drift": {"add": {HOSTILE: 1}, "module_type": HOSTILE}}})
    _, err = printed(capfd, "get-session", learning360_simulator.session_ids[0], "--contract", policy)
    assert r"\x1b[31m" in err


def test_arguments_are_printed_with_escapes(capfd: pytest.CaptureFixture[str]) -> None:
    for arguments in (["get-session", HOSTILE], ["plan-reminders", HOSTILE], ["check", "--learning-conn-id", HOSTILE]):
        _, err = printed(capfd, *arguments)
        assert "Error" in err


def test_error_texts_of_the_host_are_printed_with_escapes(
    learning360_simulator: Simulator, capfd: pytest.CaptureFixture[str]
) -> None:
    learning360_simulator.play({"do": {"status": 403, "body": {"message": HOSTILE}}})
    for arguments in (["get-session", learning360_simulator.session_ids[0]], ["check"]):
        printed(capfd, *arguments)


@pytest.mark.slow
@given(value=st.recursive(st.text() | st.integers() | st.none(), lambda one: st.dictionaries(st.text(), one)))
def test_json_keeps_every_value(value: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        printed_texts: list[str] = []
        patch.setattr("builtins.print", lambda text, **_: printed_texts.append(text))
        write_json(value, indent=2)
        write_json_text(json.dumps(value, ensure_ascii=False))
        write(str(value))
    assert [json.loads(text) for text in printed_texts[:2]] == [value, value]
    assert [control_characters(text) for text in printed_texts] == [[], [], []]


def test_carriage_returns_are_replaced(capfd: pytest.CaptureFixture[str]) -> None:
    write_json_text('\ufeff{"a":\r1,\r\n"b": 2}\r')
    out = capfd.readouterr().out
    assert "\r" not in out
    assert json.loads(out) == {"a": 1, "b": 2}
