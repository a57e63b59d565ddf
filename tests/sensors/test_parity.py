"""
One definition of "modified": poke, reschedule, deferred and event mode find the same on the same timelines.

The first three are modes of the sensor, and every timeline ends the same way in them. Event mode is a watched asset,
which never gives up: where the sensor ends without a change, there is no event while the timeline lasts.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from airflow.providers.common.compat.sdk import AirflowSensorTimeout, AirflowSkipException, TaskDeferred
from airflow.sdk.exceptions import AirflowRescheduleException

from airflow_provider_learning360.api.changes import watermark_since
from airflow_provider_learning360.api.errors import LearningError
from airflow_provider_learning360.assets.program_session import watched_program_session
from airflow_provider_learning360.hooks.learning import LearningHook
from airflow_provider_learning360.sensors.program_session import ProgramSessionModifiedSensor
from airflow_provider_learning360.simulator import Simulator
from airflow_provider_learning360.triggers.program_session import ProgramSessionModifiedTrigger
from case_samples import one_in
from small_triggerer import Store, remove_waiting_times, running
from versions import ONE_IN_THE_LOOP, connect

NEW_START = "2031-05-05T08:00:00.000Z"
QUICK = {"retry_attempts": 1, "timeout": 5, "requests_per_second": 1000}

pytestmark = pytest.mark.learning360_simulator(sessions=1, learners=2, extra=QUICK)


class FakeStore:
    """The task state store, as Airflow keeps it between the processes of one task."""

    def __init__(self) -> None:
        self.rows: dict[str, str] = {}

    def get(self, key: str, default: Any = None) -> Any:
        return json.loads(self.rows[key]) if key in self.rows else default

    def set(self, key: str, value: Any) -> None:
        self.rows[key] = json.dumps(value)

    def delete(self, key: str) -> None:
        self.rows.pop(key, None)


class FakeTaskInstance:
    """The part of a task instance that a sensor uses."""

    map_index = -1

    def __init__(self) -> None:
        self.started = datetime.now(tz=UTC)
        self.pushed: dict[str, Any] = {}

    def get_first_reschedule_date(self, context: Any) -> datetime:
        return self.started

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


def in_one_process(make: Callable[[], ProgramSessionModifiedSensor], context: Any) -> Any:
    return make().execute(context)


def rescheduled(make: Callable[[], ProgramSessionModifiedSensor], context: Any) -> Any:
    while True:
        try:
            return make().execute(context)  # a new process knows nothing of the one before
        except AirflowRescheduleException as again:
            time.sleep(max(0.0, (again.reschedule_date - datetime.now(tz=UTC)).total_seconds()))


def deferred(make: Callable[[], ProgramSessionModifiedSensor], context: Any) -> Any:
    try:
        return make().execute(context)
    except TaskDeferred as deferral:
        waiting = deferral
    while True:
        _, stored = waiting.trigger.serialize()
        trigger = ProgramSessionModifiedTrigger(**json.loads(json.dumps(stored)))
        event = json.loads(json.dumps(asyncio.run(first_event(trigger))))
        try:
            return make().resume_execution(waiting.method_name, {"event": event}, context)
        except TaskDeferred as deferral:
            waiting = deferral


async def first_event(trigger: ProgramSessionModifiedTrigger) -> Any:
    async for event in trigger.run():
        return event.payload
    raise AssertionError("the trigger ended without an event")


SENSOR_MODES: dict[str, tuple[Any, dict[str, Any]]] = {
    "poke": (in_one_process, {}),
    "reschedule": (rescheduled, {"mode": "reschedule"}),
    "deferred": (deferred, {"deferrable": True}),
}
EVENT_MODES: dict[str, dict[str, Any]] = {"event": {"poll": "single"}, "event, by list": {"poll": "list"}}


def edit(after: int, times: int = 1, **fields: Any) -> dict[str, Any]:
    return {"when": {"after_requests": after, "times": times}, "do": {"edit": {"session": "SESSION", "fields": fields}}}


def answer(after: int, times: int, status: int, **headers: str) -> dict[str, Any]:
    return {"when": {"after_requests": after, "times": times}, "do": {"status": status, "headers": headers}}


DELETED = {"when": {"after_requests": 2}, "do": {"delete": "SESSION"}}
SAME = {"startDate": NEW_START, "modifiedAt": "AS BEFORE"}
EARLIER = {"startDate": NEW_START, "modifiedAt": "2001-01-01T00:00:00.000Z"}
DOCUMENT: dict[str, Any] = {"since": "DOCUMENT"}
WATCH: dict[str, Any] = {"since": "DOCUMENT", "watch": ["startDate", "endDate"]}
SUCCESS_START = ("success", ["modifiedAt", "startDate"])

TIMELINES: dict[str, tuple[list[dict[str, Any]], dict[str, Any], Any]] = {
    "changed before the first poll": ([edit(0, startDate=NEW_START)], WATCH, SUCCESS_START),
    "changed later": ([edit(2, startDate=NEW_START)], DOCUMENT, ("success", ["modifiedAt"])),
    "changed later, first poll is the watermark": ([edit(2, startDate=NEW_START)], {}, ("success", ["modifiedAt"])),
    "since a template that rendered to nothing": ([edit(2, name="New")], {"since": ""}, ("success", ["modifiedAt"])),
    "an ID in capitals": ([edit(2, name="New")], {"session_id": "CAPITALS"}, ("success", ["modifiedAt"])),
    "an ID in capitals, since a document": (
        [edit(2, name="New")],
        {"session_id": "CAPITALS", "since": "DOCUMENT"},
        ("success", ["modifiedAt"]),
    ),
    "since a time": ([edit(2, name="New")], {"since": "TIME"}, ("success", ["modifiedAt"])),
    "equal timestamps": ([edit(1, **SAME)], DOCUMENT, "timeout"),
    "clock going back": ([edit(1, **EARLIER)], WATCH, "timeout"),
    "never changed": ([], {}, "timeout"),
    "never changed, soft_fail": ([], {"soft_fail": True}, "skip"),
    "unrelated edit": ([edit(1, name="New")], WATCH, "timeout"),
    "unrelated edit, then one that counts": (
        [edit(1, name="New"), edit(3, startDate=NEW_START)],
        WATCH,
        SUCCESS_START,
    ),
    "watched from the first poll": (
        [edit(2, endDate=NEW_START)],
        {"watch": ["endDate"]},
        ("success", ["modifiedAt", "endDate"]),
    ),
    "outage in between": ([answer(1, 3, 503), edit(4, startDate=NEW_START)], WATCH, SUCCESS_START),
    "outage at the first poll": ([answer(0, 2, 503), edit(8, startDate=NEW_START)], {}, ("success", ["modifiedAt"])),
    "outage without end": ([answer(1, 99, 503)], {"max_failures": 3}, "UnavailableError"),
    "outage without end, never_fail": ([answer(1, 99, 503)], {"max_failures": 3, "never_fail": True}, "skip"),
    "rate limit": (
        [answer(1, 2, 429, **{"Retry-After": "0.05"}), edit(3, startDate=NEW_START)],
        WATCH,
        SUCCESS_START,
    ),
    "rate limit beyond the timeout": ([answer(0, 99, 429, **{"Retry-After": "600"})], {}, "timeout"),
    "deleted": ([DELETED], DOCUMENT, "NotFoundError"),
    "deleted, soft_fail": ([DELETED], {"soft_fail": True}, "NotFoundError"),
    "deleted, skip": ([DELETED], {"on_missing": "skip"}, "skip"),
    "deleted, wait": ([DELETED], {"on_missing": "wait"}, "timeout"),
    "key revoked": ([answer(2, 99, 401)], {}, "UnauthorizedError"),
    "key revoked, soft_fail": ([answer(2, 99, 401)], {"soft_fail": True}, "UnauthorizedError"),
    "key revoked, never_fail": ([answer(2, 99, 401)], {"never_fail": True}, "skip"),
    "key revoked for a while, silent_fail": (
        [answer(1, 2, 401), edit(3, startDate=NEW_START)],
        {"since": "DOCUMENT", "silent_fail": True},
        ("success", ["modifiedAt"]),
    ),
    "growing waits": (
        [edit(2, startDate=NEW_START)],
        {"since": "DOCUMENT", "exponential_backoff": True, "max_wait": 0.02},
        ("success", ["modifiedAt"]),
    ),
    "no modifiedAt": ([edit(0, modifiedAt=None)], {}, "ContractError"),
    "people": (
        [edit(2, tutors=["new@example.com"], users=[])],
        {"since": "DOCUMENT", "watch": ["tutors", "users", "endDate"]},
        ("success", ["modifiedAt", "tutors", "users"]),
    ),
    "a long value": (
        [edit(2, description="long " * 200)],
        {"since": "DOCUMENT", "watch": ["description"]},
        ("success", ["modifiedAt", "description"]),
    ),
    "learners": (
        [edit(6, users=[])],
        {"since": "DOCUMENT", "watch": ["users", "endDate"]},
        ("success", ["modifiedAt", "users"]),
    ),
    "a field of the path": (
        [edit(9, lang="it")],
        {"since": "DOCUMENT", "watch": ["lang", "name"]},
        ("success", ["modifiedAt", "lang"]),
    ),
    "a field of the path, since an entry of the list": (
        [edit(5, lang="it")],
        {"since": "LISTED", "watch": ["lang"]},
        ("success", ["modifiedAt", "lang"]),
    ),
    "a field of the path, from the first poll": (
        [edit(4, lang="it")],
        {"watch": ["lang"]},
        ("success", ["modifiedAt", "lang"]),
    ),
}


NOT_ON_VERSION = {
    ("no modifiedAt", "v2"): "API v2 sends modifiedAt of every session",
    ("people", "v2"): "a poll takes several requests there, so that it may see half of this edit",
}
# Edits that do not move the `modifiedAt` of a session.
PATH_ONLY = (
    "a long value",
    "a field of the path",
    "a field of the path, from the first poll",
    "a field of the path, since an entry of the list",
)
UNTIMED = {(name, "v2") for name in ("learners", *PATH_ONLY)}
# A poll of these takes several requests, and a token is one too.
NEEDS_MORE = {"learners", *PATH_ONLY}


def watched_arguments(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a sensor that a watch has too."""
    return {name: value for name, value in arguments.items() if name in ("session_id", "since", "watch")}


