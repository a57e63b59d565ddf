"""
Assets that watch program sessions: a DAG scheduled on such an asset runs when a session is modified.

Needs Airflow 3.0. From Airflow 3.0.6 on, watermarks survive a restart of the triggerer; from 3.3 on, all watchers share
one poll.
"""

from __future__ import annotations

__all__ = ["program_session_asset", "watched_program_session", "watched_program_sessions"]

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from airflow_provider_learning360 import DEFAULT_CONN_ID
from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.api.session_ids import require_session_id
from airflow_provider_learning360.api.session_uri import build_session_uri
from airflow_provider_learning360.api.watch_state import PollKind, WatchOnMissing
from airflow_provider_learning360.argument_checks import require_choice, require_literal, seconds_of
from airflow_provider_learning360.assets.polling import EU, build_base_url, check_polling

try:
    from airflow.sdk import Asset, AssetWatcher
except ImportError:  # Airflow below 3.0
    raise ImportError("Watched assets need Airflow 3.0 or later. On 2.11, use ProgramSessionModifiedSensor.") from None

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import timedelta


def program_session_asset(session_id: str, *, host: str = EU) -> Asset:
    """
    Return an asset for a program session, without a watcher: for `inlets`, `outlets`, or as a partitioned asset.

    :param session_id: ID of the session, 24 hexadecimal characters.
    :param host: Host of the connection, for the asset's URI; default the EU platform's.
    :returns: The asset.
    :raises FixArgumentError: The host is not valid.
    :raises InvalidIdError: The ID is not valid.
    """
    uri = build_session_uri(build_base_url(host), require_session_id(session_id))
    return Asset(name=uri, uri=uri)


def watched_program_session(
    session_id: str,
    *,
    name: str | None = None,
    learning_conn_id: str = DEFAULT_CONN_ID,
    poll_interval: float | timedelta | Mapping[str, float] = 300,
    poll: PollKind = "auto",
    watch: list[str] | None = None,
    on_missing: WatchOnMissing = "ignore",
    host: str = EU,
    queue: str | None = None,
) -> Asset:
    """
    Return an asset that gets an event when a program session was modified; schedule a DAG on it.

    :param session_id: ID of the session, 24 hexadecimal characters.
    :param name: Name of the asset; default its URI.
    :param learning_conn_id: ID of the Airflow connection; default `learning360_default`.
    :param poll_interval: Time between polls: seconds, a `timedelta`, or a mapping such as `{"minutes": 5}`. Default 300
        seconds, at least `[learning360] min_poll_interval` (10 seconds).
    :param poll: `single` (one request for each session), `list` (one request for all), or `auto` (default): `list`
        where a triggerer watches more than ten sessions through this connection at this interval.
    :param watch: Fields to watch, as the API writes them: there is an event when at least one of them changed. Default:
        any modification.
    :param on_missing: What to do if the session disappears: `ignore` (default: a line in the log) or `event`.
    :param host: Host of the connection, for the asset's URI; default the EU platform's.
    :param queue: The queue of triggers that polls, as `airflow triggerer --queues` names it; default none.
        Needs Airflow 3.4.
    :raises FixArgumentError: An argument is not valid.
    :raises InvalidIdError: The ID is not valid.

    Source: Airflow's `Asset` and `AssetWatcher`; 360Learning API v1, `GET /api/v1/programs/sessions/{session_id}/`.
    """
    require_literal("session_id", session_id)
    checked = require_session_id(session_id)
    return _watched(
        build_session_uri(build_base_url(host), checked),
        name,
        [checked],
        learning_conn_id=learning_conn_id,
        poll_interval=poll_interval,
        poll=poll,
        watch=watch,
        on_missing=on_missing,
        queue=queue,
    )


