"""The operator that lists sessions: no more memory and no more requests than its documents need."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from airflow_provider_learning360.api.errors import ContractError, NotFoundError
from airflow_provider_learning360.operators.program_session import (
    GetProgramSessionOperator,
    ListProgramSessionsOperator,
)
from simulator_process import SimulatorProcess
from versions import VERSIONS, connect, paths_of, simulated

BAR = 16_000_000  # bytes
SESSIONS = 10_000


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    version: str = request.param
    return version


def listed(**arguments: Any) -> list[dict[str, Any]]:
    return ListProgramSessionsOperator(task_id="list", **arguments).execute({"ti": object()})


def read_with_memory() -> tuple[list[dict[str, Any]], int]:
    """Return the documents, and the most bytes that were used beside them."""
    listed(name_pattern="nothing")  # what is imported and opened once does not count
    tracemalloc.start()
    try:
        documents = listed()
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return documents, peak - held


@pytest.mark.slow
def test_long_list_takes_little_memory_beside_its_documents(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with SimulatorProcess(sessions=SESSIONS, learners=20) as simulator:
        connect(monkeypatch, simulator, version, requests_per_second=1000)
        documents, beside = read_with_memory()
    assert len(documents) == SESSIONS
    assert beside < BAR


def test_only_sessions_that_match_are_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    with simulated(monkeypatch, "v2", sessions=5, learners=3) as simulator:
        first = simulator.session_ids[0]
        simulator.edit(first, name="Chosen")
        (document,) = listed(name_pattern="Chosen", fields=["description", "users", "tutors", "modifiedAt"])
        assert document == {
            name: simulator.session(first)[name] for name in ("description", "users", "tutors", "modifiedAt")
        }
        assert len([path for path in paths_of(simulator) if path.endswith("/enrollments")]) == 1


def test_failure_inside_the_body_is_retried_from_the_beginning(
    version: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with simulated(monkeypatch, version, sessions=40, learners=60) as simulator:
        connect(monkeypatch, simulator, version, retry_attempts=3, requests_per_second=1000)
        simulator.play({"when": {"path": "sessions", "times": 1}, "do": {"truncate": True}})
        capfd.readouterr()
        documents = listed(fields=["_id"])
        assert [one["_id"] for one in documents] == simulator.session_ids
        assert len([path for path in paths_of(simulator) if path.endswith("sessions")]) == 2
        assert "40 of 40 program sessions match" in capfd.readouterr().out


def test_drift_of_sessions_that_do_not_match_is_reported(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with simulated(monkeypatch, version, sessions=3, learners=1) as simulator:
        simulator.play({"do": {"drift": {"add": {"badge": 1}}}})
        with pytest.raises(ContractError, match="badge"):
            listed(name_pattern="nothing", contract="strict")


def test_list_is_read_whatever_happens_to_a_session_that_does_not_match(monkeypatch: pytest.MonkeyPatch) -> None:
    with simulated(monkeypatch, "v2", sessions=2, learners=1) as simulator:
        first = simulator.session_ids[0]
        simulator.edit(first, name="Chosen")
        simulator.play({"when": {"path": "/api/v2/paths/[0-9a-f]+$"}, "do": {"status": 404}})
        assert listed(name_pattern="nothing", fields=["description"]) == []
        with pytest.raises(NotFoundError):
            listed(name_pattern="Chosen", fields=["description"])


LACKING = {"v1": ["coverPicture", "pathId"], "v2": ["requirements", "skills"]}


@pytest.mark.parametrize("operator", [GetProgramSessionOperator, ListProgramSessionsOperator])
def test_fields_that_the_api_lacks_are_named_once(
    version: str, operator: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with simulated(monkeypatch, version, sessions=2, learners=1) as simulator:
        where = {} if operator is ListProgramSessionsOperator else {"session_id": simulator.session_ids[0]}

        def read(*fields: str, **options: Any) -> Any:
            capfd.readouterr()
            return operator(task_id="read", fields=[*fields], **where, **options).execute({"ti": object()})

        read("name", *LACKING[version])
        shown = capfd.readouterr().out
        assert shown.count(f"lacks {', '.join(LACKING[version])}: API {version} has no such field.") == 1
        read("name", "startDate")
        assert "lacks" not in capfd.readouterr().out
        read(*LACKING[version], contract="ignore")
        assert "lacks" not in capfd.readouterr().out
        with pytest.raises(ContractError, match=f"API {version} has no such field"):
            read(*LACKING[version], contract="strict")


def test_missing_zone_is_logged_once_for_each_filter(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with simulated(monkeypatch, "v2", sessions=1, learners=1), caplog.at_level("WARNING"):
        listed(starts_after="2026-03-01T08:00:00", ends_before="2099-03-01T08:00:00")
    messages = [one.getMessage() for one in caplog.records if "no time zone" in one.getMessage()]
    assert [one.split(":")[0] for one in messages] == ["starts_after", "ends_before"]


@pytest.mark.parametrize("options", [{}, {"exclude": ["users"]}])
def test_number_of_requests_is_logged_without_fields(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with simulated(monkeypatch, "v2", sessions=1, learners=1) as simulator:
        operator = GetProgramSessionOperator(task_id="get", session_id=simulator.session_ids[0], **options)
        capfd.readouterr()
        operator.execute({"ti": object()})  # type: ignore[typeddict-item]
        count = len(paths_of(simulator))
        assert f"took {count} requests" in capfd.readouterr().out
