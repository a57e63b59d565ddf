"""The sensor follows the date of a session in every mode, also when the date moves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow.providers.common.compat.sdk import AirflowSensorTimeout, TaskDeferred

from airflow_provider_learning360.api.errors import FixArgumentError, LearningError
from airflow_provider_learning360.api.models import ProgramSession
from airflow_provider_learning360.sensors.memory import TaskMemory
from airflow_provider_learning360.sensors.session_date import SessionDateSensor
from airflow_provider_learning360.simulator import Simulator
from airflow_provider_learning360.triggers.session_date import SessionDateTrigger

pytestmark = pytest.mark.learning360_simulator(sessions=1, learners=1, extra={"retry_attempts": 1})

SOON = timedelta(seconds=0.6)


class FakeTaskInstance:
    """The part of a task instance that a sensor uses."""

    map_index = -1

    def xcom_push(self, key: str, value: Any) -> None:
        raise AssertionError("only the document is pushed")


def poke(sensor: Callable[[], SessionDateSensor]) -> Any:
    return sensor().execute({"ti": FakeTaskInstance()})


def deferred(sensor: Callable[[], SessionDateSensor]) -> Any:
    context: Any = {"ti": FakeTaskInstance()}
    try:
        return sensor().execute(context)
    except TaskDeferred as deferral:
        waiting = deferral
    while True:
        _, stored = waiting.trigger.serialize()
        trigger = SessionDateTrigger(**json.loads(json.dumps(stored)))
        event = json.loads(json.dumps(asyncio.run(first_event(trigger))))
        try:
            return sensor().resume_execution(waiting.method_name, {"event": event}, context)
        except TaskDeferred as deferral:
            waiting = deferral


async def first_event(trigger: SessionDateTrigger) -> Any:
    async for event in trigger.run():
        return event.payload
    raise AssertionError("the trigger ended without an event")


@pytest.fixture(params=[poke, deferred])
def wait(request: pytest.FixtureRequest, learning360_simulator: Simulator) -> Callable[..., Any]:
    """Wait for the simulator's session, in one of the modes."""
    (session_id,) = learning360_simulator.session_ids

    def run(**arguments: Any) -> Any:
        chosen = {"poke_interval": 60, "timeout": 30, "deferrable": request.param is deferred, **arguments}
        return request.param(lambda: SessionDateSensor(task_id="wait", session_id=session_id, **chosen))

    return run


