"""
Assets that watch completions: a DAG scheduled on such an asset runs when learners have completed program sessions.

Needs Airflow 3.0. From Airflow 3.0.6 on, what was reported survives a restart of the triggerer.
"""

from __future__ import annotations

__all__ = ["watched_completions"]

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from airflow_provider_learning360 import DEFAULT_CONN_ID
from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.api.session_ids import require_session_id
from airflow_provider_learning360.api.session_uri import build_session_uri
from airflow_provider_learning360.argument_checks import require_literal, seconds_of
from airflow_provider_learning360.assets.polling import EU, build_base_url, check_polling

try:
    from airflow.sdk import Asset, AssetWatcher
except ImportError:  # Airflow below 3.0
    raise ImportError("Watched assets need Airflow 3.0 or later. On 2.11, use SessionCompletedSensor.") from None

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import timedelta


def watched_completions(
    name: str,
    session_ids: Iterable[str] | None = None,
    *,
    learning_conn_id: str = DEFAULT_CONN_ID,
    poll_interval: float | timedelta | Mapping[str, float] = 300,
    host: str = EU,
    queue: str | None = None,
) -> Asset:
    """
    Return an asset that gets an event when learners have completed program sessions; schedule a DAG on it.

    The event has sessions and counts, and no people: under `completions`, for each session its `_id`, `kind`
    (`completed`), `completed` (how many learners since the event before) and `latest` (when the last of them did).
    Through API v2, a poll is one request, whatever the number of sessions. API v1 has no list of completions: it needs
    `session_ids`, and a poll is one request for each.

    :param name: Name of the asset.
    :param session_ids: IDs of the sessions; default all of the platform, which only API v2 can watch.
    :param learning_conn_id: ID of the Airflow connection; default `learning360_default`.
    :param poll_interval: Time between polls: seconds, a `timedelta`, or a mapping such as `{"minutes": 5}`. Default 300
        seconds, at least `[learning360] min_poll_interval` (10 seconds).
    :param host: Host of the connection, for the asset's URI; default the EU platform's.
    :param queue: The queue of triggers that polls, as `airflow triggerer --queues` names it; default none.
        Needs Airflow 3.4.
    :returns: The asset.
    :raises FixArgumentError: An argument is not valid.
    :raises InvalidIdError: An ID is not valid.

    Source: Airflow's `Asset` and `AssetWatcher`; 360Learning API v2, `GET /api/v2/paths/stats`; API v1,
        `GET /api/v1/programs/sessions/{session_id}/stats`.
    """
    from airflow_provider_learning360.triggers.completions import CompletionsWatchTrigger

    arguments = {"name": name, "session_ids": session_ids, "learning_conn_id": learning_conn_id, "host": host}
    for argument, value in {**arguments, "poll_interval": poll_interval, "queue": queue}.items():
        require_literal(argument, value)
    if not name:
        raise FixArgumentError("name: an asset that watches completions needs a name of its own.")
    seconds = seconds_of(poll_interval, "poll_interval")
    check_polling(learning_conn_id, seconds, queue)
    # With `kind`: Airflow merges assets with the same URI, and `watched_program_sessions` may have the same name.
    uri = f"{build_session_uri(build_base_url(host))}?{urlencode({'kind': 'completions', 'name': name})}"
    trigger = CompletionsWatchTrigger(name, _read_ids(session_ids), learning_conn_id, seconds, queue=queue)
    return Asset(name=name, uri=uri, watchers=[AssetWatcher(name=name, trigger=trigger)])


def _read_ids(session_ids: Iterable[str] | None) -> list[str] | None:
    if session_ids is None:
        return None
    if isinstance(session_ids, str):
        raise FixArgumentError("session_ids: expected a list of IDs.")
    ids = sorted({require_session_id(one) for one in session_ids})
    if not ids:
        raise FixArgumentError("session_ids: the list is empty. Leave it out to watch all sessions of the platform.")
    return ids
