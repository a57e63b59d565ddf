"""The sensor waits until enough learners have completed, in every mode and on both versions of the API."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow.providers.common.compat.sdk import AirflowSensorTimeout, AirflowSkipException, TaskDeferred
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowRescheduleException

from airflow_provider_learning360.api.errors import FixArgumentError, LearningError
from airflow_provider_learning360.sensors.session_completed import SessionCompletedSensor
from airflow_provider_learning360.simulator import Simulator
from airflow_provider_learning360.triggers.session_polling import SessionPollingTrigger
from versions import ONE_IN_THE_LOOP, SESSION, add_session, paths_of, simulated


class TaskInstance:
    """The part of a task instance that a sensor uses."""

    map_index = -1

    def __init__(self) -> None:
        self.started = datetime.now(tz=UTC)
        self.pushed: dict[str, Any] = {}

    def get_first_reschedule_date(self, context: Any) -> datetime:
        return self.started

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = json.loads(json.dumps(value))


class Store:
    """The task state store."""

    def __init__(self) -> None:
        self.rows: dict[str, str] = {}

    def get(self, key: str, default: Any = None) -> Any:
        return json.loads(self.rows[key]) if key in self.rows else default

    def set(self, key: str, value: Any) -> None:
        self.rows[key] = json.dumps(value)

    def delete(self, key: str) -> None:
        self.rows.pop(key, None)


def poke(make: Callable[[], Any], context: Any) -> Any:
    return make().execute(context)


def reschedule(make: Callable[[], Any], context: Any) -> Any:
    while True:
        try:
            return make().execute(context)
        except AirflowRescheduleException as again:
            time.sleep(max(0.0, (again.reschedule_date - datetime.now(tz=UTC)).total_seconds()))


def defer(make: Callable[[], Any], context: Any) -> Any:
    async def first(trigger: Any) -> Any:
        async for event in trigger.run():
            return event.payload
        raise AssertionError("the trigger ended without an event")

    try:
        return make().execute(context)
    except TaskDeferred as deferral:
        waiting = deferral
    while True:
        _, stored = waiting.trigger.serialize()
        trigger = type(waiting.trigger)(**json.loads(json.dumps(stored)))
        event = json.loads(json.dumps(asyncio.run(first(trigger))))
        try:
            return make().resume_execution(waiting.method_name, {"event": event}, context)
        except TaskDeferred as deferral:
            waiting = deferral


MODES: dict[str, tuple[Any, dict[str, Any]]] = {
    "poke": (poke, {}),
    "reschedule": (reschedule, {"mode": "reschedule"}),
    "defer": (defer, {"deferrable": True}),
}
every_mode = pytest.mark.parametrize("mode", MODES)


@pytest.fixture(params=ONE_IN_THE_LOOP)
def simulator(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    with simulated(monkeypatch, request.param, sessions=1, learners=5) as one:
        yield one


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What sensor and trigger log, in order."""
    logged: list[str] = []

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logged.append(record.getMessage())

    logger = logging.getLogger("completion lines")
    logger.setLevel(logging.INFO)
    monkeypatch.setattr(logger, "handlers", [Lines()])
    for kind in (SessionCompletedSensor, SessionPollingTrigger):
        monkeypatch.setattr(kind, "log", logger, raising=False)
    return logged


def ended(mode: str, **arguments: Any) -> tuple[Any, dict[str, Any]]:
    """How a wait ended: the document, `skip`, `timeout` or the name of an error; and what was pushed beside it."""
    drive, chosen = MODES[mode]
    context = {"ti": TaskInstance(), "task_state_store": Store()}
    chosen = {"session_id": SESSION, "poke_interval": 0.02, "timeout": 60, **chosen, **arguments}
    try:
        result = drive(lambda: SessionCompletedSensor(task_id="wait", **chosen), context)
    except AirflowSkipException:
        result = "skip"
    except AirflowSensorTimeout as error:
        result = f"timeout: {error}"
    except LearningError as error:
        result = type(error).__name__
    if isinstance(result, dict):
        assert context["task_state_store"].rows == {}
    return result, context["ti"].pushed


def finish_while_waiting(simulator: Simulator, mails: list[str]) -> threading.Thread:
    """Let learners complete one after the other, each after some more polls."""

    def count_polls(one: Simulator) -> int:
        return sum(path.endswith(("/stats", "/user-statuses")) for path in paths_of(one))

    def act() -> None:
        for mail in mails:
            seen = count_polls(simulator)
            simulator.wait_for(lambda one, seen=seen: count_polls(one) >= seen + 2)  # type: ignore[misc]
            simulator.finish(SESSION, mail)

    thread = threading.Thread(target=act)
    thread.start()
    return thread


