"""An author's mistake is found when the DAG is parsed, wherever the value is known then: in mapped tasks too."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_learning360.api.contract import ContractPolicy
from airflow_provider_learning360.api.errors import FixArgumentError, InvalidIdError
from airflow_provider_learning360.argument_checks import duration_parts, require_choice, seconds_of
from airflow_provider_learning360.operators.changes import ChangedProgramSessionsOperator
from airflow_provider_learning360.operators.enrolment import EnrolLearnersOperator, UnenrolLearnersOperator
from airflow_provider_learning360.operators.program_session import (
    GetProgramSessionOperator,
    ListProgramSessionsOperator,
)
from airflow_provider_learning360.operators.reminders import PlanSessionRemindersOperator
from airflow_provider_learning360.operators.session_update import UpdateProgramSessionOperator
from airflow_provider_learning360.sensors.memory import TaskMemory
from airflow_provider_learning360.sensors.program_session import ProgramSessionModifiedSensor
from airflow_provider_learning360.sensors.session_date import SessionDateSensor
from every_operator import KINDS

ID = "60b8d2956e20ae1a0f8e44f1"

MISTAKES: list[tuple[type, str, Any, type[Exception], str]] = [
    (GetProgramSessionOperator, "session_id", "oops", InvalidIdError, "^session_id: 'oops'"),
    (GetProgramSessionOperator, "session_id", {"name": "no ID"}, InvalidIdError, "^session_id: "),
    (GetProgramSessionOperator, "fields", ["nme"], FixArgumentError, "^fields: .*Did you mean name"),
    (GetProgramSessionOperator, "exclude", "usrs", FixArgumentError, "^exclude: .*Did you mean users"),
    (GetProgramSessionOperator, "contract", "strong", FixArgumentError, "^contract: 'strong' is not one of"),
    (GetProgramSessionOperator, "max_xcom_bytes", "1 MB", FixArgumentError, "^max_xcom_bytes: '1 MB'"),
    (GetProgramSessionOperator, "learning_conn_id", "", FixArgumentError, "^learning_conn_id: "),
    (ListProgramSessionsOperator, "starts_after", "soon", FixArgumentError, "^starts_after: 'soon'"),
    (ListProgramSessionsOperator, "modified_since", 5, FixArgumentError, "^modified_since: 5"),
    (ListProgramSessionsOperator, "template_id", 12, InvalidIdError, "^template_id: "),
    (ChangedProgramSessionsOperator, "kind", "gone", FixArgumentError, "^kind: 'gone' is not one of"),
    (EnrolLearnersOperator, "people", ["a@example.com", "b"], FixArgumentError, "^people: item 2 names nobody"),
    (UnenrolLearnersOperator, "groups", ["sales"], FixArgumentError, "^groups: item 1, 'sales'"),
    (EnrolLearnersOperator, "dry_run", 1, FixArgumentError, "^dry_run: it is neither true nor false"),
    (UpdateProgramSessionOperator, "set", {"strtDate": ""}, FixArgumentError, "^set: .*did you mean startDate"),
    (UpdateProgramSessionOperator, "dry_run", "x", FixArgumentError, "^dry_run: it is neither true nor false"),
    (ProgramSessionModifiedSensor, "session_id", "oops", InvalidIdError, "^session_id: 'oops'"),
    (ProgramSessionModifiedSensor, "watch", ["strtDate"], FixArgumentError, "^watch: .*Did you mean startDate"),
    (ProgramSessionModifiedSensor, "since", "soon", FixArgumentError, "^since: 'soon'"),
    (ProgramSessionModifiedSensor, "on_missing", "ignore", FixArgumentError, "^on_missing: 'ignore' is not one of"),
    (ProgramSessionModifiedSensor, "max_failures", -1, FixArgumentError, "^max_failures: -1"),
    (ProgramSessionModifiedSensor, "timeout", {"day": 1}, FixArgumentError, "^timeout: .* is not a duration"),
    (SessionDateSensor, "anchor", "start", FixArgumentError, "^anchor: .*startDate"),
    (SessionDateSensor, "before", {"day": 1}, FixArgumentError, "^before.*did you mean days"),
    (SessionDateSensor, "after", "1 day", FixArgumentError, "^after: '1 day' is not a duration"),
    (SessionDateSensor, "time_zone", "Europe/Pari", FixArgumentError, "^time_zone: .*Europe/Paris"),
    (PlanSessionRemindersOperator, "sessions", [ID, "12"], InvalidIdError, "^sessions: '12'"),
    (PlanSessionRemindersOperator, "sessions", ID, FixArgumentError, "^sessions: .*is not a list"),
]
POLICY = {"name": "p", "rules": [{"name": "r", "anchor": "startDate", "before": {"days": 1}, "audience": "learners"}]}
NEEDED: dict[str, Any] = {
    "session_id": ID,
    "policy": POLICY,
    "operation": "list-path-sessions",
    "until": {"path": "$[0]", "exists": True},
    "people": ["someone@example.com"],
    "set": {"userLimit": 5},
}


def required(kind: type, *given: str) -> dict[str, Any]:
    """The arguments that the operator needs, without those that a test gives."""
    parameters = inspect.signature(kind.__init__).parameters
    return {name: NEEDED[name] for name in NEEDED if name in parameters and name not in given}


@pytest.mark.parametrize(("kind", "name", "value", "error", "message"), MISTAKES)
def test_mistake_is_found_in_the_constructor_in_partial_and_in_expand(
    kind: Any, name: str, value: Any, error: type[Exception], message: str
) -> None:
    rest = required(kind, name)
    ways: list[Callable[[], Any]] = [
        lambda: kind(task_id="one", **rest, **{name: value}),
        lambda: kind.partial(task_id="partial", **rest, **{name: value}),
        lambda: kind.partial(task_id="expand", **rest).expand(**{name: [value]}),
        lambda: kind.partial(task_id="expand_kwargs", **rest).expand_kwargs([{name: value}]),
    ]
    for way in ways:
        with pytest.raises(error, match=message), DAG("mistakes", schedule=None):
            way()


@pytest.mark.parametrize("kind", KINDS, ids=lambda one: one.__name__)
def test_every_operator_checks_its_arguments(kind: Any) -> None:
    with DAG("checked", schedule=None):
        get = GetProgramSessionOperator(task_id="get", session_id=ID)
        for name in set(kind.template_fields) - {"learning_conn_id", "smtp_conn_id"}:
            with pytest.raises(FixArgumentError, match=rf"^{name}: got task 'get' itself.*{name}=get\.output"):
                kind(task_id=f"wait_{name}", **required(kind, name), **{name: get})


@pytest.mark.parametrize("value", ["{{ params.id }}", ["{{ params.id }}"], None])
def test_template_is_left_to_the_run(value: Any) -> None:
    with DAG("templates", schedule=None):
        PlanSessionRemindersOperator(task_id="plan", policy=POLICY, sessions=value)
        ListProgramSessionsOperator(task_id="list", starts_after=value, fields=value)


def test_result_of_a_task_is_left_to_the_run() -> None:
    with DAG("results", schedule=None) as dag:
        found = ListProgramSessionsOperator(task_id="list")
        GetProgramSessionOperator.partial(task_id="get").expand(session_id=found.output)
        GetProgramSessionOperator.partial(task_id="get_too").expand_kwargs(found.output)
    assert dag.get_task("get").upstream_task_ids == {"list"}


def test_value_that_a_run_maps_over_is_not_checked_when_the_task_is_made() -> None:
    """Airflow would retry it; the execution fails at once."""
    with DAG("mapped", schedule=None) as dag:
        found = ListProgramSessionsOperator(task_id="list")
        GetProgramSessionOperator.partial(task_id="get").expand(session_id=found.output)
    task = dag.get_task("get").unmap({"session_id": "oops"})
    assert task.session_id == "oops"


@pytest.mark.parametrize(
    ("given", "right"),
    [
        ("conn_id", "learning_conn_id"),
        ("http_conn_id", "learning_conn_id"),
        ("program_session_id", "session_id"),
        ("feilds", "fields"),
    ],
)
def test_wrong_name_of_an_argument_names_the_right_one(given: str, right: str) -> None:
    message = f"GetProgramSessionOperator has no argument '{given}'; use '{right}'"
    with DAG("names", schedule=None):
        with pytest.raises(TypeError, match=message):
            GetProgramSessionOperator(**{"task_id": "one", "session_id": ID, given: "x"})
        with pytest.raises(TypeError, match=message):
            GetProgramSessionOperator.partial(**{"task_id": "partial", given: "x"})
        with pytest.raises(TypeError, match=message):
            GetProgramSessionOperator.partial(task_id="kwargs").expand_kwargs([{"session_id": ID, given: "x"}])


@pytest.mark.parametrize("kind", [ProgramSessionModifiedSensor, SessionDateSensor])
def test_sensor_takes_the_interval_of_airflows_sensors(kind: Any) -> None:
    with pytest.raises(TypeError, match="has no argument 'poll_interval'; use 'poke_interval'"):
        kind(task_id="wait", session_id=ID, poll_interval=60)


@pytest.mark.parametrize("minutes", [{"minutes": 5}, timedelta(minutes=5), 300])
def test_sensor_takes_durations_of_every_kind(minutes: Any) -> None:
    sensor = SessionDateSensor(
        task_id="wait", session_id=ID, poke_interval=minutes, timeout=minutes, max_wait=minutes, before=minutes
    )
    assert sensor.poke_interval == sensor.timeout == 300
    assert sensor.max_wait == timedelta(minutes=5)
    trigger = sensor.build_trigger(sensor.build_wait(TaskMemory({}, {})), session_id=ID, learning_conn_id="x")
    assert trigger.before == {"minutes": 5}


def test_time_and_fields_to_watch_are_checked_together_in_partial() -> None:
    with pytest.raises(FixArgumentError, match="^since: a time"):
        ProgramSessionModifiedSensor.partial(task_id="wait", since="2026-03-01T08:00:00Z", watch=["name"])
    with pytest.raises(FixArgumentError, match="^before, after"):
        SessionDateSensor.partial(task_id="wait", before={"days": 1}, after={"days": 1})


def test_name_that_is_like_none_of_ours_is_left_to_airflow() -> None:
    with pytest.raises((TypeError, ValueError), match="colour"):
        GetProgramSessionOperator(task_id="one", session_id=ID, colour="red")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (90, 90.0),
        (1.5, 1.5),
        (timedelta(minutes=5), 300.0),
        ({"minutes": 5}, 300.0),
        ({"days": 1, "hours": 1}, 90000.0),
    ],
)
def test_duration_in_seconds(value: Any, seconds: float) -> None:
    assert seconds_of(value, "poll_interval") == seconds


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ({"days": 1}, {"days": 1}),
        (timedelta(days=1, hours=2), {"days": 1, "minutes": 120}),
        (86400, {"minutes": 1440}),  # elapsed, and no day on the wall clock
        (0, {}),
    ],
)
def test_duration_in_parts(value: Any, parts: dict[str, int]) -> None:
    assert duration_parts(value, "before") == parts


@pytest.mark.parametrize("value", ["1 day", {"day": 1}, {"days": "one"}, {}, True, None])
def test_what_is_no_duration_is_called_so(value: Any) -> None:
    with pytest.raises(FixArgumentError, match=r"^poll_interval: .* is not a duration; write \{days: 1\}"):
        seconds_of(value, "poll_interval")


@pytest.mark.parametrize("value", [90, timedelta(seconds=1), timedelta(days=-1), -60])
def test_duration_before_a_date_is_of_whole_minutes(value: Any) -> None:
    with pytest.raises(FixArgumentError, match=r"^before: .*whole minutes"):
        duration_parts(value, "before")


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("stritc", "'stritc' is not one of ignore, warn, strict; did you mean strict?"),
        ("never", "'never' is not one of ignore, warn, strict."),
        (7, "7 is not one of ignore, warn, strict."),
        ("ann@example.com", "an address is not one of ignore, warn, strict."),
    ],
)
def test_wrong_choice_names_the_choices_and_the_closest_one(given: Any, problem: str) -> None:
    with pytest.raises(FixArgumentError) as caught:
        require_choice("contract", given, ContractPolicy)
    assert str(caught.value) == f"contract: {problem}"
