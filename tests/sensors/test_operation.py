"""The sensor waits until an answer meets its conditions, in every mode and on both versions of the API."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow.providers.common.compat.sdk import AirflowSensorTimeout, AirflowSkipException, TaskDeferred
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowRescheduleException

from airflow_provider_learning360.api.catalogue.json_path import AnswerPath
from airflow_provider_learning360.api.errors import FixArgumentError, LearningError
from airflow_provider_learning360.sensors.operation import LearningOperationSensor
from airflow_provider_learning360.simulator import Simulator
from airflow_provider_learning360.triggers.operation import LearningOperationTrigger
from versions import ONE_IN_THE_LOOP, SESSION, add_session, connect, paths_of, simulated

NEW_START = "2031-05-05T08:00:00.000Z"


class TaskInstance:
    """The part of a task instance that a sensor uses."""

    map_index = -1

    def __init__(self) -> None:
        self.started = datetime.now(tz=UTC)

    def get_first_reschedule_date(self, context: Any) -> datetime:
        return self.started


class Store:
    """The task state store; `seen` has all that was ever stored."""

    def __init__(self) -> None:
        self.rows: dict[str, str] = {}
        self.seen: list[str] = []

    def get(self, key: str, default: Any = None) -> Any:
        return json.loads(self.rows[key]) if key in self.rows else default

    def set(self, key: str, value: Any) -> None:
        self.rows[key] = json.dumps(value)
        self.seen.append(self.rows[key])

    def delete(self, key: str) -> None:
        self.rows.pop(key, None)


def poke(make: Callable[[], Any], context: Any) -> Any:
    return make().execute(context)


def reschedule(make: Callable[[], Any], context: Any) -> Any:
    while True:
        try:
            return make().execute(context)  # a new process knows nothing of the one before
        except AirflowRescheduleException as again:
            time.sleep(max(0.0, (again.reschedule_date - datetime.now(tz=UTC)).total_seconds()))


def defer(make: Callable[[], Any], context: Any) -> Any:
    """Also hold each trigger and event to what Airflow's database can have."""
    try:
        return make().execute(context)
    except TaskDeferred as deferral:
        waiting = deferral
    while True:
        _, stored = waiting.trigger.serialize()
        context["stored"] = json.dumps(stored)
        event = json.loads(json.dumps(asyncio.run(first_event(stored))))
        context["stored"] += json.dumps(event)
        try:
            return make().resume_execution(waiting.method_name, {"event": event}, context)
        except TaskDeferred as deferral:
            waiting = deferral


async def first_event(stored: dict[str, Any]) -> Any:
    async for event in LearningOperationTrigger(**json.loads(json.dumps(stored))).run():
        return event.payload
    raise AssertionError("the trigger ended without an event")


MODES: dict[str, tuple[Any, dict[str, Any]]] = {
    "poke": (poke, {}),
    "reschedule": (reschedule, {"mode": "reschedule"}),
    "defer": (defer, {"deferrable": True}),
}
every_mode = pytest.mark.parametrize("mode", MODES)


