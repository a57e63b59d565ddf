from __future__ import annotations

import pytest

from airflow_provider_learning360.api.diagnosis import diagnose
from airflow_provider_learning360.api.errors import (
    ContractError,
    FixConnectionError,
    ForbiddenError,
    LearningError,
    NotFoundError,
    RateLimitedError,
    RedirectError,
    SettingsError,
    TimedOutError,
    UnauthorizedError,
    UnavailableError,
    UnreachableError,
)

CASES = {
    "wrong key": (UnauthorizedError("observed", status=401, code="invalid_client"), "Wrong API key"),
    "wrong company": (UnauthorizedError("observed", status=400, code="invalid_request"), "Wrong company ID"),
    "redirect": (RedirectError("observed"), "Wrong host"),
    "no network": (UnreachableError("observed"), "No network"),
    "time-out": (TimedOutError("observed"), "Time-out"),
    "rate limit": (RateLimitedError("observed"), "The host is right"),
    "trouble": (UnavailableError("observed"), "The host is right"),
    "certificate": (FixConnectionError("observed"), "The host answers"),
    "forbidden": (ForbiddenError("observed"), "The host answers"),
    "another site": (NotFoundError("observed", status=404), "Wrong host"),
    "a login page": (ContractError("observed", status=200), "Wrong host"),
}


@pytest.mark.parametrize(("error", "suspect"), CASES.values(), ids=CASES)
def test_the_suspect_comes_first_and_then_what_was_observed(error: LearningError, suspect: str) -> None:
    said = diagnose(error)
    assert said.startswith(suspect)
    assert said.endswith("observed")


def test_key_company_host_network_and_time_out_are_told_apart() -> None:
    names = ["wrong key", "wrong company", "redirect", "no network", "time-out", "trouble", "certificate"]
    assert len({diagnose(CASES[name][0]) for name in names}) == len(names)


def test_settings_that_are_not_valid_speak_for_themselves() -> None:
    assert diagnose(SettingsError("observed")) == "observed"
