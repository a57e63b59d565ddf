"""The watched program sessions of this Airflow: assets of ours, what was seen of them, and which DAGs listen."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

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

_EVER = datetime.min.replace(tzinfo=UTC)
# From Airflow 3.2 on, there is a watcher between an asset and a trigger.
_WATCHERS: Any = getattr(AssetModel, "watchers", None)
TRIGGERS: Any = (
    selectinload(_WATCHERS).selectinload(_WATCHERS.property.entity.class_.trigger)
    if _WATCHERS
    else selectinload(AssetModel.triggers)  # type: ignore[arg-type]
)


def watched(user: BaseUser, session: Session) -> dict[str, Any]:
    """
    Return the watched assets, and of the DAGs that listen those that the user may read.

    :param user: The user.
    :param session: Database session.
    """
    statement = (
        select(AssetModel)
        .where(AssetModel.uri.like("learning360://%"), or_(AssetModel.triggers.any(), AssetModel.scheduled_dags.any()))
        .options(TRIGGERS, selectinload(AssetModel.scheduled_dags))
        .order_by(AssetModel.name)
    )
    assets = list(session.scalars(statement))
    readable = get_auth_manager().get_authorized_dag_ids(user=user)
    seen, events = _last_seen(assets, session), _last_events(assets, session)
    return {
        "kept": AssetStateStoreModel is not None,
        "watched": [_row(asset, seen.get(asset.id), events.get(asset.id), readable) for asset in assets],
    }


def _row(asset: AssetModel, seen: str | None, event: AssetEvent | None, readable: set[str]) -> dict[str, Any]:
    listening = sorted({one.dag_id for one in asset.scheduled_dags} & readable)
    return {
        "name": asset.name,
        "uri": asset.uri,
        "sessions": _sessions(asset),
        "last_seen": seen,
        "last_event": event.timestamp.isoformat() if event else None,
        "last_change": _change(event),
        # Airflow watches for DAGs that are switched on.
        "active": bool(asset.triggers),
        "dags": [{"id": dag_id, "url": f"dags/{dag_id}"} for dag_id in listening],
    }


def _sessions(asset: AssetModel) -> int | str | None:
    """Return how many sessions the asset watches, or `all`; None as long as Airflow watches none."""
    watched_ids: set[str] = set()
    for trigger in asset.triggers:
        session_ids = trigger.kwargs.get("session_ids")
        if session_ids is None:
            return "all"
        watched_ids.update(session_ids)
    return len(watched_ids) or None


def _last_seen(assets: list[AssetModel], session: Session) -> dict[int, str]:
    """Return for each asset the latest `modifiedAt` among its watermarks."""
    if AssetStateStoreModel is None or not assets:
        return {}
    pieces = select(AssetStateStoreModel.asset_id, AssetStateStoreModel.value).where(
        AssetStateStoreModel.asset_id.in_([asset.id for asset in assets]),
        AssetStateStoreModel.key.startswith(SHARD_KEY_PREFIX),
    )
    latest: dict[int, datetime] = {}
    for asset_id, value in session.execute(pieces):
        known, _ = read_session_states(_decoded(value))
        moments = [one.watermark.modified_at for one in known.values()]
        latest[asset_id] = max([*moments, latest.get(asset_id, _EVER)])
    return {asset_id: format_date(moment) for asset_id, moment in latest.items() if moment > _EVER}


def _decoded(value: Any) -> dict[str, Any]:
    # What a trigger stores is written as JSON by the Task SDK, and by the database once more.
    try:
        while isinstance(value, str):
            value = json.loads(value)
    except (ValueError, RecursionError):
        return {}  # others may write there too
    return value if isinstance(value, dict) else {}


def _last_events(assets: list[AssetModel], session: Session) -> dict[int, AssetEvent]:
    newest = (
        select(func.max(AssetEvent.id))
        .where(AssetEvent.asset_id.in_([asset.id for asset in assets]))
        .group_by(AssetEvent.asset_id)
    )
    return {event.asset_id: event for event in session.scalars(select(AssetEvent).where(AssetEvent.id.in_(newest)))}


def _change(event: AssetEvent | None) -> str | None:
    """Return the names of the fields that changed, and never what they hold."""
    payload = (event.extra or {}).get("payload") if event else None
    sessions = payload.get("sessions") if isinstance(payload, dict) else None
    if not isinstance(sessions, list):
        return None
    changes = [one.get("changes") for one in sessions if isinstance(one, dict)]
    # Anybody who may create events can write anything into one.
    names = {name for one in changes if isinstance(one, dict) for name in one if name in ProgramSession.field_names()}
    gone = any(isinstance(one, dict) and one.get("kind") == "missing" for one in sessions)
    return ", ".join([*sorted(names), *(["missing"] if gone else [])]) or "modifiedAt"