def watched_program_sessions(
    name: str,
    session_ids: Iterable[str] | None = None,
    *,
    learning_conn_id: str = DEFAULT_CONN_ID,
    poll_interval: float | timedelta | Mapping[str, float] = 300,
    poll: PollKind = "auto",
    watch: list[str] | None = None,
    on_missing: WatchOnMissing = "ignore",
    host: str = EU,
    queue: str | None = None,
) -> Asset:
    """
    Return one asset that gets an event when any of many program sessions were modified; schedule a DAG on it.

    :param name: Name of the asset.
    :param session_ids: IDs of the sessions; default all of the platform, also those that are created later.
    :param learning_conn_id: ID of the Airflow connection; default `learning360_default`.
    :param poll_interval: Time between polls: seconds, a `timedelta`, or a mapping such as `{"minutes": 5}`. Default 300
        seconds, at least `[learning360] min_poll_interval` (10 seconds).
    :param poll: `single` (one request for each session), `list` (one request for all), or `auto` (default): `list`
        where a triggerer watches more than ten sessions through this connection at this interval.
    :param watch: Fields to watch, as the API writes them: there is an event when at least one of them changed. Default:
        any modification.
    :param on_missing: What to do if a session disappears: `ignore` (default: a line in the log) or `event`.
    :param host: Host of the connection, for the asset's URI; default the EU platform's.
    :param queue: The queue of triggers that polls, as `airflow triggerer --queues` names it; default none.
        Needs Airflow 3.4.
    :raises FixArgumentError: An argument is not valid.
    :raises InvalidIdError: An ID is not valid.

    Source: Airflow's `Asset` and `AssetWatcher`; 360Learning API v1, `GET /api/v1/programs/sessions`.
    """
    if not name:
        raise FixArgumentError("name: an asset that watches many sessions needs a name of its own.")
    if session_ids is None and poll == "single":
        raise FixArgumentError("poll: to watch all sessions of the platform, the list has to be read. Leave poll out.")
    require_literal("session_ids", session_ids)
    if isinstance(session_ids, str):
        raise FixArgumentError("session_ids: expected a list of IDs. For one session, use watched_program_session.")
    return _watched(
        build_session_uri(build_base_url(host)),
        name,
        None if session_ids is None else sorted({require_session_id(one) for one in session_ids}),
        learning_conn_id=learning_conn_id,
        poll_interval=poll_interval,
        poll=poll,
        watch=watch,
        on_missing=on_missing,
        queue=queue,
    )


def _watched(uri: str, name: str | None, session_ids: list[str] | None, **arguments: Any) -> Asset:
    from airflow_provider_learning360.api.fields import require_field_names
    from airflow_provider_learning360.triggers.watching import ProgramSessionsWatchTrigger

    for argument, value in arguments.items():
        require_literal(argument, value)
    arguments["poll_interval"] = seconds_of(arguments["poll_interval"], "poll_interval")
    _check(session_ids, **arguments)
    arguments["watch"] = require_field_names(arguments["watch"], "watch")
    # Airflow would merge the triggers of two assets that have equal arguments; the name makes them differ.
    name, uri = _identity(uri, name, arguments["watch"], arguments["on_missing"])
    trigger = ProgramSessionsWatchTrigger(asset_name=name, session_ids=session_ids, **arguments)
    return Asset(name=name, uri=uri, watchers=[AssetWatcher(name=name, trigger=trigger)])


def _identity(uri: str, name: str | None, watch: list[str] | None, on_missing: str) -> tuple[str, str]:
    """Return name and URI of an asset. Two watches that give different events are two assets."""
    if name is None:
        meaning = {"watch": ",".join(sorted(watch or ())), "on_missing": on_missing if on_missing != "ignore" else ""}
    else:
        meaning = {"name": name}
    query = urlencode({key: value for key, value in meaning.items() if value})
    uri = f"{uri}?{query}" if query else uri
    return name or uri, uri


def _check(
    session_ids: list[str] | None,
    *,
    learning_conn_id: str,
    poll_interval: float,
    poll: str,
    on_missing: str,
    queue: str | None,
    **_: Any,
) -> None:
    check_polling(learning_conn_id, poll_interval, queue)
    require_choice("poll", poll, PollKind)
    require_choice("on_missing", on_missing, WatchOnMissing)
    if session_ids == []:
        raise FixArgumentError("session_ids: the list is empty. Leave it out to watch all sessions of the platform.")
