"""The operators against the simulator."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2.nativetypes import NativeEnvironment

from airflow_provider_learning360.api.document_list import DocumentChoice, DocumentList
from airflow_provider_learning360.api.errors import (
    ContractError,
    FixArgumentError,
    InvalidIdError,
    NotFoundError,
    RateLimitedError,
    UnauthorizedError,
)
from airflow_provider_learning360.api.models import ProgramSession
from airflow_provider_learning360.api.sanitizer import printable
from airflow_provider_learning360.mapped_label import format_label
from airflow_provider_learning360.operators.program_session import (
    GetProgramSessionOperator,
    ListProgramSessionsOperator,
)
from airflow_provider_learning360.simulator import Simulator
from airflow_provider_learning360.testing import session_document

ID = "60b8d2956e20ae1a0f8e44f1"

pytestmark = pytest.mark.learning360_simulator(sessions=3, learners=4, extra={"retry_attempts": 1})


class MappedTask:
    map_index = 0


def get(session_id: Any, **arguments: Any) -> Any:
    return GetProgramSessionOperator(task_id="get", session_id=session_id, **arguments).execute({"ti": object()})


def listed(**arguments: Any) -> list[dict[str, Any]]:
    return ListProgramSessionsOperator(task_id="list", **arguments).execute({"ti": object()})


def test_document_is_what_the_api_sent(learning360_simulator: Simulator) -> None:
    for session_id in learning360_simulator.session_ids:
        assert get(session_id) == learning360_simulator.session(session_id)


def test_listed_document_may_replace_the_id(learning360_simulator: Simulator) -> None:
    first = listed()[0]
    assert get(first) == learning360_simulator.session(first["_id"])


def test_fields_and_exclude_choose_the_document(learning360_simulator: Simulator) -> None:
    session_id = learning360_simulator.session_ids[0]
    assert list(get(session_id, fields=["_id", "name"])) == ["_id", "name"]
    assert set(learning360_simulator.session(session_id)) - set(get(session_id, exclude=["users", "tutors"])) == {
        "users",
        "tutors",
    }


@pytest.mark.parametrize("argument", ["fields", "exclude"])
def test_unknown_field_is_refused_when_the_dag_is_parsed(argument: str) -> None:
    with pytest.raises(FixArgumentError, match="start_date.*Did you mean startDate"):
        GetProgramSessionOperator(task_id="get", session_id=ID, **{argument: ["start_date"]})


def test_unknown_contract_is_refused_when_the_dag_is_parsed() -> None:
    with pytest.raises(FixArgumentError, match="ignore, warn, strict"):
        GetProgramSessionOperator(task_id="get", session_id=ID, contract="loud")  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", ["", "nope", "60b8d2956e20ae1a0f8e44f", None, {"name": "no ID"}, 7])
def test_invalid_id_sends_no_request(bad: Any, learning360_simulator: Simulator) -> None:
    with pytest.raises(InvalidIdError, match="24 characters"):
        get(bad)
    assert learning360_simulator.requests == []


def test_deleted_session_is_named(learning360_simulator: Simulator) -> None:
    session_id = learning360_simulator.session_ids[0]
    learning360_simulator.delete(session_id)
    with pytest.raises(NotFoundError, match=session_id):
        get(session_id)


DRIFT = {"do": {"drift": {"add": {"badge": "gold"}, "remove": ["lang"], "module_type": "quiz"}}}


def test_drift_is_a_warning_by_default(learning360_simulator: Simulator, capfd: pytest.CaptureFixture[str]) -> None:
    operator = GetProgramSessionOperator(task_id="get", session_id=learning360_simulator.session_ids[0])
    learning360_simulator.play(DRIFT)
    assert operator.execute({"ti": object()})["badge"] == "gold"
    (warning,) = [line for line in capfd.readouterr().out.splitlines() if "differs" in line]
    assert "badge" in warning
    assert "lang" in warning
    assert "quiz" in warning
    assert "gold" not in warning


def test_drift_can_be_an_error_or_ignored(learning360_simulator: Simulator) -> None:
    session_id = learning360_simulator.session_ids[0]
    learning360_simulator.play(DRIFT)
    with pytest.raises(ContractError, match="badge"):
        get(session_id, contract="strict")
    assert get(session_id, contract="ignore")["badge"] == "gold"
    with pytest.raises(ContractError, match="badge"):
        listed(contract="strict")
    assert len(listed(contract="warn")) == len(listed(contract="ignore")) == 3


def test_large_document_warns_or_fails(learning360_simulator: Simulator, capfd: pytest.CaptureFixture[str]) -> None:
    session_id = learning360_simulator.session_ids[0]
    learning360_simulator.edit(session_id, description="x" * (1024 * 1024))
    operator = GetProgramSessionOperator(task_id="get", session_id=session_id)
    operator.execute({"ti": object()})
    assert "The document of program session" in capfd.readouterr().out
    with pytest.raises(FixArgumentError, match="max_xcom_bytes=1,000"):
        get(session_id, max_xcom_bytes=1000)
    assert get(session_id, max_xcom_bytes=1000, fields=["name"])


def test_mapped_task_is_named_after_its_session(learning360_simulator: Simulator) -> None:
    session_id = learning360_simulator.session_ids[0]
    operator = GetProgramSessionOperator(task_id="get", session_id=session_id)
    mapped: dict[str, Any] = {"ti": MappedTask()}
    operator.execute(mapped)
    assert session_id in mapped[mapped["map_index_template"].strip("{ }")]
    chosen: dict[str, Any] = {"ti": MappedTask(), "map_index_template": "{{ mine }}"}
    operator.execute(chosen)
    assert chosen["map_index_template"] == "{{ mine }}"


@pytest.mark.learning360_simulator(sessions=0)
@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({}, ["\n Spring ", "Summer", "Undated"]),
        ({"template_id": "a" * 24}, ["Summer"]),
        ({"name_pattern": "sp*"}, ["\n Spring "]),
        ({"starts_after": "2026-06-01T00:00:00Z"}, ["Summer"]),
        ({"starts_before": "2026-06-01T00:00:00Z"}, ["\n Spring "]),
        ({"ends_after": "2026-07-01"}, ["Summer"]),
        ({"ends_before": "2026-07-01"}, ["\n Spring "]),
        ({"modified_since": "2026-05-15T00:00:00+02:00"}, ["Summer"]),
        ({"starts_after": "2026-03-01T08:00:00Z", "starts_before": "2026-06-01T00:00:00Z"}, ["\n Spring "]),
    ],
)
def test_list_is_filtered(filters: dict[str, Any], names: list[str], learning360_simulator: Simulator) -> None:
    for document in (
        session_document(
            name="\n Spring ",
            startDate="2026-03-01T08:00:00.000Z",
            endDate="2026-03-31T08:00:00.000Z",
            modifiedAt="2026-01-01T00:00:00.000Z",
        ),
        session_document(
            name="Summer",
            startDate="2026-07-01T08:00:00.000Z",
            endDate="2026-07-31T08:00:00.000Z",
            modifiedAt="2026-06-01T00:00:00.000Z",
            programTemplate="a" * 24,
        ),
        session_document(name="Undated", startDate=..., endDate=None, modifiedAt=...),
    ):
        learning360_simulator.add(document)
    assert [one["name"] for one in listed(**filters)] == names


def test_listed_documents_are_small(learning360_simulator: Simulator) -> None:
    assert all(set(one) <= {"_id", "name", "startDate", "endDate", "modifiedAt"} for one in listed())
    assert all(set(one) == {"_id"} for one in listed(fields=["_id"]))


def test_filter_that_is_not_a_time_is_refused(learning360_simulator: Simulator) -> None:
    with pytest.raises(FixArgumentError, match="starts_after.*'soon' is not a time"):
        listed(starts_after="soon")


@pytest.mark.parametrize("operator", [GetProgramSessionOperator, ListProgramSessionsOperator])
def test_lasting_error_fails_at_once(operator: Any) -> None:
    needed = {"session_id": ID} if operator is GetProgramSessionOperator else {}
    policy = operator(task_id="one", **needed).retry_policy
    for error in (UnauthorizedError("no"), NotFoundError("no"), ContractError("no"), InvalidIdError("no")):
        assert policy.evaluate(error, 1, 3).action.value == "fail"
    late = policy.evaluate(RateLimitedError("wait", retry_after=90.0), 1, 3)
    assert (late.action.value, late.retry_delay) == ("retry", timedelta(seconds=90))
    assert policy.evaluate(RateLimitedError("wait"), 1, 3).action.value == "default"
    assert policy.evaluate(KeyError("other"), 1, 3).action.value == "default"
    mine = object()
    assert operator(task_id="two", retry_policy=mine, **needed).retry_policy is mine


def test_document_is_json(learning360_simulator: Simulator) -> None:
    document = get(learning360_simulator.session_ids[1])
    assert json.loads(json.dumps(document)) == document


@pytest.mark.parametrize(
    ("pattern", "found"),
    [("[2026] *", {0}), ("*[ab]*", {1}), ("*a*", {1}), ("[!x]?", {2}), ("?", set()), ("*", {0, 1, 2}), ("x]*", set())],
)
def test_only_asterisk_and_question_mark_are_special(
    pattern: str, found: set[int], learning360_simulator: Simulator
) -> None:
    ids = learning360_simulator.session_ids
    for session_id, name in zip(ids, ("[2026] Safety", "x[ab]y", "[!x]?"), strict=True):
        learning360_simulator.edit(session_id, name=name)
    expected = {ids[one] for one in found} | ({ids[0]} if pattern == "*a*" else set())
    assert {one["_id"] for one in listed(name_pattern=pattern)} == expected


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        (2026, "2026"),
        (2026.5, "2026.5"),
        (0, "0"),
        ("caf\u00e9*", "Cafe\u0301 du matin"),
        ("CAFE\u0301*", "caf\u00e9 du matin"),
        ("a  b", "a b"),
        (" a b\n", "a\u00a0 b"),
        ("stra\u00dfe", "STRASSE"),
        ("\u0130*", "\u0130stanbul"),
    ],
)
def test_pattern_ignores_case_blanks_and_composition(pattern: Any, name: str, learning360_simulator: Simulator) -> None:
    first = learning360_simulator.session_ids[0]
    learning360_simulator.edit(first, name=name)
    assert [one["_id"] for one in listed(name_pattern=pattern)] == [first]


@pytest.mark.parametrize("template", [int, str], ids=["number", "text"])
def test_template_id_of_digits_may_arrive_as_a_number(template: Any, learning360_simulator: Simulator) -> None:
    first = learning360_simulator.session_ids[0]
    learning360_simulator.edit(first, programTemplate="600000000000000000000123")
    assert [one["_id"] for one in listed(template_id=template("600000000000000000000123"))] == [first]
    with pytest.raises(InvalidIdError, match=r"template_id: it arrived as the number 1e\+23.*quotes"):
        listed(template_id=1e23)


def session_named(name: str) -> ProgramSession:
    return ProgramSession.model_validate(session_document(name=name))


@given(name=st.text() | st.text(min_size=240, max_size=300) | st.just("🎓" * 400) | st.just("1 # one"))
def test_label_fits_into_the_database_and_keeps_the_id(name: str) -> None:
    session = session_named(name)
    label = format_label(session)
    assert len(label) <= 250
    assert session.id in label
    assert label == printable(label)
    # With native rendering, Jinja evaluates the rendered text.
    assert isinstance(NativeEnvironment().from_string("{{ label }}").render(label=label), str)


def test_short_name_is_the_label() -> None:
    short, long = session_named("Safety"), session_named("S" * 300)
    assert format_label(short) == f"Safety ({short.id})"
    assert format_label(long) == "S" * (250 - 28) + f"… ({long.id})"


def test_label_has_escapes() -> None:
    assert r"\x1b[31m" in format_label(session_named("Safety\x1b[31m"))


@pytest.mark.parametrize("contract", ["ignore", "warn", "strict"])
def test_contract_is_passed_to_the_hook(contract: Any) -> None:
    asked: list[Any] = []

    class Hook:
        def list_documents(self, choice: DocumentChoice, *, contract: str, **_: Any) -> DocumentList:
            asked.append((contract, choice.with_drift))
            return DocumentList()

    operator = ListProgramSessionsOperator(task_id="list", contract=contract)
    operator.__dict__["hook"] = Hook()
    assert operator.execute({"ti": object()}) == []
    assert asked == [(contract, contract != "ignore")]


@pytest.mark.parametrize("name", ["Safety\x1b[31m", "\u202eevil", "bell\x07"], ids=ascii)
def test_names_of_unknown_fields_control_no_terminal(
    name: str, learning360_simulator: Simulator, capfd: pytest.CaptureFixture[str]
) -> None:
    session_id = learning360_simulator.session_ids[0]
    learning360_simulator.play({"do": {"drift": {"add": {name: 1}, "module_type": name}}})
    operator = GetProgramSessionOperator(task_id="get", session_id=session_id)
    capfd.readouterr()
    operator.execute({"ti": MappedTask()})
    out = capfd.readouterr().out
    assert "differs" in out
    assert name not in out
