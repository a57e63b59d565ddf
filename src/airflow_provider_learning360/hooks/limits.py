"""The longest `Retry-After` that is obeyed, from Airflow's configuration."""

from __future__ import annotations

import logging
import math
from functools import cache

from airflow.providers.common.compat.sdk import AirflowConfigException, conf

from airflow_provider_learning360.api.retries import MAX_TASK_WAIT, MAX_TRIGGERER_WAIT

log = logging.getLogger(__name__)

MAX_SECONDS = 366 * 86_400.0  # the largest value: a year


def max_triggerer_wait() -> float:
    """
    Return the longest wait that a server may ask of a triggerer.

    :returns: Seconds: `[learning360] max_triggerer_wait`, default one hour.
    """
    return _seconds("max_triggerer_wait", MAX_TRIGGERER_WAIT)


def max_task_wait() -> float:
    """
    Return the longest wait that a server may ask of a task before its retry.

    :returns: Seconds: `[learning360] max_task_wait`, default one day.
    """
    return _seconds("max_task_wait", MAX_TASK_WAIT)


def _seconds(option: str, default: float) -> float:
    try:
        seconds: float = conf.getfloat("learning360", option, fallback=default)
    except AirflowConfigException:
        seconds = math.nan
    if 0 < seconds <= MAX_SECONDS:
        return seconds
    _warn(option, default)
    return default


@cache  # warn once: a poller reads its limit at every poll
def _warn(option: str, default: float) -> None:
    log.warning(
        "[learning360] %s in Airflow's configuration must be a number of seconds above 0 and up to %d. Using %g.",
        *(option, MAX_SECONDS, default),
    )
