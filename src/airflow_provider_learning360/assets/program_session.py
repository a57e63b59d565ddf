"""
Assets that watch program sessions: a DAG scheduled on one runs because a session was modified.

Needs Airflow 3.0; watermarks that survive a restart of the triggerer, and one poll for all, from Airflow 3.3 on.
"""

from __future__ import annotations

__all__ = ["program_session_asset", "watched_program_session", "watched_program_sessions"]

import math
from typing import TYPE_CHECKING, Any, get_args
from urllib.parse import urlencode

from airflow.providers.common.compat.sdk import conf

from airflow_provider_learning360 import DEFAULT_CONN_ID
from airflow_provider_learning360.api.endpoints import build_session_uri, require_session_id
from airflow_provider_learning360.api.errors import FixArgumentError, SettingsError
from airflow_provider_learning360.api.watch_state import OnGone

try:
    from airflow.sdk import Asset, AssetWatcher
except ImportError:  # Airflow below 3.0
    raise ImportError(
        "Watched assets need Airflow 3.0 or later; ProgramSessionModifiedSensor waits on 2.11 too."
    ) from None

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_learning360.triggers.poller import PollKind

EU = "app.360learning.com"
POLL_KINDS = ("auto", "single", "list")


def program_session_asset(session_id: str, *, host: str = EU) -> Asset:
    """
    Return the asset that stands for a program session, unwatched: for `inlets`, `outlets`, or as a partitioned asset.

    :param session_id: ID of the session, 24 hexadecimal characters.
    :param host: Host of the connection, for the asset's URI; default the EU platform's.
    :raises FixArgumentError: The host is none.
    :raises InvalidIdError: The ID is none.
    """
    uri = build_session_uri(_base_url(host), require_session_id(session_id))
    return Asset(name=uri, uri=uri)


def watched_program_session(
    session_id: str,
    *,
    name: str | None = None,
    learning_conn_id: str = DEFAULT_CONN_ID,
    poll_interval: float = 300,
    poll: PollKind = "auto",
    watch: list[str] | None = None,
    on_missing: OnGone = "ignore",
    host: str = EU,
) -> Asset:
    """
    Return an asset that gets an event whenever a program session was modified, to schedule a DAG on.

    :param session_id: ID of the session, 24 hexadecimal characters.
    :param name: Name of the asset; default its URI.
    :param learning_conn_id: ID of the Airflow connection; default `learning360_default`.
    :param poll_interval: Seconds between looks; default 300, at least `[learning360] min_poll_interval` (10).
    :param poll: `single` (one request a session), `list` (one for all), or `auto` (default): `list` where a triggerer
        watches more than ten sessions through this connection at this interval.
    :param watch: Names of the fields of which one must differ, as the API writes them; default any modification.
    :param on_missing: What it means if the session disappears: `ignore` (default: a line in the log) or `event`.
    :param host: Host of the connection, for the asset's URI; default the EU platform's.
    :raises FixArgumentError: An argument is not valid.
    :raises InvalidIdError: The ID is none.

    Source: Airflow's `Asset` and `AssetWatcher`; 360Learning API v1, `GET /api/v1/programs/sessions/{session_id}/`.
    """
    checked = require_session_id(session_id)
    return _watched(
        build_session_uri(_base_url(host), checked),
        name,
        [checked],
        learning_conn_id=learning_conn_id,
        poll_interval=poll_interval,
        poll=poll,
        watch=watch,
        on_missing=on_missing,
    )


