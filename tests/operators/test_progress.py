"""The operator that reads how far learners are, against the simulator."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from airflow_provider_learning360.api.errors import FixArgumentError, NotFoundError
from airflow_provider_learning360.operators.progress import GetSessionProgressOperator
from airflow_provider_learning360.simulator import Simulator
from versions import VERSIONS, connect

pytestmark = pytest.mark.learning360_simulator(sessions=3, learners=12)


class _TaskInstance:
    map_index = -1


def read(session_id: Any, **arguments: Any) -> list[Any]:
    return GetSessionProgressOperator(task_id="progress", session_id=session_id, **arguments).execute(
        {"ti": _TaskInstance()}  # type: ignore[typeddict-item]
    )


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest, learning360_simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Any:
    connect(monkeypatch, learning360_simulator, request.param, retry_attempts=1)
    return request.param


@pytest.fixture
def session_id(learning360_simulator: Simulator) -> str:
    return learning360_simulator.session_ids[0]


def test_who_chooses_the_learners(version: str, learning360_simulator: Simulator, session_id: str) -> None:
    for learner in learning360_simulator.statistics(session_id)["usersStats"][:2]:
        learning360_simulator.finish(session_id, learner["mail"])
    everybody = read(session_id, who="all")
    completed, left = read(session_id, who="completed"), read(session_id)
    assert len(everybody) == 12
    assert len(completed) >= 2
    assert len(completed) + len(left) == 12
    assert all(one["isCompleted"] for one in completed)
    assert not any(one["isCompleted"] for one in left)
    json.dumps(everybody)


def test_late_follows_the_due_date_or_the_end(version: str, learning360_simulator: Simulator, session_id: str) -> None:
    over = {"startDate": "2020-01-01T00:00:00.000Z", "endDate": "2020-02-01T00:00:00.000Z"}
    learning360_simulator.edit(session_id, **over)
    late = read(session_id, who="late")
    assert late
    assert all(one["isLate"] and not one["isCompleted"] for one in late)
    learning360_simulator.edit(session_id, **{**over, "endDate": "2999-02-01T00:00:00.000Z"})
    assert len(read(session_id, who="late")) == 0


def test_v2_adds_user_status_and_due_date(
    learning360_simulator: Simulator, monkeypatch: pytest.MonkeyPatch, session_id: str
) -> None:
    connect(monkeypatch, learning360_simulator, "v2", retry_attempts=1)
    items = read(session_id, who="all")
    assert all(len(one["userId"]) == 24 and one["status"] for one in items)
    assert any(one["dueDate"] for one in items)
    connect(monkeypatch, learning360_simulator, "v1", retry_attempts=1)
    assert not any(one["status"] or one["dueDate"] for one in read(session_id, who="all"))


def test_log_holds_counts_and_no_people(
    version: str, session_id: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(GetSessionProgressOperator, "log", logging.getLogger("task"))
    items = read(session_id, who="all")
    left = sum(not one["isCompleted"] for one in items)
    assert f"12 learners, {12 - left} completed, {left} not completed" in caplog.text
    assert f"{sum(one['mail'] is None for one in items)} without a mail address. Returned: 12 (all)." in caplog.text
    assert not [one for one in items if (one["mail"] or "@") in caplog.text]
    assert not [one for one in items if one["lastName"] and one["lastName"] in caplog.text]


def test_large_list_is_refused(version: str, session_id: str) -> None:
    with pytest.raises(FixArgumentError, match="The progress in program session .* more than max_xcom_bytes=100"):
        read(session_id, who="all", max_xcom_bytes=100)


def test_missing_session_is_an_error(version: str) -> None:
    with pytest.raises(NotFoundError):
        read("0" * 24)


def test_unknown_choice_is_refused_when_the_dag_is_parsed(session_id: str) -> None:
    with pytest.raises(FixArgumentError, match="who: 'lates' is not one of .*; did you mean late"):
        GetSessionProgressOperator(task_id="progress", session_id=session_id, who="lates")  # type: ignore[arg-type]


def test_rendered_choice_is_checked(session_id: str) -> None:
    task = GetSessionProgressOperator(task_id="progress", session_id=session_id, who="{{ var.value.who }}")  # type: ignore[arg-type]
    task.who = "nobody"  # type: ignore[assignment]
    with pytest.raises(Exception, match="who: 'nobody' is not one of"):
        task.execute({"ti": _TaskInstance()})  # type: ignore[typeddict-item]


@pytest.mark.parametrize("version", ["v2"], indirect=True)
def test_session_is_read_once(version: str, learning360_simulator: Simulator, session_id: str) -> None:
    learning360_simulator.forget()
    assert len(read(session_id, who="all")) == 12
    paths = [one.path for one in learning360_simulator.requests]
    assert paths.count("/api/v2/paths/sessions") == 1