def cases() -> list[tuple[str, str]]:
    """
    Every timeline in every mode of the sensor, and for events those that differ in more than what only sensors have.

    Without `soft_fail`, `on_missing`, growing waits and the like, some are the same as one before.
    """
    of_sensors = [(name, mode) for name in TIMELINES for mode in SENSOR_MODES]
    different: dict[str, str] = {}
    for name, (steps, arguments, _) in TIMELINES.items():
        different.setdefault(json.dumps([steps, watched_arguments(arguments)]), name)
    return of_sensors + [(name, mode) for name in different.values() for mode in EVENT_MODES]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    remove_waiting_times(monkeypatch)


@pytest.mark.parametrize("version", ONE_IN_THE_LOOP)
@pytest.mark.parametrize(("name", "mode"), one_in(5, cases()))
def test_every_mode_ends_the_same_way(
    name: str,
    mode: str,
    version: str,
    learning360_simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if (name, version) in NOT_ON_VERSION:
        pytest.skip(NOT_ON_VERSION[name, version])
    simulator = learning360_simulator
    connect(monkeypatch, simulator, version, **QUICK)
    steps, arguments, expected = TIMELINES[name]
    (session_id,) = simulator.session_ids
    before = simulator.session(session_id)
    values = {
        "SESSION": session_id,
        "DOCUMENT": LearningHook().get_program_session(session_id).document(),
        "LISTED": LearningHook().list_program_sessions()[0].document(),
        "TIME": before["modifiedAt"],
        "AS BEFORE": before["modifiedAt"],
        "CAPITALS": session_id.upper(),
    }
    simulator.forget()
    for step in steps:
        simulator.play(filled(step, values))
    arguments = filled({"session_id": session_id, **arguments}, values)

    if mode in SENSOR_MODES:
        ended = sensed(mode, arguments, expected)
    else:
        over = partial(is_over, simulator, (4 if name in NEEDS_MORE else 1) * polls_of(steps) + 1, caplog)
        ended = asyncio.run(watched(session_id, {**watched_arguments(arguments), **EVENT_MODES[mode]}, over))

    if isinstance(expected, tuple):
        after = simulator.session(session_id)
        if (name, version) in UNTIMED:
            after["modifiedAt"] = before["modifiedAt"]
        assert ended == changes_between(before, after, expected[1])
    else:
        assert ended == (expected if mode in SENSOR_MODES else "no event")


@pytest.mark.parametrize("mode", SENSOR_MODES)
@pytest.mark.parametrize("versions", [("v1", "v2"), ("v2", "v1")], ids="-".join)
@pytest.mark.parametrize("edited", one_in(2, [None, "lang", "name"]))
def test_document_of_the_other_version_is_no_change(
    mode: str,
    versions: tuple[str, str],
    edited: str | None,
    learning360_simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An edit after the first poll is one, also of a field that differs in both versions."""
    simulator = learning360_simulator
    (session_id,) = simulator.session_ids
    connect(monkeypatch, simulator, versions[0], **QUICK)
    document = LearningHook().get_program_session(session_id).document()
    connect(monkeypatch, simulator, versions[1], **QUICK)
    simulator.forget()
    if edited is not None:
        simulator.play(filled(edit(16, **{edited: "it"}), {"SESSION": session_id}))
    watch = ["name", "endDate", "modules", "customFields", "users", "description", "author", "tutors", "lang"]
    expected = "timeout" if edited is None else ("success", [edited])
    ended = sensed(mode, {"session_id": session_id, "since": document, "watch": watch}, expected)
    assert ended == "timeout" if edited is None else ended.keys() == {"modifiedAt", edited}


def changes_between(before: dict[str, Any], after: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """What the sensor pushes about the changes of some fields."""
    return {name: shown({"from": before.get(name), "to": after.get(name)}) for name in names}


def shown(values: dict[str, Any]) -> dict[str, Any]:
    """Without lists of people and long values: of these, only the name of the field is shown."""
    texts = [one for one in values.values() if isinstance(one, list) or len(str(one)) > 500]
    return {} if texts else values


def sensed(mode: str, arguments: dict[str, Any], expected: Any) -> Any:
    """How a sensor ended."""
    drive, mode_arguments = SENSOR_MODES[mode]
    arguments = {"poke_interval": 0.02, "timeout": 0.6, **arguments, **mode_arguments}
    # A timeline that ends in another way must not depend on how fast the machine is.
    if expected != "timeout" and not (expected == "skip" and "soft_fail" in arguments):
        arguments["timeout"] = 60
    context = {"ti": FakeTaskInstance(), "task_state_store": FakeStore()}

    def make() -> ProgramSessionModifiedSensor:
        return ProgramSessionModifiedSensor(**{"task_id": "wait", **arguments})

    ended = outcome(drive, make, context)
    if isinstance(ended, dict):
        assert context["task_state_store"].rows == {}  # so that the cleared task waits again
    return ended


def outcome(drive: Any, make: Any, context: Any) -> Any:
    """How it ended: the changes, `skip`, `timeout`, or the name of the error."""
    try:
        document = drive(make, context)
    except AirflowSkipException:
        return "skip"
    except AirflowSensorTimeout:
        return "timeout"
    except LearningError as error:
        return type(error).__name__
    changes = context["ti"].pushed["changes"]
    assert document["modifiedAt"] == changes["modifiedAt"]["to"]
    return {name: without_fingerprints(values) for name, values in changes.items()}


def without_fingerprints(values: dict[str, Any]) -> dict[str, Any]:
    return {} if any(isinstance(one, dict) and "sha256" in one for one in values.values()) else values


async def watched(session_id: str, arguments: dict[str, Any], over: Callable[[], bool]) -> Any:
    """The changes in the only event of a watch, or `no event`."""
    store, since = Store(), arguments.pop("since", None)
    asset = watched_program_session(poll_interval=0.02, **arguments)
    if since:
        await store.store_watermark(asset, watermark_since(since, session_id, arguments.get("watch") or ()))
    async with running(store, asset) as triggerer:
        await triggerer.until(over)
        assert triggerer.failed == []
        if not triggerer.events:
            return "no event"
        ((_, payload),) = triggerer.events
        (entry,) = payload["sessions"]
        assert (entry["_id"], entry["kind"]) == (session_id, "modified")
        await triggerer.until(lambda: store.watermarks(asset.name) == {session_id: entry["modifiedAt"]["to"]})
        return {"modifiedAt": entry["modifiedAt"], **entry["changes"]}


def polls_of(steps: list[dict[str, Any]]) -> int:
    """The polls after which a timeline is over, or repeats itself for ever."""
    last = max((step["when"]["after_requests"] + min(step["when"].get("times", 1), 3) for step in steps), default=0)
    return last + 4


def is_over(simulator: Simulator, polls: int, caplog: pytest.LogCaptureFixture) -> bool:
    """Whether a timeline is over for a watch: it has polled often enough, or has to wait for long."""
    return len(simulator.requests) >= polls or "asks to wait 600 s" in caplog.text


def filled(value: Any, values: dict[str, Any]) -> Any:
    """Put real values where a timeline only names them."""
    if isinstance(value, dict):
        return {key: filled(one, values) for key, one in value.items()}
    return values.get(value, value) if isinstance(value, str) else value
