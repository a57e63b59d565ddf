"""What the engineer on call reads in the log of a waiting task, in every mode."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from airflow.providers.common.compat.sdk import AirflowSkipException, TaskDeferred
from airflow.sdk.exceptions import AirflowRescheduleException

from airflow_provider_learning360.api import retries
from airflow_provider_learning360.api.errors import NotFoundError
from airflow_provider_learning360.api.models import ProgramSession
from airflow_provider_learning360.api.v1.platform import PlatformV1
from airflow_provider_learning360.hooks.learning import LearningAsyncHook, LearningHook
from airflow_provider_learning360.sensors.program_session import ProgramSessionModifiedSensor
from airflow_provider_learning360.sensors.session_date import SessionDateSensor
from airflow_provider_learning360.simulator import Simulator
from airflow_provider_learning360.triggers.session_polling import SessionPollingTrigger
from airflow_provider_learning360.waiting_log import MAX_NAME, date_text, due_text, label

pytestmark = pytest.mark.learning360_simulator(sessions=1, learners=1, extra={"retry_attempts": 1, "timeout": 5})

NEXT = r"Next poll in [\d.]+ s, until 20\d\d-\d\d-\d\d \d\d:\d\d UTC\."


class TaskInstance:
    """The part of a task instance that a sensor uses."""

    map_index = -1

    def __init__(self) -> None:
        self.started = datetime.now(tz=UTC)

    def get_first_reschedule_date(self, context: Any) -> datetime:
        return self.started

    def xcom_push(self, key: str, value: Any) -> None:
        pass


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


def new_context() -> dict[str, Any]:
    return {"ti": TaskInstance(), "task_state_store": Store()}


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


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What sensor and trigger log, in order."""
    logged: list[str] = []

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logged.append(record.getMessage())

    logger = logging.getLogger("lines")
    logger.setLevel(logging.INFO)
    monkeypatch.setattr(logger, "handlers", [Lines()])
    for kind in (ProgramSessionModifiedSensor, SessionDateSensor, SessionPollingTrigger):
        monkeypatch.setattr(kind, "log", logger, raising=False)
    return logged


@pytest.fixture(params=list(MODES))
def wait(request: pytest.FixtureRequest, learning360_simulator: Simulator) -> Callable[..., Any]:
    """Wait for a change of the simulator's session, in one of the modes."""
    (session_id,) = learning360_simulator.session_ids
    drive, mode = MODES[request.param]

    def run(kind: Any = ProgramSessionModifiedSensor, **arguments: Any) -> Any:
        chosen = {"poke_interval": 0.05, "timeout": 30, **mode, **arguments}
        return drive(lambda: kind(task_id="wait", session_id=session_id, **chosen), new_context())

    return run


def edit_after(simulator: Simulator, requests: int, **fields: Any) -> None:
    (session_id,) = simulator.session_ids
    simulator.play({"when": {"after_requests": requests}, "do": {"edit": {"session": session_id, "fields": fields}}})


def matching(lines: list[str], pattern: str) -> list[str]:
    return [line for line in lines if re.search(pattern, line)]


def test_waiting_line_says_what_is_waited_for_until_when_and_when_the_next_poll_is(
    wait: Any, lines: list[str], learning360_simulator: Simulator
) -> None:
    (session_id,) = learning360_simulator.session_ids
    learning360_simulator.edit(
        session_id, name="Workplace safety, Lyon", modifiedAt="2026-05-08T08:31:00.000Z", startDate=None
    )
    edit_after(learning360_simulator, 3, startDate="2031-05-05T08:00:00.000Z")
    assert wait(watch=["startDate", "endDate"])
    expected = (
        rf"^Waiting for 'Workplace safety, Lyon' \({session_id}\): startDate or endDate to change\. "
        rf"Last modified 2026-05-08 08:31 UTC\. {NEXT}$"
    )
    assert matching(lines, "Waiting") == matching(lines, expected)
    assert matching(lines, expected)
    assert len(matching(lines, f"'Workplace safety, Lyon' .{session_id}. was modified: modifiedAt: .*startDate")) == 1


def test_waiting_line_is_written_once_and_not_at_each_poll(lines: list[str], learning360_simulator: Simulator) -> None:
    (session_id,) = learning360_simulator.session_ids
    edit_after(learning360_simulator, 6, name="New")
    for drive, mode in (MODES["poke"], MODES["defer"]):
        lines.clear()
        drive(
            lambda: ProgramSessionModifiedSensor(
                task_id="wait",
                session_id=session_id,
                poke_interval=0.02,
                timeout=30,
                **mode,  # noqa: B023
            ),
            new_context(),
        )
        # The worker writes it, and the trigger does with its own first poll.
        assert 1 <= len(matching(lines, "Waiting for")) <= (2 if mode else 1)
        edit_after(learning360_simulator, len(learning360_simulator.requests) + 6, name="Newer")


