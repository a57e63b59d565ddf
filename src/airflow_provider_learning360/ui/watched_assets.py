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
from airflow_provider_learning360.api.watch_state import SHARD_KEY_PREFIX, read_session_states

try:
    from airflow.models.asset_state_store import AssetStateStoreModel
except ImportError:  # Airflow below 3.3 keeps watermarks in memory
    AssetStateStoreModel = None  # type: ignore[assignment,misc]

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from airflow.api_fastapi.auth.managers.models.base_user import BaseUser

    from airflow_provider_learning360.ui.responses import WatchedAsset, WatchedAssets

_NEVER = datetime.min.replace(tzinfo=UTC)
# From Airflow 3.2 on, there is a watcher between an asset and a trigger.
_WATCHERS: Any = getattr(AssetModel, "watchers", None)
_LOAD_TRIGGERS: Any = (
    selectinload(_WATCHERS).selectinload(_WATCHERS.property.entity.class_.trigger)
    if _WATCHERS
    else selectinload(AssetModel.triggers)  # type: ignore[arg-type]
)


def list_watched_assets(user: BaseUser, session: Session) -> WatchedAssets:
    """
    Return the watched assets, with those of their DAGs that the user may read.

    :param user: The user.
    :param session: Database session.
    """
    statement = (
        select(AssetModel)
        .where(AssetModel.uri.like("learning360://%"), or_(AssetModel.triggers.any(), AssetModel.scheduled_dags.any()))
        .options(_LOAD_TRIGGERS, selectinload(AssetModel.scheduled_dags))
        .order_by(AssetModel.name)
    )
    assets = list(session.scalars(statement))
    readable = get_auth_manager().get_authorized_dag_ids(user=user)
    seen, events = _last_seen(assets, session), _last_events(assets, session)
    return {
        "watermarks_stored": AssetStateStoreModel is not None,
        "watched": [_describe_asset(asset, seen.get(asset.id), events.get(asset.id), readable) for asset in assets],
    }


def _describe_asset(asset: AssetModel, seen: str | None, event: AssetEvent | None, readable: set[str]) -> WatchedAsset:
    dag_ids = sorted({reference.dag_id for reference in asset.scheduled_dags} & readable)
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
    if AssetStateStoreModel is None or not assets:
        return {}
    shards = select(AssetStateStoreModel.asset_id, AssetStateStoreModel.value).where(
        AssetStateStoreModel.asset_id.in_([asset.id for asset in assets]),
        AssetStateStoreModel.key.startswith(SHARD_KEY_PREFIX),
    )
    latest: dict[int, datetime] = {}
    for asset_id, value in session.execute(shards):
        known, _ = read_session_states(_decode_stored(value))
        moments = [one.watermark.modified_at for one in known.values()]
        latest[asset_id] = max([*moments, latest.get(asset_id, _NEVER)])
    return {asset_id: format_date(moment) for asset_id, moment in latest.items() if moment > _NEVER}


def _decode_stored(value: Any) -> dict[str, Any]:
    # The Task SDK encodes the value of a trigger as JSON, and the database encodes it again.
    try:
        while isinstance(value, str):
            value = json.loads(value)
    except (ValueError, RecursionError):
        return {}  # other code may write there too
    return value if isinstance(value, dict) else {}


def _last_events(assets: list[AssetModel], session: Session) -> dict[int, AssetEvent]:
    newest = (
        select(func.max(AssetEvent.id))
        .where(AssetEvent.asset_id.in_([asset.id for asset in assets]))
        .group_by(AssetEvent.asset_id)
    )
    return {event.asset_id: event for event in session.scalars(select(AssetEvent).where(AssetEvent.id.in_(newest)))}


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
