"""Outages and rate limits, with Airflow's own classes: waited out without a retry, where Airflow can do that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import pytest

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_learning360.api.errors import (
    LearningError,
    NotFoundError,
    RateLimitedError,
    TimedOutError,
    TryAgainError,
    UnavailableError,
    UnknownOutcomeError,
    UnreachableError,
)
from airflow_provider_learning360.operators.program_session import GetProgramSessionOperator
from airflow_provider_learning360.policies.retry import LearningRetryPolicy
from airflow_provider_learning360.sensors.program_session import ProgramSessionModifiedSensor

AIRFLOW = tuple(int(part) for part in version("apache-airflow").split(".")[:2])
REQUEST = {"method": "GET", "path": "/api/v1/programs/sessions"}
OUTAGES = (RateLimitedError, TimedOutError, UnavailableError, UnreachableError)

pytestmark = pytest.mark.promise("fetch")
before_3_3 = pytest.mark.skipif(AIRFLOW < (3, 3), reason="there are no retry policies")
before_3_4 = pytest.mark.skipif(AIRFLOW < (3, 4), reason="a task cannot be rescheduled by a retry policy")


def context(count: int = 0, minutes: float = 0, **task: Any) -> Any:
    """Return the context of a task that was rescheduled so often, first so many minutes ago."""
    first = datetime.now(tz=UTC) - timedelta(minutes=minutes)
    return {
        "task": SimpleNamespace(**{"retries": 3, "retry_delay": timedelta(minutes=5), **task}),
        "ti": SimpleNamespace(get_first_reschedule_date=lambda _: first),
        "task_reschedule_count": count,
    }


def decided(error: LearningError, given: Any = None, policy: LearningRetryPolicy | None = None) -> tuple[Any, ...]:
    """Return Airflow's decision: action, delay."""
    decision = (policy or LearningRetryPolicy()).evaluate(error, 1, 3, given or context())
    return decision.action.value, decision.retry_delay


@before_3_4
@pytest.mark.parametrize("kind", OUTAGES)
def test_outage_uses_no_retry_and_is_bounded(kind: type[LearningError]) -> None:
    decision = LearningRetryPolicy().evaluate(kind("x", **REQUEST), 1, 3, context())
    assert (decision.action.value, decision.retry_delay) == ("reschedule", timedelta(minutes=5))
    assert (decision.max_reschedules, decision.reschedule_timeout) == (12, timedelta(hours=1))
    assert "no retry is used" in decision.reason


@before_3_4
def test_reschedule_waits_as_long_as_asked_and_no_shorter_than_the_task() -> None:
    asked = {seconds: RateLimitedError("x", retry_after=seconds, **REQUEST) for seconds in (1, 900, 1e12)}
    assert [decided(error) for error in asked.values()] == [
        ("reschedule", timedelta(minutes=5)),
        ("reschedule", timedelta(minutes=15)),
        ("reschedule", timedelta(days=1)),
    ]


@before_3_4
@pytest.mark.parametrize("given", [{"count": 12, "minutes": 50}, {"count": 3, "minutes": 61}], ids=["often", "long"])
def test_retries_are_used_after_the_limit_and_wait_as_long_as_asked(given: dict[str, Any]) -> None:
    error = RateLimitedError("x", retry_after=900, **REQUEST)
    assert decided(error, context(**given)) == ("retry", timedelta(minutes=15))
    assert decided(UnavailableError("x", **REQUEST), context(**given)) == ("default", None)


@before_3_3
@pytest.mark.parametrize("error", [NotFoundError("x", **REQUEST), UnknownOutcomeError("x", **REQUEST)])
def test_error_that_a_retry_cannot_fix_fails_at_once(error: LearningError) -> None:
    assert decided(error) == ("fail", None)


@before_3_3
@pytest.mark.parametrize(
    "error",
    [TryAgainError("Somebody else changes the session.", **REQUEST), TimedOutError("It has not ended in time.")],
    ids=["conflict", "timeout of the task"],
)
def test_other_errors_use_retries(error: LearningError) -> None:
    assert decided(error) == ("default", None)


@before_3_3
def test_task_without_retries_and_sensor_are_not_rescheduled() -> None:
    error = UnavailableError("x", **REQUEST)
    assert decided(error, context(retries=0)) == ("default", None)
    with DAG("policies", schedule=None):
        sensor = ProgramSessionModifiedSensor(task_id="wait", session_id="0" * 24)
    assert decided(error, policy=sensor.retry_policy) == ("default", None)


@before_3_3
def test_policy_of_the_author_wins() -> None:
    mine = LearningRetryPolicy(max_reschedules=0)
    with DAG("policies", schedule=None):
        task = GetProgramSessionOperator(task_id="get", session_id="0" * 24, retry_policy=mine)
    assert task.retry_policy is mine
    assert decided(UnavailableError("x", **REQUEST), policy=mine) == ("default", None)


@before_3_4
@pytest.mark.learning360_simulator(extra={"retry_attempts": 1})
def test_task_that_met_an_outage_succeeds_in_its_first_try(learning360_simulator: Any) -> None:
    from outages import fetch_in_an_outage

    session_id = learning360_simulator.session_ids[0]
    learning360_simulator.play({"when": {"times": 2}, "do": {"status": 503}})
    run = fetch_in_an_outage.test(run_conf={"session_id": session_id})
    (task,) = run.get_task_instances()
    assert (run.state, task.state, task.try_number) == ("success", "success", 1)
    assert len(learning360_simulator.requests) == 3


@before_3_4
@pytest.mark.learning360_simulator(extra={"retry_attempts": 1})
def test_outage_without_end_fails_after_the_retries(learning360_simulator: Any) -> None:
    from outages import fetch_in_an_outage

    learning360_simulator.play({"do": {"status": 503}})
    run = fetch_in_an_outage.test(run_conf={"session_id": learning360_simulator.session_ids[0]})
    (task,) = run.get_task_instances()
    assert (run.state, task.state, task.try_number) == ("failed", "failed", 2)
    assert len(learning360_simulator.requests) == 2 * (1 + 2)  # tries, each with its reschedules
