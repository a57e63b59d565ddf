"""Data about people is masked unless somebody asks for it, and the asking is recorded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_learning360.api.documentation import DOCUMENTATION
from airflow_provider_learning360.cli.__main__ import main
from airflow_provider_learning360.cli.people import MASK, mask_people

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_learning360.simulator import Simulator

pytestmark = pytest.mark.learning360_simulator(sessions=1, learners=3)

NOTE = "Data about people is masked."


@pytest.fixture
def get_session(learning360_simulator: Simulator, capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[str, str]]:
    """Run `get-session`; return standard output and standard error."""

    def run(*options: str) -> tuple[str, str]:
        capfd.readouterr()
        main(["get-session", learning360_simulator.session_ids[0], *options])
        out, err = capfd.readouterr()
        return out, err

    return run


GetSession = Any


def people_in(document: dict[str, Any]) -> set[str]:
    """Every text of a document that names somebody."""
    users = {
        user[name] for user in document["users"] for name in ("_id", "mail", "firstName", "lastName") if name in user
    }
    return {document["author"], *document["tutors"], *users}


@pytest.mark.parametrize("output", ["json", "yaml", "table", "plain"])
def test_people_are_masked_in_every_format(
    get_session: GetSession, learning360_simulator: Simulator, output: str
) -> None:
    document = learning360_simulator.session(learning360_simulator.session_ids[0])
    out, err = get_session("-o", output)
    assert [text for text in people_in(document) if text in out] == []
    assert document["_id"] in out
    assert NOTE in err


def test_table_shows_lists_as_json(get_session: GetSession, learning360_simulator: Simulator) -> None:
    modules = learning360_simulator.session(learning360_simulator.session_ids[0])["modules"]
    (line,) = (line for line in get_session("-o", "plain")[0].splitlines() if line.startswith("modules"))
    assert json.loads(line.removeprefix("modules")) == modules


def test_masked_document_keeps_its_shape(get_session: GetSession, learning360_simulator: Simulator) -> None:
    document = learning360_simulator.session(learning360_simulator.session_ids[0])
    masked = json.loads(get_session()[0])
    assert set(masked) == set(document)
    assert [list(user) for user in masked["users"]] == [list(user) for user in document["users"]]
    assert masked["tutors"] == [MASK] * len(document["tutors"])
    for name in ("name", "startDate", "modules", "groups"):
        assert masked[name] == document[name]


def test_field_without_people_has_no_note(get_session: GetSession) -> None:
    assert get_session("--field", "startDate")[1] == ""
    assert NOTE in get_session("--field", "author")[1]


def test_people_are_shown_on_request(get_session: GetSession, learning360_simulator: Simulator) -> None:
    document = learning360_simulator.session(learning360_simulator.session_ids[0])
    out, err = get_session("--show-people")
    assert json.loads(out) == document
    assert err == ""


@pytest.mark.parametrize(
    ("fields", "hidden", "shown"),
    [
        ({"colour": {"ann@example.com": "Ann", "size": ["x"]}}, ["Ann", "ann@", "x"], ["size"]),
        ({"description": "Ask ann@example.com"}, ["ann@"], []),
        ({"customFields": [{"_id": "5" * 24, "name": "Sponsor", "value": "Ann"}]}, ["Ann"], ["Sponsor", "5" * 24]),
        ({"modules[].type": "Ann"}, ["Ann"], []),
        ({"modules": ["Ann"]}, ["Ann"], []),
        ({"author": None, "name": "Safety", "requirements": {"courses": ["c1"]}}, [], ["null", "Safety", "c1"]),
    ],
)
def test_what_may_be_about_people_is_masked(fields: dict[str, Any], hidden: list[str], shown: list[str]) -> None:
    text = json.dumps(mask_people(fields))
    assert [word for word in hidden if word in text] == []
    assert [word for word in shown if word not in text] == []


def test_deep_nesting_is_one_mask() -> None:
    value: Any = "Ann"
    for _ in range(5000):
        value = [value]
    assert "Ann" not in json.dumps(mask_people({"colour": value}))


def test_masking_agrees_with_the_documentation() -> None:
    fields = {path: "x" for path in DOCUMENTATION if "[" not in path and "." not in path}
    masked = {name for name, value in mask_people(fields).items() if value == MASK}
    assert {name for name in fields if DOCUMENTATION[name].people} <= masked


@pytest.fixture
def audit_log(airflow_db: None) -> Callable[[], list[str]]:
    """The commands that Airflow's audit log has since the test began."""
    from sqlalchemy import select

    from airflow.models.log import Log
    from airflow.utils.session import create_session

    def commands() -> list[str]:
        with create_session() as session:
            query = select(Log.extra).where(Log.event == "cli_learning360_show_people", Log.owner.is_not(None))
            return [str(extra) for extra in session.scalars(query)]

    before = len(commands())
    return lambda: commands()[before:]


def test_request_for_people_is_in_the_audit_log(
    get_session: GetSession, audit_log: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["airflow", "learning360", "get-session", "the-id", "--show-people"])
    get_session()
    assert audit_log() == []
    get_session("--show-people")
    (entry,) = audit_log()
    assert "the-id" in entry
