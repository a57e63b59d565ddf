"""Values in Airflow variables: names, owners, and failures that are no missing values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import (
    DeleteVariable,
    ErrorResponse,
    GetDRCount,
    GetVariable,
    PutVariable,
    VariableResult,
)

from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.memory import task_store
from airflow_provider_learning360.memory.task_store import find_task_store
from airflow_provider_learning360.memory.variables import VariableStore, build_name
from airflow_provider_learning360.operators.sent_request import SentRequest
from airflow_provider_learning360.reminders.ledger import TaskDeliveryLedger

if TYPE_CHECKING:
    from airflow_provider_learning360.memory.variables import TaskOwner

OWNER: TaskOwner = {"dag_id": "remind", "run_id": "r1", "task_id": "send", "map_index": 3}
MISSING = ErrorResponse(error=ErrorType.VARIABLE_NOT_FOUND)


class Supervisor:
    """The other end of a task's messages."""

    def __init__(self) -> None:
        self.rows: dict[str, str | None] = {}
        self.asked: list[Any] = []
        self.failures: list[ErrorResponse] = []  # what the next reads get instead
        self.is_database_down = False

    def send(self, message: Any) -> Any:
        self.asked.append(message)
        if isinstance(message, PutVariable):
            self.rows[message.key] = message.value
        elif isinstance(message, DeleteVariable):
            self.rows.pop(message.key, None)
        elif isinstance(message, GetVariable):
            if self.failures:
                return self.failures.pop(0)
            if self.is_database_down:
                return MISSING
            found = self.rows.get(message.key)
            return MISSING if found is None else VariableResult(key=message.key, value=found)
        elif isinstance(message, GetDRCount) and self.is_database_down:
            raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR))
        return None


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    one = Supervisor()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", one, raising=False)
    return one


def test_value_is_found_by_another_process_of_the_same_task(supervisor: Supervisor) -> None:
    VariableStore(OWNER).set("learning360_watermark", {"modifiedAt": "2026-01-01"})
    assert VariableStore(dict(OWNER)).get("learning360_watermark") == {"modifiedAt": "2026-01-01"}  # type: ignore[arg-type]
    for other in ({"map_index": 4}, {"run_id": "r2"}, {"task_id": "x"}, {"dag_id": "x"}):
        assert VariableStore({**OWNER, **other}).get("learning360_watermark") is None  # type: ignore[typeddict-item]
    VariableStore(OWNER).delete("learning360_watermark")
    assert VariableStore(OWNER).get("learning360_watermark", "none") == "none"
    assert supervisor.rows == {}


def test_variable_names_its_owner_for_the_clean_up(supervisor: Supervisor) -> None:
    VariableStore(OWNER).set("learning360_mails_0", ["a1"], forever=True)
    ((name, text),) = supervisor.rows.items()
    assert name.startswith("learning360_memory__")
    assert name.endswith("__mails_0")
    stored = json.loads(text or "")
    assert (stored["owner"], stored["value"], stored["forever"]) == (OWNER, ["a1"], True)


def test_name_is_short_enough_for_airflow_whatever_the_ids() -> None:
    long: TaskOwner = {"dag_id": "d" * 250, "run_id": "r" * 250, "task_id": "t" * 250, "map_index": 10**6}
    assert len(build_name(long, "learning360_read_0123456789abcdef_07_aside")) <= 250


def test_database_that_fails_for_a_moment_is_no_missing_value(supervisor: Supervisor) -> None:
    """The API server of Airflow 3.0 to 3.2 says "not found" if its database does not respond."""
    VariableStore(OWNER).set("learning360_watermark", 1)
    supervisor.failures = [MISSING]
    assert VariableStore(OWNER).get("learning360_watermark") == 1


def test_database_that_is_down_is_an_error(supervisor: Supervisor) -> None:
    VariableStore(OWNER).set("learning360_watermark", 1)
    supervisor.is_database_down = True
    with pytest.raises(AirflowRuntimeError):
        VariableStore(OWNER).get("learning360_watermark")


def test_failure_is_raised(supervisor: Supervisor) -> None:
    supervisor.failures = [ErrorResponse(error=ErrorType.API_SERVER_ERROR)]
    with pytest.raises(AirflowRuntimeError):
        VariableStore(OWNER).get("learning360_watermark", "none")


@pytest.mark.parametrize("text", ["[]", "", "{", "[" * 100_000])
def test_edited_variable_is_an_error_that_names_it(supervisor: Supervisor, text: str) -> None:
    name = build_name(OWNER, "learning360_watermark")
    supervisor.rows[name] = text
    with pytest.raises(ValueError, match=f"{name} was not written by this provider, or was edited"):
        VariableStore(OWNER).get("learning360_watermark")


def test_old_airflow_3_0_is_refused_with_the_version_to_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", object(), raising=False)
    with pytest.raises(FixArgumentError, match=r"from Airflow 3\.0\.6 on"):
        VariableStore(OWNER).get("learning360_watermark")


def test_task_below_3_3_gets_variables(supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_store, "HAS_STATE_STORE", False)
    task = type("TaskInstance", (), dict(OWNER))()
    find_task_store({"ti": task}).set("learning360_failures", 2)
    assert list(supervisor.rows) == [build_name(OWNER, "learning360_failures")]


class StateStore(dict[str, Any]):
    """The accessor of Airflow's own store of a task."""

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        self[key] = value

    def delete(self, key: str) -> None:
        self.pop(key, None)


def test_retry_after_an_upgrade_to_3_3_finds_what_the_try_before_stored(supervisor: Supervisor) -> None:
    """A second mail, or a second request, would be sent otherwise."""
    TaskDeliveryLedger(VariableStore(OWNER)).record({"a": "sent"})
    VariableStore(OWNER).set("learning360_sent_request", {"state": "sending"})
    task = type("TaskInstance", (), {**OWNER, "try_number": 2})()
    context: Any = {"ti": task, "task_state_store": StateStore()}
    ledger = TaskDeliveryLedger(find_task_store(context))
    assert ledger.find_state("a") == "sent"
    ledger.record({"b": "sent"})
    again = TaskDeliveryLedger(find_task_store(context))
    assert (again.find_state("a"), again.find_state("b")) == ("sent", "sent")
    request = SentRequest(context)
    assert request.is_open
    request.forget()
    assert not SentRequest(context).is_open
    assert list(context["task_state_store"]) == ["learning360_mails_1"]


def test_first_try_on_3_3_asks_for_no_variable(supervisor: Supervisor) -> None:
    task = type("TaskInstance", (), {**OWNER, "try_number": 1})()
    assert find_task_store({"ti": task, "task_state_store": StateStore()}).get("learning360_watermark") is None
    assert supervisor.asked == []
