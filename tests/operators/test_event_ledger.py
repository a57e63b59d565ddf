"""The ledger of asset events, when a run is late by more events than the ledger keeps."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from airflow_provider_learning360.operators import event_ledger
from airflow_provider_learning360.operators.event_ledger import EventLedger
from airflow_provider_learning360.operators.run_events import RunEvents

KEPT = 20
EVENTS = 3 * KEPT
LATE = 5  # the event whose run begins last
BEGIN = datetime.now(tz=UTC) - timedelta(days=1)


class Asset(NamedTuple):
    """A watched asset."""

    name: str
    uri: str


class Store(dict[str, Any]):
    """The store of the asset."""

    def set(self, key: str, value: Any, *, forever: bool = False) -> None:
        self[key] = value

    def delete(self, key: str) -> None:
        self.pop(key, None)


def event(number: int) -> Any:
    moment = BEGIN + timedelta(minutes=number)
    change = {"_id": f"{number % 7:024x}", "kind": "modified", "modifiedAt": {"from": "", "to": moment.isoformat()}}
    run = SimpleNamespace(dag_id="dag", run_id=f"r{number}", state="running")
    extra = {"payload": {"sessions": [change]}}
    return SimpleNamespace(id=number, timestamp=moment, created_dagruns=[run], extra=extra)


def run_events(own: Any) -> RunEvents:
    timetable = SimpleNamespace(batch_asset_events=False)
    context: Any = {
        "triggering_asset_events": {Asset("a", "a"): [own]},
        "dag": SimpleNamespace(dag_id="dag", timetable=timetable),
        "run_id": own.created_dagruns[0].run_id,
    }
    return RunEvents(context)


def test_late_run_makes_no_other_return_its_changes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its event is left to it meanwhile; those after it have been read."""
    store, events = Store(), [event(number) for number in range(EVENTS)]
    returned: Counter[str] = Counter()

    class Listed:
        sent = 0

        def __init__(self, asset_name: str) -> None: ...

        def list_since(self, after: datetime, until: datetime) -> list[Any]:
            return [one for one in events if after <= one.timestamp <= until]

    monkeypatch.setattr(event_ledger, "MAX_RECENT_EVENTS", KEPT)
    monkeypatch.setattr(event_ledger, "find_reader_store", lambda asset_name, reader: store)
    monkeypatch.setattr(event_ledger, "AssetEvents", Listed)
    for own in [*events[:LATE], *events[LATE + 1 :], events[LATE]]:
        ledger = EventLedger("a", "dag.task", run_events(own))
        choice = ledger.choose_unread(1000)
        ledger.record(choice)
        returned.update(one["modifiedAt"]["to"] for one in choice["entries"])
        own.created_dagruns[0].state = "success"
    assert returned == Counter({one.timestamp.isoformat(): 1 for one in events})
