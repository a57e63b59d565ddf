"""Tests of the limit of mails per second, with a clock that passes only while somebody waits."""

from __future__ import annotations

import threading

import pytest

from airflow_provider_learning360.reminders.mail_rate import MailRateLimiter


class Clock(threading.Event):
    """A clock, and the event that a limiter waits for."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def wait(self, timeout: float | None = None) -> bool:
        self.now += timeout or 0
        return self.is_set()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    one = Clock()
    monkeypatch.setattr("airflow_provider_learning360.reminders.mail_rate.time", one)
    return one


def times(limiter: MailRateLimiter, clock: Clock, count: int) -> list[float]:
    """Return when each of the next mails may be sent, in seconds since the start of the clock."""
    sent = []
    for _ in range(count):
        assert limiter.acquire(clock)
        sent.append(round(clock.now - 100, 3))
    return sent


def test_mails_are_sent_at_even_intervals(clock: Clock) -> None:
    assert times(MailRateLimiter(20), clock, 4) == [0, 0.05, 0.1, 0.15]


def test_mails_after_a_pause_make_up_for_nothing(clock: Clock) -> None:
    limiter = MailRateLimiter(20)
    times(limiter, clock, 2)
    clock.now += 10
    assert times(limiter, clock, 3) == [10.05, 10.1, 10.15]


def test_no_limit_waits_for_nothing(clock: Clock) -> None:
    assert times(MailRateLimiter(None), clock, 3) == [0, 0, 0]


def test_stop_ends_the_wait(clock: Clock) -> None:
    clock.set()
    assert not MailRateLimiter(20).acquire(clock)