def watched_program_sessions(
    name: str,
    session_ids: Iterable[str] | None = None,
    *,
    learning_conn_id: str = DEFAULT_CONN_ID,
    poll_interval: float = 300,
    poll: PollKind = "auto",
    watch: list[str] | None = None,
    on_missing: OnGone = "ignore",
    host: str = EU,
) -> Asset:
    """
    Return one asset that gets an event whenever some of many program sessions were modified.

    :param name: Name of the asset.
    :param session_ids: IDs of the sessions; default all of the platform, also those that are made later.
    :param learning_conn_id: ID of the Airflow connection; default `learning360_default`.
    :param poll_interval: Seconds between looks; default 300, at least `[learning360] min_poll_interval` (10).
    :param poll: `single` (one request a session), `list` (one for all), or `auto` (default): `list` where a triggerer
        watches more than ten sessions through this connection at this interval.
    :param watch: Names of the fields of which one must differ, as the API writes them; default any modification.
    :param on_missing: What it means if a session disappears: `ignore` (default: a line in the log) or `event`.
    :param host: Host of the connection, for the asset's URI; default the EU platform's.
    :raises FixArgumentError: An argument is not valid.
    :raises InvalidIdError: An ID is none.

    Source: Airflow's `Asset` and `AssetWatcher`; 360Learning API v1, `GET /api/v1/programs/sessions`.
    """
    if not name:
        raise FixArgumentError("name: an asset that watches many sessions needs a name of its own.")
    if session_ids is None and poll == "single":
        raise FixArgumentError("poll: to watch all sessions of the platform, the list has to be read. Leave poll out.")
    if isinstance(session_ids, str):
        raise FixArgumentError("session_ids: give a list of IDs, or watched_program_session for a single one.")
    return _watched(
        build_session_uri(_base_url(host)),
        name,
        None if session_ids is None else sorted({require_session_id(one) for one in session_ids}),
        learning_conn_id=learning_conn_id,
        poll_interval=poll_interval,
        poll=poll,
        watch=watch,
        on_missing=on_missing,
    )


def _watched(uri: str, name: str | None, session_ids: list[str] | None, **arguments: Any) -> Asset:
    from airflow_provider_learning360.api.models import require_field_names
    from airflow_provider_learning360.triggers.watching import ProgramSessionsWatchTrigger

    _check(session_ids, **arguments)
    arguments["poll_interval"] = float(arguments["poll_interval"])
    arguments["watch"] = require_field_names(arguments["watch"], "watch")
    # The name among the arguments keeps the triggers of two assets apart, which Airflow would merge.
    name, uri = _identity(uri, name, arguments["watch"], arguments["on_missing"])
    trigger = ProgramSessionsWatchTrigger(asset_name=name, session_ids=session_ids, **arguments)
    return Asset(name=name, uri=uri, watchers=[AssetWatcher(name=name, trigger=trigger)])


def _identity(uri: str, name: str | None, watch: list[str] | None, on_missing: str) -> tuple[str, str]:
    """Return name and URI of an asset: two that get different events are two assets, unless the author names them."""
    if name is None:
        meaning = {"watch": ",".join(sorted(watch or ())), "on_missing": on_missing if on_missing != "ignore" else ""}
    else:
        meaning = {"name": name}
    query = urlencode({key: value for key, value in meaning.items() if value})
    uri = f"{uri}?{query}" if query else uri
    return name or uri, uri


def _check(session_ids: list[str] | None, *, poll_interval: float, poll: str, on_missing: str, **_: Any) -> None:
    shortest = conf.getfloat("learning360", "min_poll_interval", fallback=10.0)
    if not isinstance(poll_interval, int | float) or not math.isfinite(poll_interval):
        raise FixArgumentError(f"poll_interval: {poll_interval!r} is no number of seconds, such as 300.")
    if poll_interval < shortest:
        raise FixArgumentError(
            f"poll_interval: {poll_interval!r} s is less than the shortest allowed, {shortest:g} s "
            "([learning360] min_poll_interval in Airflow's configuration)."
        )
    if poll not in POLL_KINDS:
        raise FixArgumentError(f"poll: {poll!r} is not one of {', '.join(POLL_KINDS)}.")
    if on_missing not in get_args(OnGone):
        raise FixArgumentError(f"on_missing: {on_missing!r} is not one of {', '.join(get_args(OnGone))}.")
    if session_ids == []:
        raise FixArgumentError("session_ids: the list is empty. Leave it out to watch all sessions of the platform.")


def _base_url(host: str) -> str:
    from airflow_provider_learning360.api.settings import base_url

    try:
        return base_url(host.lower(), None, None, "the asset")
    except SettingsError:
        # Not shown: somebody may have put a key into it, and the name of an asset is shown to all.
        raise FixArgumentError(
            f"host: this is no host. Give that of the connection, such as {EU}, without a path, a user or a password."
        ) from None