@every_mode
@pytest.mark.parametrize(
    ("target", "done", "needed"),
    [({}, 3, 3), ({"share": 0.5}, 2, 2), ({"count": 1}, 1, 1), ({"share": "0.1"}, 1, 1), ({"count": "2"}, 2, 2)],
    ids=str,
)
def test_wait_is_over_when_enough_have_completed(
    simulator: Simulator, mode: str, target: dict[str, Any], done: int, needed: int
) -> None:
    mails = add_session(simulator)
    thread = finish_while_waiting(simulator, mails[:done])
    document, pushed = ended(mode, **target)
    thread.join()
    assert (document["_id"], document["name"]) == (SESSION, simulator.session(SESSION)["name"])
    assert pushed == {"completions": {"learners": 3, "completed": done, "needed": needed}}


def test_document_is_as_full_as_that_of_the_operator(simulator: Simulator) -> None:
    from airflow_provider_learning360.operators.program_session import GetProgramSessionOperator

    for mail in add_session(simulator):
        simulator.finish(SESSION, mail)
    read = GetProgramSessionOperator(task_id="get", session_id=SESSION).execute({"ti": TaskInstance()})
    assert len(read) > 15
    assert ended("poke")[0] == read
    assert set(ended("poke", fields=["name", "modules"])[0]) == {"name", "modules"}


@every_mode
def test_polls_read_the_counts_only(simulator: Simulator, mode: str) -> None:
    mails = add_session(simulator)
    thread = finish_while_waiting(simulator, mails[:1])
    document, _ = ended(mode, count=1, fields=["name"])
    thread.join()
    assert set(document) == {"name"}
    kinds = [path.rsplit("/", 1)[-1] for path in paths_of(simulator)]
    counted = [kind for kind in kinds if kind in ("stats", "user-statuses")]
    assert len(counted) >= 2
    assert not {"users", "enrollments", "user-stats"} & set(kinds)
    if mode == "poke":  # one process: the path is looked up once, and the document read once
        assert len(kinds) - len(counted) <= 2


@every_mode
def test_deleted_learner_does_not_keep_the_wait_from_its_end(simulator: Simulator, mode: str) -> None:
    mails = add_session(simulator)
    users = simulator.session(SESSION)["users"]
    simulator.edit(SESSION, users=[*users, {"_id": "6" * 24, "status": "deleted"}])
    for mail in mails:
        simulator.finish(SESSION, mail)
    _, pushed = ended(mode, timeout=10)
    assert pushed == {"completions": {"learners": 3, "completed": 3, "needed": 3}}


@every_mode
def test_session_without_learners_is_waited_for(simulator: Simulator, mode: str, lines: list[str]) -> None:
    add_session(simulator, learners=0)
    result, pushed = ended(mode, timeout=0.4)
    assert result.startswith("timeout")
    assert pushed == {}
    assert any("It has no learners, so the wait continues. Next poll in" in line for line in lines)


@every_mode
def test_log_says_how_far_the_learners_are(simulator: Simulator, mode: str, lines: list[str]) -> None:
    mails = add_session(simulator)
    thread = finish_while_waiting(simulator, mails)
    ended(mode)
    thread.join()
    start = f"Waiting for program session {SESSION}: all learners to complete it. "
    waiting = [line.removeprefix(start) for line in lines if line.startswith(start)]
    assert [line.split(". Next poll in ")[0] for line in dict.fromkeys(waiting)] == [
        f"{done} of 3 learners have completed; waiting for 3" for done in range(3)
    ]
    assert all(", until 20" in line for line in waiting)
    assert [line for line in lines if line.endswith(f"({SESSION}): 3 of 3 learners have completed.")]
    assert not [line for line in lines if any(mail in line for mail in mails)]


@pytest.mark.slow
def test_count_above_the_number_of_learners_is_waited_for_and_logged(simulator: Simulator, lines: list[str]) -> None:
    for mail in add_session(simulator):
        simulator.finish(SESSION, mail)
    result, _ = ended("poke", count=5, timeout=2)  # the first poll of a process imports the hook
    assert result.startswith("timeout")
    assert [line for line in lines if "3 of 3 learners have completed; waiting for 5. Fewer are enrolled." in line]


