"""What a waiting task remembers is deleted at its end, in an order that survives a kill."""

from __future__ import annotations

from typing import Any

from airflow_provider_learning360.sensors.memory import FINGERPRINTS, WATERMARK, TaskMemory


class RecordingStore:
    """A store of Airflow that lists what is deleted."""

    def __init__(self) -> None:
        self.rows: dict[str, Any] = {WATERMARK: {}, FINGERPRINTS: {"a": "b"}}
        self.deleted: list[str] = []

    def get(self, key: str) -> Any:
        return self.rows.get(key)

    def delete(self, key: str) -> None:
        self.deleted.append(key)


def test_what_the_wait_compares_with_is_deleted_last() -> None:
    store = RecordingStore()
    memory = TaskMemory({"task_state_store": store}, {})
    assert memory.fingerprints
    memory.forget()
    assert len(store.deleted) == 4
    assert store.deleted[-2:] == [FINGERPRINTS, WATERMARK]
