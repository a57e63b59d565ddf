"""From errors to Airflow's decision whether to retry."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow.providers.common.compat.sdk import DAG, AirflowFailException
from airflow.providers.common.compat.sdk import BaseOperator as EmptyTask

from airflow_provider_learning360.api.errors import LearningError, NotFoundError, RateLimitedError, UnavailableError
from airflow_provider_learning360.operators.program_session import GetProgramSessionOperator
from airflow_provider_learning360.policies.retry import LearningRetryPolicy, fail_fast


def test_lasting_error_becomes_airflows_own_below_3_3() -> None:
    with pytest.raises(AirflowFailException, match="NotFoundError: gone"), fail_fast(convert=True):
        raise NotFoundError("gone")


@pytest.mark.parametrize(("error", "convert"), [(NotFoundError("gone"), False), (UnavailableError("down"), True)])
def test_error_is_unchanged_with_retry_policies(error: LearningError, convert: bool) -> None:
    with pytest.raises(type(error)) as caught, fail_fast(convert=convert):
        raise error
    assert caught.value is error


def test_policy_survives_serialization() -> None:
    assert isinstance(LearningRetryPolicy.deserialize(LearningRetryPolicy().serialize()), LearningRetryPolicy)


def test_short_retry_after_does_not_shorten_retry_delay() -> None:
    task = EmptyTask(task_id="one", retry_delay=timedelta(minutes=5))
    errors = [RateLimitedError("x", retry_after=seconds) for seconds in (1.0, 900.0)]
    asked = [LearningRetryPolicy().evaluate(error, 1, 3, {"task": task}) for error in errors]
    assert [(one.action.value, one.retry_delay) for one in asked] == [
        ("default", None),
        ("retry", timedelta(minutes=15)),
    ]


def test_policy_in_default_args_wins() -> None:
    mine = LearningRetryPolicy()
    with DAG("one", schedule=None, default_args={"retry_policy": mine}):
        assert GetProgramSessionOperator(task_id="get", session_id="f" * 24).retry_policy is mine


@pytest.mark.parametrize("asked", [86401.0, 1e12, 1e15, 1e300], ids=str)
def test_task_waits_a_day_at_most_and_says_so(asked: float) -> None:
    decision = LearningRetryPolicy().evaluate(RateLimitedError("x", retry_after=asked), 1, 3)
    assert (decision.action.value, decision.retry_delay) == ("retry", timedelta(days=1))
    assert decision.reason == (f"360Learning asked to wait {asked:g} s; waiting 86400 s ([learning360] max_task_wait)")


@pytest.mark.parametrize("asked", [0.0, 1.0, 86400.0])
def test_wait_within_the_limit_is_unchanged(asked: float) -> None:
    decision = LearningRetryPolicy().evaluate(RateLimitedError("x", retry_after=asked), 1, 3)
    assert (decision.retry_delay, decision.reason) == (
        timedelta(seconds=asked),
        f"360Learning asked to wait {asked:g} s",
    )


def test_limit_is_configurable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__LEARNING360__MAX_TASK_WAIT", "120")
    decision = LearningRetryPolicy().evaluate(RateLimitedError("x", retry_after=1e12), 1, 3)
    assert decision.retry_delay == timedelta(minutes=2)
    task = EmptyTask(task_id="one", retry_delay=timedelta(minutes=5))
    assert LearningRetryPolicy().evaluate(
        RateLimitedError("x", retry_after=1e12), 1, 3, {"task": task}
    ).action.value == ("default")


@pytest.mark.parametrize("asked", [-1e300, -1.0], ids=str)
def test_negative_wait_is_zero(asked: float) -> None:
    decision = LearningRetryPolicy().evaluate(RateLimitedError("x", retry_after=asked), 1, 3)
    assert decision.retry_delay == timedelta(0)
