"""The queue of a watched asset: Airflow 3.4 stores it beside its trigger; below, it is refused when a DAG is parsed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from airflow.sdk import Asset

from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.assets.completions import watched_completions
from airflow_provider_learning360.assets.polling import has_trigger_queues
from airflow_provider_learning360.assets.program_session import watched_program_session, watched_program_sessions

HAS_QUEUES = has_trigger_queues()
ID = "60b8d2956e20ae1a0f8e44f1"
ASSETS: list[Callable[..., Asset]] = [
    lambda **options: watched_program_session(ID, **options),
    lambda **options: watched_program_sessions("all", **options),
    lambda **options: watched_completions("done", [ID], **options),
]


def trigger_of(asset: Asset) -> Any:
    (watcher,) = asset.watchers
    return watcher.trigger


@pytest.mark.skipif(HAS_QUEUES, reason="Airflow 3.4 and later have it")
@pytest.mark.parametrize("build", ASSETS)
def test_queue_is_refused_where_airflow_has_none(build: Callable[..., Asset]) -> None:
    with pytest.raises(FixArgumentError, match=r"queue: .* from Airflow 3\.4 on\. Leave it out\."):
        build(queue="learning360")


@pytest.mark.skipif(not HAS_QUEUES, reason="needs Airflow 3.4")
@pytest.mark.parametrize("build", ASSETS)
def test_queue_is_stored_and_identifies_no_poller(build: Callable[..., Asset]) -> None:
    from airflow.serialization.encoders import encode_trigger

    trigger, other = trigger_of(build(queue="learning360")), trigger_of(build())
    encoded = encode_trigger(trigger)
    assert encoded["queue"] == "learning360"
    assert "queue" not in encoded["kwargs"]
    assert "queue" not in encode_trigger(other)
    assert trigger.serialize() == other.serialize()
    assert trigger.shared_stream_key() == other.shared_stream_key()


@pytest.mark.skipif(not HAS_QUEUES, reason="needs Airflow 3.4")
@pytest.mark.parametrize("queue", ["", " ", "x" * 257, 1])
def test_queue_that_airflow_cannot_store_is_refused(queue: Any) -> None:
    with pytest.raises(FixArgumentError, match="queue: expected"):
        watched_program_session(ID, queue=queue)


def test_no_queue_is_the_default() -> None:
    assert getattr(trigger_of(watched_program_session(ID)), "queue", None) is None


@pytest.mark.skipif(HAS_QUEUES, reason="Airflow 3.4 and later have it")
def test_queue_in_yaml_is_refused_where_airflow_has_none() -> None:
    from airflow_provider_learning360.dag_yaml.arguments import WatchSettings

    with pytest.raises(ValidationError, match=r"queue\n.* from Airflow 3\.4 on\. Leave it out\."):
        WatchSettings.model_validate({"session_ids": [ID], "queue": "learning360"})


@pytest.mark.skipif(not HAS_QUEUES, reason="needs Airflow 3.4")
@pytest.mark.parametrize("kind", ["changes", "completions"])
def test_queue_in_yaml_is_that_of_the_trigger(kind: str) -> None:
    from airflow_provider_learning360.dag_yaml.arguments import WatchSettings

    written = {"kind": kind, "name": "all", "session_ids": [ID], "queue": "learning360"}
    assert trigger_of(WatchSettings.model_validate(written).asset()).queue == "learning360"
