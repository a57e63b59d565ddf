"""The shared rate limit."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_learning360.api.rate_limiter import RateLimiter


@given(st.lists(st.floats(0, 3), min_size=1, max_size=50), st.floats(0.5, 50))
def test_rate_limit_is_used_fully_and_never_exceeded(gaps: list[float], rate: float) -> None:
    limiter, now, sent = RateLimiter(rate), 100.0, []
    for gap in gaps:
        now += gap
        sent.append(now + limiter.reserve(now))
    for earlier, later in pairwise(sent):
        assert later - earlier >= 1 / rate - 1e-6
    assert sent[0] == 100.0 + gaps[0]


def test_retry_after_holds_back_all_requests() -> None:
    limiter = RateLimiter(10)
    assert limiter.paused_for(100) == 0
    limiter.pause(100, 30)
    limiter.pause(101, 5)  # a shorter wait does not shorten the longer one
    assert limiter.paused_for(110) == 20
    assert limiter.paused_for(130) == 0