def test_outage_is_one_line_when_it_begins_and_one_when_it_ends(
    wait: Any, lines: list[str], learning360_simulator: Simulator
) -> None:
    (session_id,) = learning360_simulator.session_ids
    learning360_simulator.play({"when": {"after_requests": 1, "times": 3}, "do": {"status": 503}})
    edit_after(learning360_simulator, 5, name="New")
    assert wait()
    (begin,) = matching(lines, "Could not read")
    assert re.fullmatch(
        rf"Could not read program session {session_id} \(1 failure in a row, 10 allowed\): .*503.* {NEXT}", begin
    )
    assert len(matching(lines, rf"\({session_id}\) was read again after 3 failed polls\.$")) == 1


@pytest.mark.learning360_simulator(sessions=1, learners=1, extra={"retry_attempts": 3, "timeout": 5})
def test_retries_inside_a_poll_are_not_in_the_log(
    wait: Any, lines: list[str], learning360_simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for hook in (LearningHook, LearningAsyncHook):
        monkeypatch.setattr(hook, "log", logging.getLogger("lines"), raising=False)
    monkeypatch.setattr(retries, "MIN_BACKOFF", 0.01)
    learning360_simulator.play({"when": {"after_requests": 1, "times": 6}, "do": {"status": 503}})
    edit_after(learning360_simulator, 8, name="New")
    assert wait()
    assert len(learning360_simulator.requests) >= 8
    assert matching(lines, "Could not read")
    assert matching(lines, "Trying again") == []


def test_due_within_the_wait_has_no_advice() -> None:
    due = datetime(2026, 3, 1, 8, tzinfo=UTC)
    assert due_text(due, "startDate", due) == due_text(due, "startDate") == "That is at 2026-03-01 08:00:00 UTC."


def test_outage_that_a_deferral_is_made_in_ends_with_its_full_count(
    lines: list[str], learning360_simulator: Simulator
) -> None:
    (session_id,) = learning360_simulator.session_ids
    before = learning360_simulator.session(session_id)
    learning360_simulator.play({"when": {"times": 2}, "do": {"status": 503}})
    edit_after(learning360_simulator, 3, name="New")

    def make() -> ProgramSessionModifiedSensor:
        return ProgramSessionModifiedSensor(
            task_id="wait", session_id=session_id, since=before, poke_interval=0.02, timeout=20, deferrable=True
        )

    defer(make, new_context())
    assert len(matching(lines, "Could not read")) == 1
    assert len(matching(lines, "was read again after 2 failed polls")) == 1


def test_deleted_session_was_there_and_is_gone(wait: Any, learning360_simulator: Simulator) -> None:
    (session_id,) = learning360_simulator.session_ids
    learning360_simulator.play({"when": {"after_requests": 2}, "do": {"delete": session_id}})
    with pytest.raises(NotFoundError) as caught:
        wait()
    now = datetime.now(tz=UTC)
    minutes = "|".join(f"{now - timedelta(minutes=one):%Y-%m-%d %H:%M}" for one in (0, 1))
    assert re.search(
        rf"Program session {session_id} was last read at ({minutes}) UTC, and does not exist any more\.$",
        str(caught.value),
    )


def test_session_that_never_was_there_is_not_called_gone(wait: Any, learning360_simulator: Simulator) -> None:
    learning360_simulator.delete(learning360_simulator.session_ids[0])
    with pytest.raises(NotFoundError) as caught:
        wait()
    assert "does not exist any more" not in str(caught.value)


def test_skipped_task_says_that_the_session_no_longer_exists(wait: Any, learning360_simulator: Simulator) -> None:
    (session_id,) = learning360_simulator.session_ids
    learning360_simulator.play({"when": {"after_requests": 2}, "do": {"delete": session_id}})
    with pytest.raises(
        AirflowSkipException, match=r"was last read at .* does not exist any more\. .*on_missing is 'skip'"
    ):
        wait(on_missing="skip")


def test_session_that_comes_back_is_waited_for(lines: list[str], learning360_simulator: Simulator) -> None:
    (session_id,) = learning360_simulator.session_ids
    document = learning360_simulator.session(session_id)
    learning360_simulator.play({"when": {"after_requests": 2}, "do": {"delete": session_id}})
    sensor = ProgramSessionModifiedSensor(
        task_id="wait", session_id=session_id, poke_interval=0.02, timeout=30, on_missing="wait"
    )
    pokes = 0
    real = sensor.poke

    def poke_and_restore(context: Any) -> Any:
        nonlocal pokes
        pokes += 1
        if pokes == 6:
            learning360_simulator.add(document)
        if pokes == 8:
            learning360_simulator.edit(session_id, name="New")
        return real(context)

    sensor.poke = poke_and_restore  # type: ignore[method-assign]
    assert sensor.execute(new_context())  # type: ignore[arg-type]
    gone = (
        rf"^Program session {session_id} was last read at .* UTC, and does not exist any more\. "
        rf"Waiting for it .*on_missing.* {NEXT}$"
    )
    assert len(matching(lines, gone)) == 1
    assert len(matching(lines, "exists again")) == 1


def test_date_that_moves_is_a_new_waiting_line(wait: Any, lines: list[str], learning360_simulator: Simulator) -> None:
    (session_id,) = learning360_simulator.session_ids
    learning360_simulator.edit(session_id, name="Lyon", startDate=None)
    later = datetime.now(tz=UTC) + timedelta(days=30)
    edit_after(learning360_simulator, 2, startDate=f"{later:%Y-%m-%dT%H:%M:%S}.000Z")
    edit_after(learning360_simulator, 5, startDate="2026-01-01T08:00:00.000Z")
    assert wait(SessionDateSensor, before={"days": 1, "hours": 2})
    what = rf"Waiting for 'Lyon' \({session_id}\): 1 day 2 hours before startDate\."
    assert matching(lines, rf"^{what} startDate is not set\. {NEXT}$")
    due = later - timedelta(days=1, hours=2)
    # The time is in a month, and the wait ends after 30 s.
    too_late = rf"That is at {due:%Y-%m-%d %H:%M:%S} UTC\. The wait ends before that time: raise `timeout`\."
    assert matching(lines, rf"^{what} {too_late} {NEXT}$")
    came = rf"'Lyon' \({session_id}\): the time has come \(1 day 2 hours before startDate, 2025-12-31 06:00 UTC\)\."
    assert len(matching(lines, came)) == 1


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Safety\x1b[31m\nLyon\u202e", r"'Safety\x1b[31m Lyon\u202e' (ID)"),
        ("Ask jane.doe@example.com", "'Ask …@…' (ID)"),
        ("S" * 500, f"'{'S' * MAX_NAME}…' (ID)"),
        ("\ud800 x", "'\ufffd x' (ID)"),
        (" ", "program session ID"),
        (None, "program session ID"),
    ],
)
def test_name_in_the_log_is_printable_short_and_without_addresses(name: str | None, shown: str) -> None:
    session = ProgramSession.model_construct(id="f" * 24, name=name)
    assert label(session) == shown.replace("ID", "f" * 24)


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (None, None, "endDate"),
        ({"days": 1}, None, "1 day before endDate"),
        (None, {"hours": 2, "minutes": 0}, "2 hours after endDate"),
        ({}, {}, "endDate"),
    ],
)
def test_date_text(before: Any, after: Any, text: str) -> None:
    assert date_text("endDate", before, after) == text


