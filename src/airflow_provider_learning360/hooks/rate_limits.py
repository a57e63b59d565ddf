"""Whose turn it is to send: the budget of requests that all hooks of a connection share in one process."""

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

# A triggerer has many hooks, and 360Learning counts the requests of all of them.
_LIMITERS: dict[tuple[str, str], RateLimiter] = {}


async def acquire(settings: LearningSettings) -> float:
    """
    Wait for the next place in the row; return for how many seconds more the server wants no request, or 0.

    :param settings: The settings of the connection.
    """
    limiter = _find_limiter(settings)
    await asyncio.sleep(limiter.reserve(time.monotonic()))
    return limiter.paused_for(time.monotonic())


def note_retry_after(settings: LearningSettings, response: Response) -> None:
    """
    Hold everybody back if an answer asks for it.

    :param settings: The settings of the connection.
    :param response: The answer.
    """
    if response.status not in (429, 503):
        return
    asked = parse_retry_after(response.headers.get("retry-after"), datetime.now(tz=UTC)) or 0.0
    longest = max_triggerer_wait()
    if asked > longest:
        # One answer must not silence a triggerer's connection for ever.
        log.warning(
            "360Learning asked %s to wait %g s. Waiting %g s at most ([learning360] max_triggerer_wait).",
            *(settings.connection, asked, longest),
        )
    _find_limiter(settings).pause(time.monotonic(), min(asked, longest))


def _find_limiter(settings: LearningSettings) -> RateLimiter:
    limiter = _LIMITERS.setdefault((settings.host, settings.company_id), RateLimiter(settings.requests_per_second))
    limiter.rate = settings.requests_per_second
    return limiter