def date(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def set_dates(simulator: Simulator, **dates: Any) -> None:
    simulator.edit(simulator.session_ids[0], **dates)


def test_sensor_wakes_when_the_time_comes_and_not_at_the_next_poll(wait: Any, learning360_simulator: Simulator) -> None:
    start = datetime.now(tz=UTC) + timedelta(hours=2) + SOON
    set_dates(learning360_simulator, startDate=date(start))
    document = wait(before={"hours": 2})  # with 60 s between polls
    assert document["startDate"] == date(start)
    assert datetime.now(tz=UTC) >= start - timedelta(hours=2, milliseconds=1)


def test_time_in_the_past_ends_the_wait_at_once(wait: Any, learning360_simulator: Simulator) -> None:
    set_dates(learning360_simulator, endDate=date(datetime.now(tz=UTC) - timedelta(days=1)))
    assert wait(anchor="endDate", after={"hours": 1})
    assert len(learning360_simulator.requests) == 1


def test_postponed_date_postpones_the_wait(wait: Any, learning360_simulator: Simulator) -> None:
    (session_id,) = learning360_simulator.session_ids
    first = datetime.now(tz=UTC) + SOON
    second = first + SOON
    set_dates(learning360_simulator, startDate=date(first))
    learning360_simulator.play(
        {"when": {"after_requests": 1}, "do": {"edit": {"session": session_id, "fields": {"startDate": date(second)}}}}
    )
    assert wait()["startDate"] == date(second)
    assert datetime.now(tz=UTC) >= second - timedelta(milliseconds=1)


def test_earlier_date_is_found_by_the_next_poll(wait: Any, learning360_simulator: Simulator) -> None:
    (session_id,) = learning360_simulator.session_ids
    set_dates(learning360_simulator, startDate=date(datetime.now(tz=UTC) + timedelta(days=30)))
    now = date(datetime.now(tz=UTC))
    learning360_simulator.play(
        {"when": {"after_requests": 2}, "do": {"edit": {"session": session_id, "fields": {"startDate": now}}}}
    )
    assert wait(poke_interval=0.05)["startDate"] == now


def test_sensor_waits_for_a_date_that_is_not_set(wait: Any, learning360_simulator: Simulator) -> None:
    (session_id,) = learning360_simulator.session_ids
    set_dates(learning360_simulator, endDate=None)
    now = date(datetime.now(tz=UTC))
    learning360_simulator.play(
        {"when": {"after_requests": 3}, "do": {"edit": {"session": session_id, "fields": {"endDate": now}}}}
    )
    assert wait(anchor="endDate", poke_interval=0.05)["endDate"] == now


def test_outage_when_the_time_comes_keeps_the_usual_interval(wait: Any, learning360_simulator: Simulator) -> None:
    set_dates(learning360_simulator, startDate=date(datetime.now(tz=UTC) + SOON))
    learning360_simulator.play({"when": {"after_requests": 1, "times": 3}, "do": {"status": 503}})
    assert wait(poke_interval=0.3)
    times = [one.at for one in learning360_simulator.requests if one.status == 503]
    assert len(times) == 3
    assert times[2] - times[1] >= 0.29


def test_sensor_times_out(wait: Any, learning360_simulator: Simulator) -> None:
    set_dates(learning360_simulator, startDate=date(datetime.now(tz=UTC) + timedelta(days=30)))
    with pytest.raises(AirflowSensorTimeout):
        wait(timeout=0.3, poke_interval=0.1)


def test_missing_session_fails_the_sensor(wait: Any, learning360_simulator: Simulator) -> None:
    learning360_simulator.delete(learning360_simulator.session_ids[0])
    with pytest.raises(LearningError, match="404"):
        wait()


def test_days_count_on_the_wall_clock(learning360_simulator: Simulator) -> None:
    from airflow_provider_learning360.api.models import ProgramSession
    from airflow_provider_learning360.reminders.schedule import SessionSchedule

    # Clocks in Paris went ahead on 29 March 2026, at two.
    session = ProgramSession.model_validate({"_id": "0" * 24, "startDate": "2026-03-29T08:00:00.000Z"})
    for before, hour in (({"days": 1}, 9), (timedelta(days=1), 9), ({"hours": 24}, 8)):
        schedule = SessionSchedule.read("startDate", before, None, "Europe/Paris")
        assert schedule.find_due(session) == datetime(2026, 3, 28, hour, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"anchor": "start_date"}, "startDate"),
        ({"before": {"day": 1}}, "days"),
        ({"before": {"days": 1}, "after": {"days": 1}}, "one of them"),
        ({"time_zone": "Europe/Pari"}, "Europe/Paris"),
        ({"before": "1 day"}, "before: '1 day' is not a duration; write {days: 1}"),
        ({"before": timedelta(seconds=1)}, "before: a timedelta must be"),
        ({"before": {"days": 0}}, "before: must be longer than 0"),
        ({"time_zone": 5}, "time_zone: 5 is not a text"),
    ],
)
def test_invalid_argument_is_refused_when_the_dag_is_parsed(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(FixArgumentError, match=f"^(?!.*policy).*{message}"):
        SessionDateSensor(task_id="wait", session_id="60b8d2956e20ae1a0f8e44f1", **arguments)


def test_templates_are_not_checked_when_the_dag_is_parsed() -> None:
    SessionDateSensor(task_id="wait", session_id="{{ params.id }}", before={"days": "{{ params.days }}"})


@settings(max_examples=300, deadline=None)
@given(
    st.datetimes(timezones=st.just(UTC))
    | st.sampled_from([datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]),
    st.sampled_from(["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/Paris", "Africa/Monrovia"]),
    st.sampled_from([("before", {"days": 1}), ("before", {"hours": 5}), ("after", {"days": 3}), ("after", {})]),
    st.sampled_from(["startDate", "endDate"]),
)
def test_any_date_is_waited_for_in_any_zone(
    moment: datetime, zone: str, offset: tuple[str, dict[str, int]], anchor: str
) -> None:
    sensor = SessionDateSensor(
        task_id="wait", session_id="f" * 24, anchor=anchor, time_zone=zone, deferrable=True, **{offset[0]: offset[1]}
    )
    session = ProgramSession.model_validate({"_id": "f" * 24, anchor: moment})
    wait = sensor.build_wait(TaskMemory({}, {}))
    found = wait.find(session)
    assert wait.due is not None
    assert (found is not None) == (wait.due <= datetime.now(tz=UTC))
    assert abs(wait.due.year - moment.year) <= 1
    sensor.on_poll(session, wait, TaskMemory({}, {}))
    assert sensor.seconds_until_due() >= 0


@pytest.mark.parametrize(("has_failed", "seconds"), [(False, 0.0), (True, float("inf"))])
def test_time_that_came_just_after_the_last_poll_is_not_missed(has_failed: bool, seconds: float) -> None:
    # Deferring takes some seconds. Then the trigger must not wait for the whole interval.
    due = datetime.now(tz=UTC) - timedelta(seconds=1)
    arguments = {"session_id": "f" * 24, "learning_conn_id": "learning360_default", "failures": int(has_failed)}
    trigger = SessionDateTrigger(anchor="startDate", due=due.isoformat(), **arguments)
    assert trigger.seconds_until_due(trigger.build_wait()) == seconds
    sensor = SessionDateSensor(task_id="wait", session_id="f" * 24)
    sensor._in_process["due"], sensor._has_failed = due, has_failed
    assert sensor.seconds_until_due() == seconds
