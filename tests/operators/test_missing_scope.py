"""A scope that is missing for a field: the error says how the task does without, in the words of its own arguments."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_learning360.api.errors import ForbiddenError
from airflow_provider_learning360.operators.program_session import (
    GetProgramSessionOperator,
    ListProgramSessionsOperator,
)
from airflow_provider_learning360.operators.progress import GetSessionProgressOperator
from airflow_provider_learning360.sensors.session_date import SessionDateSensor
from airflow_provider_learning360.simulator import Simulator

pytestmark = pytest.mark.learning360_simulator(
    api_version="v2", sessions=1, learners=2, scopes=["paths:read", "customFields:read"], extra={"retry_attempts": 1}
)


def error_of(operator: Any) -> str:
    with pytest.raises(ForbiddenError) as caught:
        operator.execute({"ti": object()})
    return str(caught.value)


def test_get_names_exclude(learning360_simulator: Simulator) -> None:
    session_id = learning360_simulator.session_ids[0]
    text = error_of(GetProgramSessionOperator(task_id="get", session_id=session_id))
    assert text.endswith("Or leave them out: exclude=['author', 'tutors', 'users'].")
    excluded = GetProgramSessionOperator(task_id="get", session_id=session_id, exclude=["author", "tutors", "users"])
    assert excluded.execute({"ti": object()})["_id"] == session_id


def test_get_names_the_fields_that_it_has(learning360_simulator: Simulator) -> None:
    session_id = learning360_simulator.session_ids[0]
    text = error_of(GetProgramSessionOperator(task_id="get", session_id=session_id, fields=["name", "author"]))
    assert text.endswith("Or leave it out of fields: author.")


def test_list_names_fields(learning360_simulator: Simulator) -> None:
    text = error_of(ListProgramSessionsOperator(task_id="list", fields=["_id", "users"]))
    assert text.endswith("Or leave it out of fields: users.")


def test_sensor_names_exclude(learning360_simulator: Simulator) -> None:
    session_id = learning360_simulator.session_ids[0]
    sensor = SessionDateSensor(task_id="wait", session_id=session_id, anchor="startDate", before={"days": 3000})
    text = error_of(sensor)
    assert text.endswith("Or leave them out: exclude=['author', 'tutors', 'users'].")


def test_task_without_a_way_names_none(learning360_simulator: Simulator) -> None:
    text = error_of(
        GetSessionProgressOperator(task_id="progress", session_id=learning360_simulator.session_ids[0], who="all")
    )
    assert "lacks the scope pathStats:read" in text
    assert "leave" not in text
