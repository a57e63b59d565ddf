"""From typed API errors to Airflow's decision."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow.providers.common.compat.sdk import DAG, AirflowFailException
from airflow.providers.common.compat.sdk import BaseOperator as EmptyTask

from airflow_provider_learning360.api.errors import LearningError, NotFoundError, RateLimitedError, UnavailableError
from airflow_provider_learning360.operators.program_session import GetProgramSessionOperator
from airflow_provider_learning360.policies.retry import LearningRetryPolicy, failing_fast


def test_below_airflow_3_3_final_errors_become_airflows_own() -> None:
    with pytest.raises(AirflowFailException, match="NotFoundError: gone"), failing_fast(convert=True):
        raise NotFoundError("gone")


@pytest.mark.parametrize(("error", "convert"), [(NotFoundError("gone"), False), (UnavailableError("down"), True)])
def test_otherwise_the_error_stays(error: LearningError, convert: bool) -> None:
    with pytest.raises(type(error)) as caught, failing_fast(convert=convert):
        raise error
    assert caught.value is error


def test_the_policy_survives_serialization() -> None:
    assert isinstance(LearningRetryPolicy.deserialize(LearningRetryPolicy().serialize()), LearningRetryPolicy)


def test_a_short_delay_of_the_server_never_shortens_the_tasks_own() -> None:
    task = EmptyTask(task_id="one", retry_delay=timedelta(minutes=5))
    errors = [RateLimitedError("x", retry_after=seconds) for seconds in (1.0, 900.0)]
    asked = [LearningRetryPolicy().evaluate(error, 1, 3, {"task": task}) for error in errors]
    assert [(one.action.value, one.retry_delay) for one in asked] == [
        ("default", None),
        ("retry", timedelta(minutes=15)),
    ]


def test_a_policy_in_default_args_wins() -> None:
    mine = LearningRetryPolicy()
    with DAG("one", schedule=None, default_args={"retry_policy": mine}):
        assert GetProgramSessionOperator(task_id="get", session_id="x").retry_policy is mine
