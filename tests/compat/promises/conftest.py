"""
Create the database of the empty Airflow home, and make its DAGs folder importable; write what became of each promise.

The mark `promise` says which promise a test holds; a test without it holds the one of its module below.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

MODULES = {
    "test_commands": "commands",
    "test_memory": "memory",
    "test_operation": "operations",
    "test_page": "page",
    "test_provider": "provider found",
    "test_reminding": "reminders, with a crash",
    "test_session_writes": "operations",
    "test_watching": "watch",
    "test_yaml": "YAML",
}
AIRFLOW = tuple(int(part) for part in version("apache-airflow").split(".")[:2])
PROMISE, SENTENCE = "promise", "sentence"
FILE = os.environ.get("PROMISE_OUTCOMES")
WORST = ("failed", "refused", "kept")

Refused = Callable[..., AbstractContextManager[None]]

outcomes: dict[str, list[dict[str, str]]] = defaultdict(list)


@pytest.fixture(scope="session", autouse=True)
def _airflow_home() -> None:
    sys.path.insert(0, os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
    from airflow.utils.db import initdb

    initdb()


@pytest.fixture(scope="session", autouse=True)
def _one_api_server() -> None:
    """Build the server that `dag.test()` asks once, as Airflow does from 3.3 on. Older ones build it for each task."""
    if (3, 0) <= AIRFLOW < (3, 3):
        from airflow.api_fastapi.common.dagbag import dag_bag_from_app
        from airflow.sdk.execution_time import supervisor

        build = cache(supervisor.in_process_api_server)

        def find() -> Any:
            server = build()
            server.app.dependency_overrides.pop(dag_bag_from_app, None)
            return server

        supervisor.in_process_api_server = find


@pytest.fixture(autouse=True)
def _first_reschedule_is_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `dag.test()` of Airflow 3.0 reschedule a sensor: it passes a text where its worker passes a time."""
    if AIRFLOW == (3, 0):
        from airflow.sdk.api.client import TaskInstanceOperations
        from airflow.sdk.execution_time.comms import TaskRescheduleStartDate

        read = TaskInstanceOperations.get_reschedule_start_date
        monkeypatch.setattr(
            TaskInstanceOperations,
            "get_reschedule_start_date",
            lambda *given, **named: TaskRescheduleStartDate.model_validate(read(*given, **named).model_dump()),
        )


@pytest.fixture
def refused(record_property: Callable[[str, object], None]) -> Refused:
    """Return what expects an error, as `pytest.raises` does, and takes it as the promised one of this Airflow."""

    @contextmanager
    def expect(*errors: type[BaseException], match: str) -> Iterator[None]:
        with pytest.raises(errors, match=match) as caught:
            yield
        text = str(caught.value)
        found = re.search(match, text)
        assert found
        # Errors of YAML files have more lines: the one that says which Airflow is needed.
        start, end = text.rfind("\n", 0, found.end()) + 1, text.find("\n", found.end())
        record_property(SENTENCE, text[start : None if end < 0 else end].strip(" -"))

    return expect


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        marked = [one.args[0] for one in item.iter_markers(PROMISE)]
        module = item.path.stem
        names = marked or [MODULES[module]]
        item.user_properties += [(PROMISE, name) for name in names]


def pytest_runtest_logreport(report: Any) -> None:
    properties = report.user_properties
    if report.failed:
        outcome = {"outcome": "failed"}
    elif report.when != "call" or report.skipped:
        return
    else:
        sentences = [str(value) for name, value in properties if name == SENTENCE]
        outcome = {"outcome": "refused", "sentence": sentences[0]} if sentences else {"outcome": "kept"}
    for name, value in properties:
        if name == PROMISE:
            outcomes[value].append(outcome)


def pytest_sessionfinish(exitstatus: int) -> None:
    # Other states mean that not all tests have run.
    if FILE and exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        worst = {name: min(found, key=lambda one: WORST.index(one["outcome"])) for name, found in outcomes.items()}
        Path(FILE).write_text(json.dumps(worst))