@pytest.mark.parametrize("start", ["2026-01-01T08:00:00.000Z", None], ids=["over", "waiting"])
def test_mapped_sensor_shows_the_name_of_its_session(start: str | None, learning360_simulator: Simulator) -> None:
    (session_id,) = learning360_simulator.session_ids
    learning360_simulator.edit(session_id, name="Lyon", startDate=start)
    context = new_context()
    context["ti"].map_index = 0
    sensor = SessionDateSensor(task_id="wait", session_id=session_id)
    assert bool(sensor.poke(context)) is (start is not None)  # type: ignore[arg-type]
    assert context["map_index_template"] == "{{ learning360_session }}"
    assert context["learning360_session"] == f"Lyon ({session_id})"


@pytest.mark.parametrize("template", [None, "{{ task.session_id }}"])
def test_mapped_sensor_shows_the_name_also_while_it_is_deferred(
    template: str | None, learning360_simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk.execution_time import task_runner

    (session_id,) = learning360_simulator.session_ids
    learning360_simulator.edit(session_id, name="Lyon", startDate=None)
    sent: list[Any] = []
    supervisor = SimpleNamespace(send=lambda message: sent.append(message.rendered_map_index))
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", supervisor, raising=False)
    context = new_context() | {"map_index_template": template}
    context["ti"].map_index = 0
    sensor = SessionDateSensor(task_id="wait", session_id=session_id, deferrable=True)
    session = ProgramSession.model_validate(learning360_simulator.session(session_id))
    # The connection would be looked up through the supervisor too.
    sensor.__dict__["hook"] = SimpleNamespace(get_program_session=lambda *_: session, platform=PlatformV1())
    with pytest.raises(TaskDeferred):
        sensor.execute(context)  # type: ignore[arg-type]
    # A label of the author's own is sent by Airflow.
    assert sent == ([f"Lyon ({session_id})"] if template is None else [])
