from __future__ import annotations

import pytest

from airflow_provider_learning360.api.credentials import CLIENT_KEYS
from airflow_provider_learning360.api.diagnosis import accepted, diagnose
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
    "certificate": (FixConnectionError("observed"), "The host responds"),
    "forbidden": (ForbiddenError("observed"), "The host responds"),
    "another site": (NotFoundError("observed", status=404), "Wrong host"),
    "a login page": (ContractError("observed", status=200), "Wrong host"),
}


@pytest.mark.parametrize(("error", "suspect"), CASES.values(), ids=CASES)
def test_suspected_cause_comes_before_the_observation(error: LearningError, suspect: str) -> None:
    said = diagnose(error)
    assert said.startswith(suspect)
    assert said.endswith("observed")


def test_key_company_host_network_and_time_out_are_distinguished() -> None:
    names = ["wrong key", "wrong company", "redirect", "no network", "time-out", "trouble", "certificate"]
    assert len({diagnose(CASES[name][0]) for name in names}) == len(names)


def test_invalid_settings_are_shown_as_they_are() -> None:
    assert diagnose(SettingsError("observed")) == "observed"


def test_keys_have_the_names_that_360learning_gives_them() -> None:
    assert diagnose(CASES["wrong key"][0], CLIENT_KEYS).startswith("Wrong client secret, or")
    assert diagnose(CASES["wrong company"][0], CLIENT_KEYS).startswith("Wrong client ID.")
    assert accepted("https://x", 0.5, CLIENT_KEYS) == "https://x accepted client ID and client secret in 500 ms."
    assert accepted("https://x", 0.5) == "https://x accepted company ID and API key in 500 ms."
