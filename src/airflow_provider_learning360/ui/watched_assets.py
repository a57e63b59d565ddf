"""The watched assets of this Airflow: what they watch, what was last seen, and which DAGs they start."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import func, or_, select
from sqlalchemy.orm import selectinload

from airflow.api_fastapi.app import get_auth_manager
from airflow.models.asset import AssetEvent, AssetModel

from airflow_provider_learning360.api.models import ProgramSession, format_date
from airflow_provider_learning360.api.session_ids import is_session_id
from airflow_provider_learning360.api.watch_state import POLLING_KEY, SHARD_KEY_PREFIX, read_session_states
from airflow_provider_learning360.memory.stored_variables import read_stored

try:
    from airflow.models.asset_state_store import AssetStateStoreModel
except ImportError:  # Airflow below 3.3
    AssetStateStoreModel = None  # type: ignore[assignment,misc]

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

    from airflow.api_fastapi.auth.managers.models.base_user import BaseUser

    from airflow_provider_learning360.api.watch_state import StoredPolling
    from airflow_provider_learning360.ui.responses import (
        ReportedEvent,
        ReportedSession,
        WatchedAsset,
        WatchedAssets,
    )

    PollerKey = tuple[Any, ...]

MAX_EVENTS = 5  # of one asset
MAX_REPORTED = 20  # sessions of one event

_NEVER = datetime.min.replace(tzinfo=UTC)
# From Airflow 3.2 on, there is a watcher between an asset and a trigger.
_WATCHERS: Any = getattr(AssetModel, "watchers", None)
_LOAD_TRIGGERS: Any = (
    selectinload(_WATCHERS).selectinload(_WATCHERS.property.entity.class_.trigger)
    if _WATCHERS
    else selectinload(AssetModel.triggers)  # type: ignore[arg-type]
)
# Airflow 3.0 has the same relationship with another name.
_SCHEDULED_DAGS: Any = getattr(AssetModel, "scheduled_dags", None) or AssetModel.consuming_dags


def list_watched_assets(user: BaseUser, session: Session) -> WatchedAssets:
    """
    Return the watched assets, with those of their DAGs that the user may read.

    :param user: The user.
    :param session: Database session.
    """
    statement = (
        select(AssetModel)
        .where(AssetModel.uri.like("learning360://%"), or_(AssetModel.triggers.any(), _SCHEDULED_DAGS.any()))
        .options(_LOAD_TRIGGERS, selectinload(_SCHEDULED_DAGS))
        .order_by(AssetModel.name)
    )
    assets = list(session.scalars(statement))
    readable = get_auth_manager().get_authorized_dag_ids(user=user)
    seen, events, pollings = _last_seen(assets, session), _last_events(assets, session), _read_pollings(assets, session)
    return {
        "polls_stored": AssetStateStoreModel is not None,
        "watched": [
            _describe_asset(asset, seen.get(asset.id), events.get(asset.id, []), pollings.get(asset.id), readable)
            for asset in assets
        ],
    }


def _describe_asset(
    asset: AssetModel,
    seen: str | None,
    events: list[AssetEvent],
    polling: StoredPolling | None,
    readable: set[str],
) -> WatchedAsset:
    scheduled = getattr(asset, _SCHEDULED_DAGS.key)
    dag_ids = sorted({reference.dag_id for reference in scheduled} & readable)
    event = events[0] if events else None
    changed_fields, missing = _last_change(event)
    return {
        "name": asset.name,
        "uri": asset.uri,
        "sessions": _count_sessions(asset),
        "last_seen": seen,
        "last_event": event.timestamp.isoformat() if event else None,
        "last_change": changed_fields,
        "missing": missing,
        # Airflow watches only for DAGs that are switched on.
        "active": bool(asset.triggers),
        "last_polled": polling["polled_at"] if polling else None,
        "in_trouble_since": polling["failing_since"] if polling else None,
        "reported": [_describe_event(one) for one in events],
        "dags": [{"id": dag_id, "url": f"dags/{dag_id}"} for dag_id in dag_ids],
    }


def _count_sessions(asset: AssetModel) -> int | Literal["all"] | None:
    """Return how many sessions the asset watches, or `all`; None as long as Airflow watches none."""
    watched_ids: set[str] = set()
    for trigger in asset.triggers:
        session_ids = trigger.kwargs.get("session_ids")
        if session_ids is None:
            return "all"
        watched_ids.update(session_ids)
    return len(watched_ids) or None


def _last_seen(assets: list[AssetModel], session: Session) -> dict[int, str]:
    """Return the latest `modifiedAt` among the watermarks of each asset."""
    if not assets:
        return {}
    latest: dict[int, datetime] = {}
    for asset_id, value in _read_shards(assets, session):
        known, _ = read_session_states(_decode_stored(value))
        moments = [one.watermark.modified_at for one in known.values()]
        latest[asset_id] = max([*moments, latest.get(asset_id, _NEVER)])
    return {asset_id: format_date(moment) for asset_id, moment in latest.items() if moment > _NEVER}


def _read_shards(assets: list[AssetModel], session: Session) -> Iterator[tuple[int, Any]]:
    """Yield the stored watermarks of each asset, shard by shard."""
    if AssetStateStoreModel is None:
        for asset in assets:
            for stored in read_stored({"asset": asset.name}, SHARD_KEY_PREFIX, session):
                yield asset.id, stored["value"]
        return
    shards = select(AssetStateStoreModel.asset_id, AssetStateStoreModel.value).where(
        AssetStateStoreModel.asset_id.in_([asset.id for asset in assets]),
        AssetStateStoreModel.key.startswith(SHARD_KEY_PREFIX),
    )
    yield from ((asset_id, value) for asset_id, value in session.execute(shards))


def _decode_stored(value: Any) -> dict[str, Any]:
    # The Task SDK encodes the value of a trigger as JSON, and the database encodes it again.
    try:
        while isinstance(value, str):
            value = json.loads(value)
    except (ValueError, RecursionError):
        return {}  # other code may write there too
    return value if isinstance(value, dict) else {}


def _last_events(assets: list[AssetModel], session: Session) -> dict[int, list[AssetEvent]]:
    """Return the last events of each asset, the newest first."""
    place = func.row_number().over(partition_by=AssetEvent.asset_id, order_by=AssetEvent.id.desc()).label("place")
    numbered = (select(AssetEvent.id, place).where(AssetEvent.asset_id.in_([asset.id for asset in assets]))).subquery()
    newest = select(AssetEvent).where(AssetEvent.id.in_(select(numbered.c.id).where(numbered.c.place <= MAX_EVENTS)))
    found: dict[int, list[AssetEvent]] = {}
    for event in session.scalars(newest.order_by(AssetEvent.id.desc())):
        found.setdefault(event.asset_id, []).append(event)
    return found


def _read_pollings(assets: list[AssetModel], session: Session) -> dict[int, StoredPolling]:
    """
    Return how the polls of each asset go.

    A poller stores that for one of its assets, so that all assets of one poller have the newest that any of them has.
    """
    if AssetStateStoreModel is None or not assets:
        return {}
    rows = session.execute(
        select(AssetStateStoreModel.asset_id, AssetStateStoreModel.value, AssetStateStoreModel.updated_at)
        .where(
            AssetStateStoreModel.asset_id.in_([asset.id for asset in assets]), AssetStateStoreModel.key == POLLING_KEY
        )
        .order_by(AssetStateStoreModel.updated_at)
    )
    stored = {asset_id: (updated, _parse_polling(value)) for asset_id, value, updated in rows}
    newest: dict[PollerKey, tuple[datetime, StoredPolling]] = {}
    for asset in assets:
        if asset.id in stored:
            for key in _pollers_of(asset):
                newest[key] = max(newest.get(key, stored[asset.id]), stored[asset.id], key=lambda one: one[0])
    return {asset.id: newest[key][1] for asset in assets for key in _pollers_of(asset) if key in newest}


def _pollers_of(asset: AssetModel) -> list[PollerKey]:
    """Return what tells the pollers of an asset apart: triggers that are equal in this share one."""
    return [
        (
            trigger.classpath,
            trigger.triggerer_id,
            *(str(trigger.kwargs.get(name)) for name in ("learning_conn_id", "poll_interval", "poll")),
            # Completions have a poller for each asset.
            "" if "poll" in trigger.kwargs else asset.name,
        )
        for trigger in asset.triggers
    ]


def _parse_polling(value: Any) -> StoredPolling:
    stored = _decode_stored(value)
    return {
        "polled_at": _parse_time(stored.get("polled_at")),
        "failing_since": _parse_time(stored.get("failing_since")),
    }


def _parse_time(value: Any) -> str | None:
    try:
        return format_date(datetime.fromisoformat(value).astimezone(UTC))
    except (TypeError, ValueError, OverflowError):
        return None  # other code may write there too


def _describe_event(event: AssetEvent) -> ReportedEvent:
    """Return the IDs of an event and the names of fields, never their values."""
    payload = (event.extra or {}).get("payload")
    entries: Any = (payload.get("sessions") or payload.get("completions")) if isinstance(payload, dict) else None
    known = [one for one in entries if isinstance(one, dict)] if isinstance(entries, list) else []
    return {
        "at": event.timestamp.isoformat(),
        "sessions": [_describe_entry(one) for one in known[:MAX_REPORTED] if is_session_id(one.get("_id"))],
        "more": len(known[MAX_REPORTED:]),
    }


def _describe_entry(entry: dict[str, Any]) -> ReportedSession:
    # Users who may create events can write anything into one.
    changes, kind = entry.get("changes"), entry.get("kind")
    names = [name for name in ProgramSession.field_names() if isinstance(changes, dict) and name in changes]
    return {
        "id": entry["_id"],
        "kind": kind if kind in ("missing", "completed") else "modified",
        "fields": sorted(names),
    }


def _last_change(event: AssetEvent | None) -> tuple[str | None, bool]:
    """Return the names of the changed fields, never their values; and whether a session was missing."""
    payload = (event.extra or {}).get("payload") if event else None
    sessions = payload.get("sessions") if isinstance(payload, dict) else None
    if not isinstance(sessions, list):
        return None, False
    changes = [one.get("changes") for one in sessions if isinstance(one, dict)]
    # Users who may create events can write anything into one.
    names = {name for one in changes if isinstance(one, dict) for name in one if name in ProgramSession.field_names()}
    missing = any(isinstance(one, dict) and one.get("kind") == "missing" for one in sessions)
    return ", ".join(sorted(names)) or (None if missing else "modifiedAt"), missing
