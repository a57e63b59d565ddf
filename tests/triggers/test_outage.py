"""How long a poller waits after a poll that failed, wholly or for some of its sessions."""

from __future__ import annotations

import logging

import pytest

from airflow_provider_learning360.api.errors import LearningError, RateLimitedError, UnavailableError
from airflow_provider_learning360.api.retries import MAX_BACKOFF
from airflow_provider_learning360.triggers.outage import Outage

INTERVAL = 10.0


def compute_wait(error: LearningError | None, failures: int = 3, *, has_read: bool) -> float:
    outage = Outage(logging.getLogger(__name__), "learning360_default")
    for _ in range(failures):
        outage.note_poll(error)
    return outage.compute_wait(INTERVAL, has_read=has_read)


def test_wait_grows_only_while_nothing_is_read() -> None:
    assert INTERVAL <= compute_wait(None, has_read=False) <= INTERVAL * 1.05
    assert INTERVAL <= compute_wait(UnavailableError("down"), has_read=True) <= INTERVAL * 1.05
    assert compute_wait(UnavailableError("down"), has_read=False) >= MAX_BACKOFF


def test_retry_after_wins_also_if_something_was_read(caplog: pytest.LogCaptureFixture) -> None:
    assert compute_wait(RateLimitedError("busy", retry_after=100.0), has_read=True) >= 100
    assert caplog.text.count("longest wait allowed") == 0
    assert compute_wait(RateLimitedError("busy", retry_after=1e6), has_read=True) < 1e4
    assert caplog.text.count("360Learning asked to wait 1e+06 s (connection 'learning360_default')") == 1
