"""The watched assets on the page, whatever is in the database."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from airflow.models.asset import AssetEvent, AssetModel, AssetWatcherModel
from airflow.models.asset_state_store import AssetStateStoreModel
from airflow.models.variable import Variable
from airflow.utils.session import create_session

from airflow_provider_learning360.api.watch_state import POLLING_KEY
from airflow_provider_learning360.memory.variables import build_name, build_stored
from airflow_provider_learning360.triggers.watching import ProgramSessionsWatchTrigger
from airflow_provider_learning360.ui import watched_assets

if TYPE_CHECKING:
    from airflow_provider_learning360.memory.variables import AssetOwner

ID = "60b8d2956e20ae1a0f8e44f1"


@pytest.mark.parametrize(
    ("extra", "names"),
    [
        (None, None),
        ({}, None),
        ({"payload": 5}, None),
        ({"payload": {"sessions": 5}}, None),
        ({"payload": {"sessions": [5, None]}}, "modifiedAt"),
        ({"payload": {"sessions": [{"changes": 5}]}}, "modifiedAt"),
        ({"payload": {"sessions": [{"changes": ["Jane Doe"]}]}}, "modifiedAt"),
        ({"payload": {"sessions": [{"changes": {"jane.doe@example.com": {}, "endDate": {}}}]}}, "endDate"),
        ({"payload": {"sessions": [{"changes": {"tutors": {}}}, {"changes": {"name": {}}}]}}, "name, tutors"),
        ({"payload": {"sessions": [{"kind": "missing"}]}}, None),
        ({"payload": {"sessions": [{"kind": "missing"}, {"changes": {"name": {}}}]}}, "name"),
    ],
    ids=str,
)
def test_last_change_has_names_of_fields_only(extra: Any, names: str | None) -> None:
    fields, missing = watched_assets._last_change(AssetEvent(extra=extra))
    assert fields == names
    assert missing is ("missing" in str(extra))


def test_no_event_means_no_change() -> None:
    assert watched_assets._last_change(None) == (None, False)


KNOWN = {
    "session_id": "60b8d2956e20ae1a0f8e44f1",
    "modified_at": "2026-03-01T08:00:00+00:00",
    "watched": {},
    "watch": [],
    "gone": False,
    "times_gone": 0,
}


@pytest.mark.parametrize(
    ("stored", "seen"),
    [
        ([], None),
        ([{}], None),
        ([[1, 2]], None),
        ([{"60b8d2956e20ae1a0f8e44f1": "broken"}], None),
        ([{"60b8d2956e20ae1a0f8e44f1": KNOWN}], "2026-03-01T08:00:00.000Z"),
        ([{"a": KNOWN}, {"b": {**KNOWN, "modified_at": "2027-03-01T08:00:00+00:00"}}], "2027-03-01T08:00:00.000Z"),
    ],
    ids=str,
)
def test_last_seen_is_the_latest_watermark(airflow_db: None, stored: list[Any], seen: str | None) -> None:
    with create_session() as session:
        asset = AssetModel(name="seen", uri="learning360://app.360learning.com/programs/sessions?name=seen")
        session.add(asset)
        session.flush()
        for number, value in enumerate(stored):
            key = f"learning360_watermarks_{number:02d}"
            row = AssetStateStoreModel(asset_id=asset.id, key=key, value=json.dumps(json.dumps(value)))
            session.add(row)
        session.flush()
        assert watched_assets._last_seen([asset], session).get(asset.id) == seen
        session.rollback()


# --- polls and events ---


def test_last_seen_is_read_from_variables_below_airflow_3_3(airflow_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched_assets, "AssetStateStoreModel", None)
    owner: AssetOwner = {"asset": "kept in variables"}
    with create_session() as session:
        asset = AssetModel(name=owner["asset"], uri="learning360://app.360learning.com/programs/sessions?name=kept")
        session.add(asset)
        session.flush()
        for number, text in enumerate((build_stored(owner, {ID: KNOWN}), "edited")):
            name = build_name(owner, f"learning360_watermarks_{number:02d}")
            session.add(Variable(key=name, val=text))
        session.flush()
        assert watched_assets._last_seen([asset], session) == {asset.id: "2026-03-01T08:00:00.000Z"}
        session.rollback()


@pytest.fixture
def watched(airflow_db: None) -> Any:
    """Two assets of one poller, one of another connection, and one that Airflow does not watch."""
    from airflow.models.trigger import Trigger

    path = f"{ProgramSessionsWatchTrigger.__module__}.{ProgramSessionsWatchTrigger.__qualname__}"

    def store(session: Any) -> list[AssetModel]:
        assets = []
        for name, conn_id in (("one", "a"), ("two", "a"), ("other", "b"), ("off", None)):
            asset = AssetModel(name=name, uri=f"learning360://app.360learning.com/programs/sessions?name={name}")
            session.add(asset)
            session.flush()
            if conn_id is not None:
                kwargs = {"asset_name": name, "session_ids": [], "learning_conn_id": conn_id, "poll_interval": 300.0,
                          "poll": "auto"}  # fmt: skip
                trigger = Trigger(classpath=path, kwargs=kwargs)
                asset.watchers.append(AssetWatcherModel(name=name, trigger=trigger, asset=asset))
            assets.append(asset)
        session.flush()
        return assets

    return store


def store_polling(session: Any, asset: AssetModel, value: Any, minute: int) -> None:
    updated = datetime(2026, 3, 1, 8, minute, tzinfo=UTC)
    text = json.dumps(json.dumps(value))
    session.add(AssetStateStoreModel(asset_id=asset.id, key=POLLING_KEY, value=text, updated_at=updated))
    session.flush()


def test_all_assets_of_a_poller_have_the_newest_of_what_it_stored(watched: Any) -> None:
    with create_session() as session:
        one, two, other, off = assets = watched(session)
        store_polling(session, one, {"polled_at": "2026-03-01T08:00:00+00:00", "failing_since": None}, 0)
        store_polling(session, two, {"polled_at": "2026-03-01T08:05:00+00:00", "failing_since": None}, 5)
        failing = {"polled_at": None, "failing_since": "2026-03-01T08:07:00+00:00"}
        store_polling(session, other, failing, 7)
        found = watched_assets._read_pollings(assets, session)
        assert found[one.id] == found[two.id] == {"polled_at": "2026-03-01T08:05:00.000Z", "failing_since": None}
        assert found[other.id] == {"polled_at": None, "failing_since": "2026-03-01T08:07:00.000Z"}
        assert off.id not in found
        session.rollback()


@pytest.mark.parametrize("stored", [5, "x", [], {}, {"polled_at": 5}, {"polled_at": "Zoe", "failing_since": ["x"]}])
def test_polling_that_is_not_readable_is_unknown(watched: Any, stored: Any) -> None:
    with create_session() as session:
        one, *_ = assets = watched(session)
        store_polling(session, one, stored, 0)
        found = watched_assets._read_pollings(assets, session)
        assert found[one.id] == {"polled_at": None, "failing_since": None}
        session.rollback()


def test_last_events_are_those_of_each_asset(watched: Any) -> None:
    with create_session() as session:
        one, two, *_ = assets = watched(session)
        for asset, count in ((one, 8), (two, 2)):
            session.add_all([AssetEvent(asset_id=asset.id, extra={"number": number}) for number in range(count)])
            session.flush()
        found = watched_assets._last_events(assets, session)
        assert [event.extra["number"] for event in found[one.id]] == [7, 6, 5, 4, 3]
        assert [event.extra["number"] for event in found[two.id]] == [1, 0]
        session.rollback()


@pytest.mark.parametrize(
    ("payload", "sessions", "more"),
    [
        (None, [], 0),
        ({"sessions": "Zoe"}, [], 0),
        ({"sessions": [{"_id": "Zoe", "changes": {}}, 5]}, [], 0),
        ({"sessions": [{"_id": ID, "kind": "Zoe", "changes": {"Zoe": {}, "endDate": {"to": "Zoe"}}}]},
         [{"id": ID, "kind": "modified", "fields": ["endDate"]}], 0),
        ({"sessions": [{"_id": ID, "kind": "missing"}]}, [{"id": ID, "kind": "missing", "fields": []}], 0),
        ({"completions": [{"_id": ID, "kind": "completed", "completed": 3}]},
         [{"id": ID, "kind": "completed", "fields": []}], 0),
        ({"sessions": [{"_id": ID, "kind": "missing"}] * 25}, [{"id": ID, "kind": "missing", "fields": []}] * 20, 5),
    ],
    ids=str,
)  # fmt: skip
def test_event_has_ids_and_names_of_fields_only(payload: Any, sessions: Any, more: int) -> None:
    moment = datetime(2026, 3, 1, 8, tzinfo=UTC)
    reported = watched_assets._describe_event(AssetEvent(timestamp=moment, extra={"payload": payload}))
    assert reported == {"at": "2026-03-01T08:00:00+00:00", "sessions": sessions, "more": more}