def test_timeout_names_the_target(simulator: Simulator) -> None:
    add_session(simulator)
    result, _ = ended("defer", share=0.25, timeout=0.2)
    assert f"waited for program session {SESSION}: 25 % of the learners to complete it." in result


DOWN = {"when": {}, "do": {"status": 503}}
DELETED = {"when": {"after_requests": 4}, "do": {"delete": SESSION}}
SLOW_DOWN = {"when": {}, "do": {"status": 429, "headers": {"Retry-After": "600"}}}
OUTCOMES: dict[str, tuple[list[dict[str, Any]], dict[str, Any], str]] = {
    "outage without end": ([DOWN], {"max_failures": 3}, "UnavailableError"),
    "outage without end, never_fail": ([DOWN], {"max_failures": 1, "never_fail": True}, "skip"),
    "deleted": ([DELETED], {}, "NotFoundError"),
    "deleted, soft_fail": ([DELETED], {"soft_fail": True}, "NotFoundError"),
    "deleted, skip": ([DELETED], {"on_missing": "skip"}, "skip"),
    "deleted, wait": ([DELETED], {"on_missing": "wait", "timeout": 0.5}, "timeout"),
    "key without rights": ([{"when": {"after_requests": 2}, "do": {"status": 403}}], {}, "ForbiddenError"),
    "no counts": ([{"when": {"path": "stat", "after_requests": 1}, "do": {"html": True}}], {}, "ContractError"),
    "never, soft_fail": ([], {"soft_fail": True, "timeout": 0.3}, "skip"),
    "rate limit beyond the timeout": ([SLOW_DOWN], {"timeout": 0.3}, "timeout"),
}


@every_mode
@pytest.mark.parametrize("name", OUTCOMES)
def test_every_mode_ends_the_same_way(simulator: Simulator, mode: str, name: str) -> None:
    steps, arguments, expected = OUTCOMES[name]
    add_session(simulator)
    for step in steps:
        simulator.play(step)
    result, pushed = ended(mode, **arguments)
    assert str(result).split(":")[0] == expected
    assert pushed == {}


@every_mode
@pytest.mark.slow
def test_outage_in_between_is_survived(simulator: Simulator, mode: str) -> None:
    mails = add_session(simulator)
    simulator.play({"when": {"after_requests": 3, "times": 3}, "do": {"status": 503}})
    thread = finish_while_waiting(simulator, mails)
    document, _ = ended(mode, max_failures=3)
    thread.join()
    assert document["_id"] == SESSION


@every_mode
def test_document_that_cannot_be_read_is_a_failed_poll(simulator: Simulator, mode: str) -> None:
    for mail in add_session(simulator):
        simulator.finish(SESSION, mail)
    # The document only: on v2, the first request for the session finds its path.
    simulator.play({"when": {"path": f"{SESSION}/$|/paths/[0-9a-f]+$"}, "do": {"status": 503}})
    result, pushed = ended(mode, max_failures=3)
    assert (result, pushed) == ("UnavailableError", {})


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"share": 0.5, "count": 2}, "^share, count: both"),
        ({"share": 0}, "^share: 0 is not a share"),
        ({"share": 1.01}, "^share: 1.01"),
        ({"share": "80%"}, "^share: '80%'"),
        ({"share": float("nan")}, "^share: nan"),
        ({"share": True}, "^share: True"),
        ({"share": [1]}, "^share: "),
        ({"count": 0}, "^count: 0"),
        ({"count": -1}, "^count: -1"),
        ({"count": 2.0}, "^count: 2.0"),
        ({"count": True}, "^count: True"),
        ({"count": "9" * 5000}, "^count: "),
    ],
)
def test_target_is_checked_when_the_dag_is_parsed(arguments: dict[str, Any], problem: str) -> None:
    with pytest.raises(FixArgumentError, match=problem):
        SessionCompletedSensor(task_id="wait", session_id=SESSION, **arguments)
    with pytest.raises(FixArgumentError, match=problem):
        SessionCompletedSensor.partial(task_id="wait", session_id=SESSION, **arguments)


def test_template_that_gave_nothing_is_an_error_of_the_run() -> None:
    with DAG("templates", schedule=None):
        sensor = SessionCompletedSensor(task_id="wait", session_id=SESSION, share="{{ none }}")  # type: ignore[arg-type]
    sensor.render_template_fields({})  # type: ignore[typeddict-item]
    with pytest.raises(FixArgumentError, match="^share: the template .* gave nothing"):
        sensor.execute({"ti": TaskInstance()})  # type: ignore[typeddict-item]
