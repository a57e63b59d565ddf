"""No `Retry-After` and no poll takes longer than the author and the installation allow."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow.providers.common.compat.sdk import AirflowSensorTimeout, TaskDeferred
from airflow.sdk.exceptions import AirflowRescheduleException

from airflow_provider_learning360.api.errors import RateLimitedError, UnavailableError
from airflow_provider_learning360.api.v1.platform import PlatformV1
from airflow_provider_learning360.sensors.polling import LAST_POLL_SECONDS
from airflow_provider_learning360.sensors.program_session import ProgramSessionModifiedSensor
from airflow_provider_learning360.sensors.session_date import SessionDateSensor

ID = "60b8d2956e20ae1a0f8e44f1"
LONG_DELAYS = [86401.0, 1e12, 1e15, 1e300]


class TaskInstance:
    """The part of a task instance that a sensor uses."""

    map_index = -1

    def __init__(self, started: datetime | None = None) -> None:
        self.started = started

    def get_first_reschedule_date(self, context: Any) -> datetime | None:
        return self.started


class OldTaskInstance:
    """Airflow below 3 does not say when the wait began."""

    map_index = -1


class Hook:
    """A hook whose server sends `Retry-After`; it records its time limits."""

    def __init__(self, retry_after: float | None) -> None:
        self.retry_after = retry_after
        self.time_limit: float | None = None
        self.limits: list[float | None] = []

    platform = PlatformV1()

    def get_program_session(self, session_id: str, keys: Any = None) -> Any:
        self.limits.append(self.time_limit)
        raise RateLimitedError("slow down", retry_after=self.retry_after)


def sensor(hook: Hook, kind: Any = ProgramSessionModifiedSensor, **arguments: Any) -> Any:
    if kind is ProgramSessionModifiedSensor:
        arguments = {"since": "2026-03-01T08:00:00Z", **arguments}
    made = kind(task_id="wait", session_id=ID, **arguments)
    made.__dict__["hook"] = hook
    return made


MODES: list[dict[str, Any]] = [{}, {"mode": "reschedule"}, {"deferrable": True}]
every_mode = pytest.mark.parametrize("mode", MODES, ids=str)


def end(made: Any, ti: Any = None) -> Any:
    """How the first poll of a wait ends."""
    with pytest.raises((AirflowRescheduleException, TaskDeferred, AirflowSensorTimeout)) as caught:
        made.execute({"ti": ti or TaskInstance()})
    return caught.value


@pytest.mark.parametrize("delay", LONG_DELAYS, ids=str)
@pytest.mark.parametrize("kind", [ProgramSessionModifiedSensor, SessionDateSensor])
def test_rescheduled_sensor_waits_a_day_at_most(kind: Any, delay: float) -> None:
    hook = Hook(delay)
    ended = end(sensor(hook, kind, mode="reschedule", timeout=10 * 86400))
    assert isinstance(ended, AirflowRescheduleException)
    assert ended.reschedule_date <= datetime.now(tz=UTC) + timedelta(days=1)
    assert ended.reschedule_date > datetime.now(tz=UTC) + timedelta(hours=23)


@pytest.mark.parametrize("delay", LONG_DELAYS, ids=str)
def test_deferred_sensor_waits_an_hour_at_most(delay: float) -> None:
    trigger = end(sensor(Hook(delay), deferrable=True, timeout=10 * 86400)).trigger
    assert 3500 < trigger.first_wait <= 3600


@pytest.mark.parametrize("delay", LONG_DELAYS, ids=str)
def test_poking_sensor_waits_a_day_at_most(delay: float, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", sleep)
    with pytest.raises(KeyboardInterrupt):
        sensor(Hook(delay), timeout=10 * 86400).execute({"ti": TaskInstance()})
    assert 86000 < slept[0] <= 86400


@every_mode
def test_capped_retry_after_is_logged_with_both_values(
    mode: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    option = "max_triggerer_wait" if mode.get("deferrable") else "max_task_wait"
    monkeypatch.setenv(f"AIRFLOW__LEARNING360__{option.upper()}", "0.5")
    end(sensor(Hook(1e12), timeout=0 if not mode else 100, **mode))
    (line,) = [one for one in capfd.readouterr().out.splitlines() if "asked to wait" in one]
    assert [word for word in ("1e+12 s", "0.5 s", option) if word not in line] == []


@pytest.mark.parametrize("delay", [None, 1.0, 3600.0], ids=str)
def test_retry_after_within_the_limit_is_kept_and_not_logged(
    delay: float | None, capfd: pytest.CaptureFixture[str]
) -> None:
    ended = end(sensor(Hook(delay), mode="reschedule", poke_interval=60, timeout=7200))
    expected = datetime.now(tz=UTC) + timedelta(seconds=max(60.0, delay or 0.0))
    assert abs(ended.reschedule_date - expected) < timedelta(seconds=30)
    assert "asked to wait" not in capfd.readouterr().out


@every_mode
def test_poll_is_limited_to_the_rest_of_the_timeout(mode: dict[str, Any]) -> None:
    hook = Hook(1.0)
    started = datetime.now(tz=UTC) - timedelta(seconds=100)
    if mode:
        end(sensor(hook, timeout=1000, **mode), TaskInstance(started))
    else:
        made = sensor(hook, timeout=1000)
        made._get_next_poke_interval = _stop
        with pytest.raises(KeyboardInterrupt):
            made.execute({"ti": TaskInstance()})
    (limit,) = hook.limits
    assert limit is not None
    if mode.get("mode") == "reschedule":
        assert limit <= 900
    assert 800 < limit <= 1000


def _stop(*_: Any) -> float:
    raise KeyboardInterrupt


def test_last_poll_has_a_few_seconds() -> None:
    for timeout, started in ((0, None), (50, datetime.now(tz=UTC) - timedelta(seconds=100))):
        hook = Hook(None)
        end(sensor(hook, mode="reschedule", timeout=timeout), TaskInstance(started))
        assert hook.limits == [LAST_POLL_SECONDS]


def test_poll_after_a_deferral_is_limited_to_the_deadline() -> None:
    hook = Hook(None)
    deadline = (datetime.now(tz=UTC) + timedelta(seconds=200)).isoformat()
    with pytest.raises(TaskDeferred):
        sensor(hook, timeout=1000, deferrable=True).execute_complete(
            {"ti": TaskInstance()}, {"kind": "poll", "deadline": deadline}
        )
    (limit,) = hook.limits
    assert limit is not None
    assert 100 < limit <= 200


def test_poll_has_no_limit_where_the_start_of_the_wait_is_unknown() -> None:
    hook = Hook(None)
    made = sensor(hook, mode="reschedule", timeout=1000)
    assert made._find_start({"ti": OldTaskInstance()}) is None
    hook.get_program_session = _unavailable  # type: ignore[method-assign]
    with pytest.raises(UnavailableError):  # a single poll: `poke` is public
        sensor(hook, max_failures=0).poke({"ti": OldTaskInstance()})
    assert hook.time_limit is None


def _unavailable(_: str, keys: Any = None) -> Any:
    raise UnavailableError("down")


@every_mode
def test_timeout_beyond_the_calendar_is_accepted(mode: dict[str, Any]) -> None:
    hook = Hook(None)
    made = sensor(hook, timeout=10**12, **mode)
    if not mode:
        made._get_next_poke_interval = _stop
        with pytest.raises(KeyboardInterrupt):
            made.execute({"ti": TaskInstance()})
    else:
        ended = end(made)
        if isinstance(ended, TaskDeferred):
            assert ended.timeout is not None
            assert datetime.now(tz=UTC) + ended.timeout
    assert hook.limits[0] is not None
    assert hook.limits[0] > 1e9


def test_growing_interval_does_not_overflow() -> None:
    made = sensor(Hook(None), exponential_backoff=True, max_wait=60, timeout=10 * 86400)
    assert made._get_next_poke_interval(0.0, lambda: 0.0, 5000) == 60