@pytest.fixture(params=ONE_IN_THE_LOOP)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def simulator(version: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    with simulated(monkeypatch, version, sessions=1, learners=5) as one:
        yield one


@pytest.fixture
def call(simulator: Simulator, version: str) -> dict[str, Any]:
    """A call that reads one session."""
    add_session(simulator)
    if version == "v1":
        return {"operation": "get-program-session-v1", "parameters": {"session_id": SESSION}}
    path_id = simulator.session(SESSION)["programTemplate"]
    return {"operation": "get-path-session", "parameters": {"pathId": path_id, "sessionId": SESSION}}


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What sensor and trigger log, in order."""
    logged: list[str] = []

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logged.append(record.getMessage())

    logger = logging.getLogger("operation lines")
    logger.setLevel(logging.INFO)
    monkeypatch.setattr(logger, "handlers", [Lines()])
    for kind in (LearningOperationSensor, LearningOperationTrigger):
        monkeypatch.setattr(kind, "log", logger, raising=False)
    return logged


def ended(mode: str, context: dict[str, Any] | None = None, **arguments: Any) -> Any:
    """How a wait ended: what was pushed, `skip`, `timeout: ...`, or the name of an error."""
    drive, chosen = MODES[mode]
    context = {"ti": TaskInstance(), "task_state_store": Store(), **(context or {})}
    chosen = {"poke_interval": 0.02, "timeout": 60, **chosen, **arguments}
    try:
        result = drive(lambda: LearningOperationSensor(task_id="wait", **chosen), context)
    except AirflowSkipException:
        return "skip"
    except AirflowSensorTimeout as error:
        return f"timeout: {error}"
    except LearningError as error:
        return f"{type(error).__name__}: {error}"
    assert context["task_state_store"].rows == {}  # so that a cleared task waits again
    return result


def later(simulator: Simulator, act: Callable[[], Any], polls: int = 3) -> threading.Thread:
    """Do something after some more requests."""

    def run() -> None:
        simulator.wait_for(lambda one: len(paths_of(one)) >= polls)
        act()

    simulator.forget()
    thread = threading.Thread(target=run)
    thread.start()
    return thread


UNTIL: dict[str, Any] = {
    "equals": {"path": "startDate", "equals": NEW_START},
    "at least a date": {"path": "startDate", "at_least": "2031-01-01"},
    "changed": {"path": "startDate", "changed": True},
    "not equals": {"path": "$.startDate", "not_equals": "BEFORE"},
    "all of a list": [{"path": "startDate", "changed": True}, {"path": "_id", "equals": SESSION}],
}


@every_mode
@pytest.mark.parametrize("name", UNTIL)
def test_wait_is_over_when_the_condition_is_met(
    simulator: Simulator, call: dict[str, Any], mode: str, name: str
) -> None:
    before = simulator.session(SESSION)["startDate"]
    until = json.loads(json.dumps(UNTIL[name]).replace("BEFORE", before))
    thread = later(simulator, lambda: simulator.edit(SESSION, startDate=NEW_START))
    pushed = ended(mode, **call, until=until)
    thread.join()
    assert (pushed["_id"], pushed["startDate"]) == (SESSION, NEW_START)
    assert len(pushed) > 5


@every_mode
def test_fields_are_kept_and_conditions_see_all(simulator: Simulator, call: dict[str, Any], mode: str) -> None:
    until = {"path": "startDate", "exists": True}
    assert ended(mode, **call, until=until, fields=["_id"]) == {"_id": SESSION}


@every_mode
def test_list_is_read_with_all_its_pages(version: str, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    operation = "list-path-sessions" if version == "v2" else "list-program-sessions-v1"
    with simulated(monkeypatch, version, sessions=5, learners=1, page_size=2) as simulator:
        thread = later(simulator, lambda: add_session(simulator, learners=1), polls=8)
        until = {"path": "count($[*])", "at_least": 6}
        pushed = ended(mode, operation=operation, until=until, fields=["_id"])
        thread.join()
        assert len(pushed) == 6
        assert {"_id": SESSION} in pushed
        if version == "v2":
            first = {"path": "count($[*])", "equals": 2}
            assert len(ended(mode, operation=operation, until=first, pages=1)) == 2


def test_list_with_too_many_pages_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_learning360.api.catalogue.operation_wait.MAX_PAGES", 2)
    with simulated(monkeypatch, "v2", sessions=5, learners=1, page_size=2):
        arguments: dict[str, Any] = {"operation": "list-path-sessions", "until": {"path": "$[0]", "exists": True}}
        assert "more than 2 pages" in ended("poke", **arguments)
        assert len(ended("poke", **arguments, pages=3)) == 5


DOWN = {"when": {}, "do": {"status": 503}}
SLOW_DOWN = {"when": {}, "do": {"status": 429, "headers": {"Retry-After": "600"}}}
NEVER = {"path": "name", "equals": "never"}
OUTCOMES: dict[str, tuple[list[dict[str, Any]], dict[str, Any], str]] = {
    "outage without end": ([DOWN], {"max_failures": 3}, "UnavailableError"),
    "outage without end, never_fail": ([DOWN], {"max_failures": 1, "never_fail": True}, "skip"),
    "deleted": ([{"when": {"after_requests": 4}, "do": {"delete": SESSION}}], {}, "NotFoundError"),
    "deleted, soft_fail": (
        [{"when": {"after_requests": 4}, "do": {"delete": SESSION}}],
        {"soft_fail": True},
        "NotFoundError",
    ),
    "deleted, skip": ([{"when": {"after_requests": 4}, "do": {"delete": SESSION}}], {"on_missing": "skip"}, "skip"),
    "deleted, wait": (
        [{"when": {"after_requests": 4}, "do": {"delete": SESSION}}],
        {"on_missing": "wait", "timeout": 0.5},
        "timeout",
    ),
    "key without rights": ([{"when": {"after_requests": 3}, "do": {"status": 403}}], {}, "ForbiddenError"),
    "no JSON": ([{"when": {"after_requests": 3}, "do": {"html": True}}], {}, "ContractError"),
    "never": ([], {"timeout": 0.4}, "timeout"),
    "never, soft_fail": ([], {"soft_fail": True, "timeout": 0.3}, "skip"),
    "rate limit beyond the timeout": ([SLOW_DOWN], {"timeout": 0.3}, "timeout"),
    "not comparable": ([], {"until": {"path": "name", "at_least": 3}}, "FixArgumentError"),
}


@every_mode
@pytest.mark.parametrize("name", OUTCOMES)
def test_every_mode_ends_the_same_way(simulator: Simulator, call: dict[str, Any], mode: str, name: str) -> None:
    steps, arguments, expected = OUTCOMES[name]
    simulator.forget()
    for step in steps:
        simulator.play(step)
    assert str(ended(mode, **{**call, "until": NEVER, **arguments})).split(":")[0] == expected


@every_mode
def test_outage_in_between_is_survived(simulator: Simulator, call: dict[str, Any], mode: str, lines: list[str]) -> None:
    thread = later(simulator, lambda: simulator.edit(SESSION, startDate=NEW_START), polls=8)
    simulator.play({"when": {"after_requests": 3, "times": 3}, "do": {"status": 503}})
    pushed = ended(mode, **call, until={"path": "startDate", "changed": True}, max_failures=3)
    thread.join()
    assert pushed["startDate"] == NEW_START
    assert [one for one in lines if one.startswith(f"Could not read the answer of {call['operation']} (1 failure")]
    assert [one for one in lines if one.startswith(f"The answer of {call['operation']} was read again after")]


@pytest.mark.breaks_contract("the API documents an object")
@pytest.mark.parametrize("body", [None, [], 5, {"status": 204}], ids=["null", "list", "number", "nothing"])
def test_answer_of_another_type_ends_no_wait(simulator: Simulator, call: dict[str, Any], body: Any) -> None:
    answer = body if isinstance(body, dict) else {"status": 200, "body": body}
    simulator.play({"when": {"path": SESSION, "after_requests": 2}, "do": answer})
    for until in ({"path": "startDate", "changed": True}, {"path": "startDate", "exists": False}):
        found = ended("poke", **call, until=until)
        assert str(found).startswith("ContractError: GET ")
        assert "not what 360Learning documents" in found


@every_mode
def test_retry_after_is_waited_for(simulator: Simulator, call: dict[str, Any], mode: str) -> None:
    """The time that is left is shorter: no request follows, except the last one that Airflow makes."""
    simulator.forget()
    simulator.play(SLOW_DOWN)
    assert ended(mode, **call, until=NEVER, timeout=1, poke_interval=0.01, max_failures=1000).startswith("timeout")
    assert 1 <= len(simulator.requests) <= 2
    simulator.stop_scenarios()
    simulator.forget()
    simulator.play({"when": {"times": 3}, "do": {"status": 429, "headers": {"Retry-After": "0.05"}}})
    assert ended(mode, **call, until={"path": "_id", "equals": SESSION})["_id"] == SESSION


@every_mode
def test_change_is_compared_with_the_first_poll_that_succeeds(
    simulator: Simulator, call: dict[str, Any], mode: str
) -> None:
    simulator.forget()
    simulator.play({"when": {"times": 3}, "do": {"status": 503}})
    thread = later(simulator, lambda: simulator.edit(SESSION, startDate=NEW_START), polls=9)
    simulator.play({"when": {"times": 3}, "do": {"status": 503}})
    context: dict[str, Any] = {"task_state_store": (store := Store())}
    pushed = ended(mode, context, **call, until={"path": "startDate", "changed": True})
    thread.join()
    assert pushed["startDate"] == NEW_START
    assert [one for one in store.seen if "values" in one]


@every_mode
def test_nothing_of_the_answer_is_stored_or_logged(
    simulator: Simulator, call: dict[str, Any], mode: str, lines: list[str]
) -> None:
    """Not even by a condition on people, or of a document that stands for its ID."""
    simulator.edit(SESSION, name="Ann Example")
    call["parameters"] = {key: {"_id": one, "name": "Eve Example"} for key, one in call["parameters"].items()}
    context: dict[str, Any] = {"task_state_store": (store := Store()), "stored": ""}
    thread = later(simulator, lambda: simulator.edit(SESSION, name="Bob Example"), polls=4)
    drive, chosen = MODES[mode]
    context["ti"] = TaskInstance()
    arguments = {**call, **chosen, "until": [{"path": "name", "changed": True}], "poke_interval": 0.02, "timeout": 60}
    pushed = drive(lambda: LearningOperationSensor(task_id="wait", **arguments), context)
    thread.join()
    assert pushed["name"] == "Bob Example"
    assert lines
    for text in (*lines, *store.seen, context["stored"]):
        assert "Example" not in text


@every_mode
def test_log_says_what_is_waited_for(simulator: Simulator, call: dict[str, Any], mode: str, lines: list[str]) -> None:
    thread = later(simulator, lambda: simulator.edit(SESSION, startDate=NEW_START))
    ended(mode, **call, until={"path": "startDate", "equals": NEW_START})
    thread.join()
    name = f"the answer of {call['operation']}"
    start = f"Waiting for {name}: startDate to be '{NEW_START}'. Now, startDate has another value. Next poll in "
    waiting = [line for line in lines if line.startswith(start)]
    assert waiting
    assert all(", until 20" in line for line in waiting)
    assert f"The wait for {name} is over: startDate to be '{NEW_START}'." in lines


def test_timeout_names_the_conditions(simulator: Simulator, call: dict[str, Any]) -> None:
    result = ended("defer", **call, until=[NEVER, {"path": "endDate", "exists": False}], timeout=0.2)
    assert f"waited for the answer of {call['operation']}: name to be 'never' and endDate not to exist." in result


@pytest.mark.parametrize("contract", ["ignore", "warn", "strict"])
@pytest.mark.parametrize("version", ["v2"])  # the answers of v1 are not documented
def test_drift_is_reported_when_the_wait_is_over(
    simulator: Simulator, call: dict[str, Any], contract: str, lines: list[str]
) -> None:
    simulator.play({"do": {"drift": {"add": {"badge": "gold"}}}})
    result = ended("poke", **call, until={"path": "_id", "exists": True}, contract=contract)
    warnings = [one for one in lines if "differs from 360Learning's documentation: unknown" in one]
    if contract == "strict":
        assert result.startswith("ContractError")
    else:
        assert result["_id"] == SESSION
        assert bool(warnings) == (contract == "warn")


def test_answer_larger_than_allowed_is_an_error(simulator: Simulator, call: dict[str, Any]) -> None:
    arguments = {**call, "until": {"path": "_id", "exists": True}}
    assert "more than max_xcom_bytes=10" in ended("poke", **arguments, max_xcom_bytes=10)


def test_operation_of_the_other_version_is_refused_with_its_counterpart(
    version: str, monkeypatch: pytest.MonkeyPatch, simulator: Simulator, call: dict[str, Any]
) -> None:
    connect(monkeypatch, simulator, "v1" if version == "v2" else "v2")
    other = "get-program-session-v1" if version == "v2" else "get-path-session"
    assert other in ended("poke", **call, until=NEVER)


@pytest.mark.parametrize("version", ["v2"])
@pytest.mark.parametrize("times", [1, 3])
def test_deferred_task_compares_with_its_first_poll_whatever_its_parameters_are(
    simulator: Simulator, call: dict[str, Any], times: int
) -> None:
    """Also if an outage lets the trigger make that poll."""
    simulator.play({"when": {"times": times}, "do": {"status": 503}})
    since = {"modifiedAt[gte]": datetime(2001, 1, 1, tzinfo=UTC), "sessionId[in]": {SESSION, "5e" * 12}}
    thread = later(simulator, lambda: simulator.edit(SESSION, startDate=NEW_START), polls=8)
    until = [{"path": "$[*].startDate", "changed": True}, {"path": "$[0]._id", "equals": SESSION}]
    (pushed,) = ended("defer", operation="list-path-sessions", parameters=since, until=until)
    thread.join()
    assert pushed["startDate"] == NEW_START


@pytest.mark.parametrize("remembers", [True, False], ids=["task state store", "no store"])
def test_change_right_after_the_first_poll_of_a_trigger_is_found(
    simulator: Simulator, call: dict[str, Any], remembers: bool
) -> None:
    """The trigger ends at once: what it found must survive its death. Its event takes it along to the task."""
    context: Any = {"ti": TaskInstance(), **({"task_state_store": Store()} if remembers else {})}
    arguments = {**call, "until": {"path": "startDate", "changed": True}, "deferrable": True, "timeout": 60}
    simulator.play({"when": {"times": 1}, "do": {"status": 503}})
    with pytest.raises(TaskDeferred) as deferral:
        LearningOperationSensor(task_id="wait", **arguments, poke_interval=0.01).execute(context)
    _, stored = deferral.value.trigger.serialize()
    assert stored["fingerprints"] is None
    event = asyncio.run(first_event(stored))
    assert (event["kind"], len(event["fingerprints"]["values"])) == ("poll", 1)
    simulator.edit(SESSION, startDate=NEW_START)
    resumed = LearningOperationSensor(task_id="wait", **arguments)
    assert resumed.resume_execution("execute_complete", {"event": event}, context)["startDate"] == NEW_START


@pytest.mark.parametrize("version", ["v2"])
def test_trigger_evaluates_paths_in_a_thread(
    simulator: Simulator, call: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []
    real = AnswerPath.find

    def find(self: AnswerPath, answer: Any) -> list[Any]:
        threads.append(threading.current_thread())
        return real(self, answer)

    monkeypatch.setattr(AnswerPath, "find", find)
    stored = {**call, "until": [{"path": "_id", "exists": True}], "learning_conn_id": "learning360_default"}
    assert asyncio.run(first_event({**stored, "poke_interval": 0.01}))["kind"] == "poll"
    assert threads
    assert threading.main_thread() not in threads


PATH_ID = "60b8d2956e20ae1a0f8e44f1"
READ: dict[str, Any] = {"operation": "get-path", "parameters": {"pathId": PATH_ID}, "until": NEVER}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"operation": "get-paht"}, "get-path"),
        ({"operation": "delete-path"}, "Use LearningOperationOperator"),
        ({"parameters": {"pathID": PATH_ID}}, "did you mean pathId"),
        ({"parameters": {"pathId": "x"}}, "an ID"),
        ({"until": {"path": "status", "equal": "x"}}, "^until: there is no condition 'equal'.*did you mean equals"),
        ({"until": {"path": "$.[", "equals": "x"}}, "^until.path: .* at character 3"),
        ({"until": {"path": "nmae", "equals": "x"}}, "^until.path: nmae does not fit .*did you mean name"),
        ({"until": {"path": "$[0].name", "equals": "x"}}, "^until.path: .* an object has no numbered items"),
        (
            {"operation": "list-paths", "parameters": None, "until": NEVER},
            r"a list has no field name; write \$\[\*\].name",
        ),
        ({"until": []}, "^until: "),
        ({"pages": 0}, "^pages: 0"),
        ({"pages": 2}, "^pages: get-path has no pages"),
        ({"pages": "some"}, "^pages: 'some'"),
        ({"fields": ["nmae"]}, "^fields: 'nmae'.*did you mean name"),
        ({"on_missing": "ignore"}, "^on_missing: "),
        ({"max_failures": -1}, "^max_failures: "),
    ],
)
def test_arguments_are_checked_when_the_dag_is_parsed(arguments: dict[str, Any], problem: str) -> None:
    with pytest.raises(FixArgumentError, match=problem):
        LearningOperationSensor(task_id="wait", **{**READ, **arguments})
    with pytest.raises(FixArgumentError, match=problem):
        LearningOperationSensor.partial(task_id="wait", **{**READ, **arguments})


def test_templates_are_allowed_and_checked_when_they_are_rendered(simulator: Simulator, call: dict[str, Any]) -> None:
    def make(expected: str, path: str = "{{ params.path }}") -> LearningOperationSensor:
        with DAG("templates", schedule=None):
            return LearningOperationSensor(task_id="wait", **call, until={"path": path, "equals": expected}, timeout=5)

    values: Any = {"params": {"path": "_id", "id": SESSION, "wrong": "$.["}}
    sensor = make("{{ params.id }}")
    sensor.render_template_fields(values)
    assert sensor.execute({"ti": TaskInstance()})["_id"] == SESSION  # type: ignore[typeddict-item]
    for wrong, problem in (
        (make("{{ none }}"), r"^until: the template .* gave nothing"),
        (make("x", "{{ params.wrong }}"), r"^until.path: .* at character 3"),
    ):
        wrong.render_template_fields(values)
        with pytest.raises(FixArgumentError, match=problem):
            wrong.execute({"ti": TaskInstance()})  # type: ignore[typeddict-item]


def test_stored_fingerprints_of_another_call_are_not_used(simulator: Simulator, call: dict[str, Any]) -> None:
    """The author may have changed the conditions between two tries."""
    store = Store()
    context: dict[str, Any] = {"ti": TaskInstance(), "task_state_store": store}
    first = LearningOperationSensor(task_id="wait", **call, until={"path": "startDate", "changed": True})
    assert first.poke(context) is False  # type: ignore[arg-type]
    assert set(store.rows) == {"learning360_fingerprints"}
    second = LearningOperationSensor(task_id="wait", **call, until={"path": "endDate", "changed": True})
    assert second.poke(context) is False  # type: ignore[arg-type]
