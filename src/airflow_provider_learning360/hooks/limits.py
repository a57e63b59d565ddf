"""How long a `Retry-After` of 360Learning may make anybody wait: settings of `[learning360]`."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import conf


def max_task_wait() -> float:
    """Return the most seconds that a task waits because 360Learning asked for it; default one day."""
    seconds: float = conf.getfloat("learning360", "max_task_wait", fallback=86400.0)
    return seconds


def max_triggerer_wait() -> float:
    """Return the most seconds that a triggerer waits because 360Learning asked for it; default one hour."""
    seconds: float = conf.getfloat("learning360", "max_triggerer_wait", fallback=3600.0)
    return seconds
