"""From typed API errors to Airflow's decision."""

from __future__ import annotations

import pytest

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_learning360.api.errors import LearningError, NotFoundError, UnavailableError
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
