"""The arguments that all watched assets share: host, connection and interval."""

from __future__ import annotations

import inspect
import math

from airflow.providers.common.compat.sdk import conf

from airflow_provider_learning360.api.errors import FixArgumentError, SettingsError
from airflow_provider_learning360.hooks.lookup import check_conn_id

EU = "app.360learning.com"


MAX_QUEUE = 256  # characters that Airflow's database has room for


def check_polling(learning_conn_id: str, poll_interval: float, queue: str | None = None) -> None:
    """
    Check how an asset is polled.

    :param learning_conn_id: ID of the Airflow connection.
    :param poll_interval: Seconds between polls.
    :param queue: The queue of triggers; default none.
    :raises FixArgumentError: One of them is not valid.
    """
    check_conn_id(learning_conn_id)
    shortest = conf.getfloat("learning360", "min_poll_interval", fallback=10.0)
    if not math.isfinite(poll_interval):
        raise FixArgumentError(f"poll_interval: {poll_interval!r} is not a number of seconds, such as 300.")
    if poll_interval < shortest:
        raise FixArgumentError(
            f"poll_interval: {poll_interval!r} s is less than the shortest allowed, {shortest:g} s "
            "([learning360] min_poll_interval in Airflow's configuration)."
        )
    if queue is not None:
        _check_queue(queue)


def has_trigger_queues() -> bool:
    """Whether this Airflow has queues for the triggers of assets: 3.4 and later."""
    from airflow.providers.common.compat.triggers import BaseEventTrigger

    return "queue" in inspect.signature(BaseEventTrigger.__init__).parameters


def _check_queue(queue: str) -> None:
    if not has_trigger_queues():
        raise FixArgumentError("queue: triggers of assets have queues from Airflow 3.4 on. Leave it out.")
    if not isinstance(queue, str) or not queue.strip() or len(queue) > MAX_QUEUE:
        raise FixArgumentError(
            f"queue: expected the name of a queue of triggers, a text of up to {MAX_QUEUE} characters."
        )


def build_base_url(host: str) -> str:
    """
    Return the base URL of a host, for the URI of an asset.

    :param host: The host.
    :raises FixArgumentError: It is not a host.
    """
    from airflow_provider_learning360.api.settings import base_url

    try:
        return base_url(host.lower(), None, None, "the asset")
    except SettingsError:
        # Not shown: somebody may have put a key into it, and the name of an asset is shown to all.
        raise FixArgumentError(
            f"host: the value is not a host. Use that of the connection, such as {EU}, without path, user or password."
        ) from None
