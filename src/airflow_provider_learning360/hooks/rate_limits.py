"""The rate limiters of a process: one for each host and company or client ID, shared by all hooks."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_provider_learning360.api.rate_limiter import RateLimiter
from airflow_provider_learning360.api.retries import parse_retry_after
from airflow_provider_learning360.hooks.limits import max_triggerer_wait

if TYPE_CHECKING:
    from airflow_provider_learning360.api.messages import Response
    from airflow_provider_learning360.api.settings import LearningSettings

log = logging.getLogger(__name__)

# By host and company: a triggerer has many hooks, and 360Learning counts the requests of all of them.
_LIMITERS: dict[tuple[str, str], RateLimiter] = {}


async def acquire(settings: LearningSettings) -> float:
    """
    Wait until the next request may be sent.

    :param settings: The settings of the connection.
    :returns: Seconds that the server asked to wait longer; 0 if the request may be sent.
    """
    limiter = _limiter_of(settings)
    await asyncio.sleep(limiter.reserve(time.monotonic()))
    return limiter.paused_for(time.monotonic())


def note_retry_after(settings: LearningSettings, response: Response) -> None:
    """
    Hold back all hooks of a connection if a response asks to wait.

    :param settings: The settings of the connection.
    :param response: The response.
    """
    if response.status not in (429, 503):
        return
    asked = parse_retry_after(response.headers.get("retry-after"), datetime.now(tz=UTC)) or 0.0
    longest = max_triggerer_wait()
    if asked > longest:
        # One response must not stop the connection of a triggerer for good.
        log.warning(
            "360Learning asked to wait %g s (%s). Waiting %g s at most ([learning360] max_triggerer_wait).",
            *(asked, settings.connection, longest),
        )
    _limiter_of(settings).pause(time.monotonic(), min(asked, longest))


def _limiter_of(settings: LearningSettings) -> RateLimiter:
    limiter = _LIMITERS.setdefault((settings.host, settings.company_id), RateLimiter(settings.requests_per_second))
    limiter.rate = settings.requests_per_second
    return limiter
