"""The watched assets on the page, whatever is in the database."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow.models.asset import AssetEvent, AssetModel
from airflow.models.asset_state_store import AssetStateStoreModel
from airflow.utils.session import create_session

from airflow_provider_learning360.ui import watched_assets


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
