"""`call`: any operation from the command line, with the care that sessions enjoy."""

from __future__ import annotations

import io
import json
import shlex
import sys
from base64 import b64decode
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from airflow_provider_learning360.api.catalogue.catalogue import find_operation, load_operations
from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.cli.answer_output import write_answer
from airflow_provider_learning360.cli.call_arguments import parse_parameters, read_body
from airflow_provider_learning360.cli.snippets import write_command
from airflow_provider_learning360.hooks.learning import LearningHook
from docs.conftest import read_pages
from operation_server import OperationServer, Reply
from versions import QUICK, connect

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_learning360.simulator import Simulator

# Sessions around the day of the run: ended ones cannot be edited.
SIMULATED: dict[str, Any] = {
    "sessions": 3,
    "learners": 3,
    "today": None,
    "api_version": "v2",
    "extra": {"retry_attempts": 2},
}
pytestmark = [pytest.mark.learning360_simulator(**SIMULATED), pytest.mark.usefixtures("learning360_simulator")]

VERSIONS = ("v1", "v2")
Command = Any
ID = "60b8d2956e20ae1a0f8e44f1"
NOTE = "Data about people is masked."
NEW_NAME = "{name: Renamed by hand}"


def sent(simulator: Simulator, *methods: str) -> list[Any]:
    """Return the requests that reached the simulator, without those for tokens."""
    found = [one for one in simulator.requests if "token" not in one.path]
    return [one for one in found if not methods or one.method in methods]


@pytest.fixture
def session(call_command: Command, learning360_simulator: Simulator) -> tuple[str, ...]:
    """The options that name a session."""
    (first, *_) = json.loads(call_command("call", "list-path-sessions")[1])
    return "-p", f"pathId={first['pathId']}", "-p", f"sessionId={first['_id']}"


@pytest.fixture
def type_in(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set what standard input holds, and whether it is a terminal."""

    def replace(text: str, *, is_terminal: bool) -> None:
        stdin = io.TextIOWrapper(io.BytesIO(text.encode()))
        stdin.isatty = lambda: is_terminal  # type: ignore[method-assign]
        monkeypatch.setattr(sys, "stdin", stdin)

    return replace


# --- reads ---


def test_answer_of_a_read_is_printed(call_command: Command, learning360_simulator: Simulator) -> None:
    status, out, err = call_command("call", "list-path-sessions", "-p", "startDate[gte]=2020-01-01T00:00:00.000Z")
    assert (status, err) == (0, "")
    assert {one["_id"] for one in json.loads(out)} == set(learning360_simulator.session_ids)
    (request,) = sent(learning360_simulator)
    assert request.query_pairs == (("startDate[gte]", "2020-01-01T00:00:00.000Z"),)


def test_formats_hold_the_same_answer(call_command: Command, session: tuple[str, ...]) -> None:
    document = json.loads(call_command("call", "get-path-session", *session)[1])
    assert yaml.safe_load(call_command("call", "get-path-session", *session, "-o", "yaml")[1]) == document
    table = call_command("call", "get-path-session", *session, "-o", "table")[1]
    assert [name for name in document if name not in table] == []


@pytest.mark.parametrize("output", ["json", "yaml", "table"])
def test_people_are_masked_in_every_format(call_command: Command, output: str) -> None:
    status, out, err = call_command("call", "list-users", "-o", output)
    assert status == 0
    assert NOTE in err
    assert "@" not in out + err
    assert "firstName" in out


def test_people_are_shown_on_request(call_command: Command, airflow_db: None) -> None:
    status, out, err = call_command("call", "list-users", "--show-people")
    assert (status, err) == (0, "")
    assert all("@" in one["mail"] for one in json.loads(out) if "mail" in one)


def test_field_of_each_item_is_on_a_line(call_command: Command, learning360_simulator: Simulator) -> None:
    status, out, _ = call_command("call", "list-path-sessions", "--field", "_id")
    assert status == 0
    assert set(out.split()) == set(learning360_simulator.session_ids)


def test_field_of_an_object_is_printed(call_command: Command, session: tuple[str, ...]) -> None:
    document = json.loads(call_command("call", "get-path-session", *session)[1])
    assert call_command("call", "get-path-session", *session, "--field", "name")[1] == document["name"] + "\n"
    ids = call_command("call", "get-path-session", *session, "--field", "instructorIds")[1]
    assert json.loads(ids) == document["instructorIds"]
    status, out, err = call_command("call", "get-path-session", *session, "--field", "rootSessionId")
    assert (status, out) == (1, "")
    assert "This answer has no rootSessionId" in err


@pytest.mark.learning360_simulator(**SIMULATED, page_size=2)
def test_one_page_is_read_and_the_rest_is_named(call_command: Command, learning360_simulator: Simulator) -> None:
    status, out, err = call_command("call", "list-path-sessions")
    assert (status, len(json.loads(out))) == (0, 2)
    assert err == "There are more pages. --pages all reads them, --pages 5 at most five.\n"
    status, out, err = call_command("call", "list-path-sessions", "--pages", "all")
    assert (status, err) == (0, "")
    assert {one["_id"] for one in json.loads(out)} == set(learning360_simulator.session_ids)


def test_drift_is_a_warning(call_command: Command, learning360_simulator: Simulator) -> None:
    learning360_simulator.play({"do": {"drift": {"add": {"colour": "blue"}}}})
    status, out, err = call_command("call", "list-path-sessions")
    assert status == 0
    assert err.startswith("Warning: The answer of list-path-sessions differs from 360Learning's documentation: ")
    assert "colour" in err
    assert "colour" in out


def test_dry_run_of_a_read_sends_nothing(call_command: Command, learning360_simulator: Simulator) -> None:
    mails = ("-p", "mail[in]=ann@example.com", "-p", "mail[in]=bob@example.com")
    status, out, err = call_command("call", "list-users", *mails, "--dry-run")
    assert status == 0
    assert json.loads(out) == {
        "method": "GET",
        "url": f"{learning360_simulator.url}/api/v2/users?mail[in][0]=•••&mail[in][1]=•••",
        "body": None,
    }
    assert err.splitlines()[0] == "Nothing was sent."
    assert NOTE in err
    assert learning360_simulator.requests == []


# --- writes ---


def test_write_is_shown_and_sent_after_a_yes(
    call_command: Command, session: tuple[str, ...], type_in: Callable[..., None], learning360_simulator: Simulator
) -> None:
    type_in("y\n", is_terminal=True)
    status, out, err = call_command("call", "edit-path-session", *session, "--body", NEW_NAME)
    assert status == 0
    assert f"PATCH {learning360_simulator.url}/api/v2/paths/" in err
    assert '"name": "Renamed by hand"' in err
    assert "Beware: " in err
    assert "Send it? [y/N]" in err
    assert json.loads(out)["name"] == "Renamed by hand"
    assert len(sent(learning360_simulator, "PATCH")) == 1


@pytest.mark.parametrize("typed", ["n\n", "\n", "", "maybe\n"])
def test_write_is_not_sent_without_a_yes(
    call_command: Command,
    session: tuple[str, ...],
    type_in: Callable[..., None],
    learning360_simulator: Simulator,
    typed: str,
) -> None:
    type_in(typed, is_terminal=True)
    status, out, err = call_command("call", "edit-path-session", *session, "--body", NEW_NAME)
    assert (status, out) == (1, "")
    assert err.endswith("Nothing was sent.\n")
    assert sent(learning360_simulator, "PATCH") == []


def test_interrupt_is_no_yes(
    call_command: Command,
    session: tuple[str, ...],
    type_in: Callable[..., None],
    learning360_simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupt() -> str:
        raise KeyboardInterrupt

    type_in("", is_terminal=True)
    monkeypatch.setattr(sys.stdin, "readline", interrupt)
    status, out, err = call_command("call", "edit-path-session", *session, "--body", NEW_NAME)
    assert (status, out) == (1, "")
    assert err.endswith("Nothing was sent.\n")
    assert sent(learning360_simulator, "PATCH") == []


def interrupt_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(LearningHook, "run_plan", interrupt)


def test_interrupted_write_says_how_to_find_out(
    call_command: Command, session: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_calls(monkeypatch)
    status, out, err = call_command("call", "edit-path-session", *session, "--body", NEW_NAME, "--yes")
    assert (status, out) == (130, "")
    assert err == (
        "Interrupted. edit-path-session may have been carried out: the request may have been sent. Find out with the "
        "operation get-path-session. If it was not carried out, send edit-path-session again.\n"
    )


@pytest.mark.parametrize(
    "command", [("call", "list-path-sessions"), ("get-session", ID), ("list-sessions",)], ids=lambda one: one[0]
)
def test_interrupted_read_ends_in_one_line(
    call_command: Command, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_calls(monkeypatch)
    assert call_command(*command) == (130, "", "Interrupted.\n")


def test_unknown_outcome_of_a_command_names_no_task(call_command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    created = ("call", "create-group", "--body", f"{{name: Night shift, parentId: {ID}, public: false}}", "--yes")
    with OperationServer({"POST /api/v2/groups": [Reply(end="close")]}) as server:
        connect(monkeypatch, server, "v2", **QUICK)
        status, _, err = call_command(*created)
    assert status == 1
    assert "The request may or may not have been carried out" in err
    assert err.endswith("If it was not carried out, send create-group again.\n")


def test_write_is_refused_without_a_terminal(
    call_command: Command, session: tuple[str, ...], type_in: Callable[..., None], learning360_simulator: Simulator
) -> None:
    type_in("y\n", is_terminal=False)
    status, out, err = call_command("call", "edit-path-session", *session, "--body", NEW_NAME)
    assert (status, out) == (2, "")
    assert "Add --yes to send it" in err
    assert sent(learning360_simulator, "PATCH") == []
    status, out, _ = call_command("call", "edit-path-session", *session, "--body", NEW_NAME, "--yes")
    assert (status, json.loads(out)["name"]) == (0, "Renamed by hand")


def test_dry_run_of_a_write_sends_nothing(
    call_command: Command, session: tuple[str, ...], learning360_simulator: Simulator
) -> None:
    status, out, err = call_command("call", "edit-path-session", *session, "--body", NEW_NAME, "--dry-run", "--yes")
    assert (status, err) == (0, "Nothing was sent.\n")
    assert json.loads(out)["body"] == {"name": "Renamed by hand"}
    assert sent(learning360_simulator, "PATCH") == []


def test_page_shows_what_a_dry_run_prints(call_command: Command, learning360_simulator: Simulator) -> None:
    page = read_pages()["docs/how-to/command-line.md"]
    (line,) = [one for one in page.commands() if " call " in one and "--dry-run" in one]
    words = shlex.split(line.removeprefix("airflow learning360 "))
    out = call_command(*words[: words.index("--learning-conn-id")])[1]
    assert [out.replace(learning360_simulator.url, "https://app.360learning.com")] == page.blocks("text")


def test_write_that_replaces_a_collection_needs_the_word(
    call_command: Command, session: tuple[str, ...], learning360_simulator: Simulator
) -> None:
    command = ("call", "replace-path-session-audience", *session, "--body", "{mode: manual, filters: []}", "--yes")
    status, out, err = call_command(*command)
    assert (status, out) == (2, "")
    assert "replaces the audience of the session: everything that is not in the body is removed. Add --replace" in err
    assert sent(learning360_simulator, "PUT") == []
    assert call_command(*command, "--replace")[0] == 0
    assert len(sent(learning360_simulator, "PUT")) == 1


def test_people_in_a_body_are_masked(call_command: Command, airflow_db: None) -> None:
    body = json.dumps({"mail": "ann@example.com", "firstName": "Ann", "membership": {"groupId": ID, "role": "learner"}})
    command = ("call", "create-user", "--body", body, "--dry-run")
    _, out, err = call_command(*command)
    assert json.loads(out)["body"] == {
        "mail": "•••",
        "firstName": "•••",
        "membership": {"groupId": ID, "role": "learner"},
    }
    assert NOTE in err
    assert json.loads(call_command(*command, "--show-people")[1])["body"] == json.loads(body)


def test_password_in_a_body_is_masked(call_command: Command) -> None:
    body = "{password: correct horse, passwordMustBeChanged: true}"
    _, out, _ = call_command("call", "replace-user-password", "-p", f"userId={ID}", "--body", body, "--dry-run")
    assert "horse" not in out


@pytest.mark.learning360_simulator(**{**SIMULATED, "api_version": "v1", "extra": {}})
def test_mail_address_in_a_path_is_masked(call_command: Command, learning360_simulator: Simulator) -> None:
    _, out, _ = call_command("call", "get-user-v1", "-p", "user_email_or_id=ann@example.com", "--dry-run")
    assert json.loads(out)["url"] == f"{learning360_simulator.url}/api/v1/users/•••"


@pytest.mark.parametrize(("operation", "attempts"), [("create-path-session", 1), ("edit-path-session", 2)])
def test_write_is_repeated_only_if_twice_is_the_same_as_once(
    call_command: Command,
    session: tuple[str, ...],
    learning360_simulator: Simulator,
    operation: str,
    attempts: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("random.random", lambda: 0.0)
    method = find_operation(operation).method
    learning360_simulator.play({"when": {"path": "/sessions", "method": method}, "do": {"status": 500}})
    body = json.dumps(find_operation(operation).data["example"]["body"])
    named = session if operation == "edit-path-session" else session[:2]
    status, out, err = call_command("call", operation, *named, "--body", body, "--yes")
    assert (status, out) == (1, "")
    assert "500" in err
    assert len(sent(learning360_simulator, method)) == attempts


@pytest.mark.breaks_contract("the contract of the tests has no bulk operations")
@pytest.mark.parametrize("last", [ID, "$(id)", ""])
def test_work_that_is_done_later_is_named(call_command: Command, learning360_simulator: Simulator, last: str) -> None:
    where = f"/api/v2/bulk/operations/{last}"
    answer = {"status": 202, "headers": {"Location": where}, "body": None}
    learning360_simulator.play({"when": {"path": "/bulk/"}, "do": answer})
    body = json.dumps({"input": [{"userId": ID, "groupId": ID, "role": "learner"}]})
    status, _, err = call_command("call", "bulk-add-users-to-groups", "--body", body, "--yes")
    assert status == 0
    assert (f"airflow learning360 call get-bulk-operation -p bulkOperationId={ID}" in err) is (last == ID)
    assert "$(id)" not in err


@pytest.mark.parametrize(
    "version",
    [
        pytest.param(one, marks=pytest.mark.learning360_simulator(**{**SIMULATED, "api_version": one}))
        for one in VERSIONS
    ],
)
def test_ready_command_of_every_operation_works(
    call_command: Command,
    learning360_simulator: Simulator,
    version: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("path/to").mkdir(parents=True)
    Path("path/to/file").write_bytes(b"a picture")
    for operation in load_operations().values():
        if operation.version == version:
            words = shlex.split(write_command(operation).replace("\\\n", " "))[2:]
            status, out, err = call_command(*words, "--dry-run")
            assert (status, err.splitlines()[0]) == (0, "Nothing was sent."), operation
            assert json.loads(out)["method"] == operation.method
    assert learning360_simulator.requests == []


@pytest.mark.breaks_contract("the contract of the tests has no files")
def test_file_is_masked_or_printed_in_base64(
    call_command: Command, learning360_simulator: Simulator, airflow_db: None
) -> None:
    learning360_simulator.play({"when": {"path": "/pdf$"}, "do": {"status": 200, "body": {"kind": "certificate"}}})
    command = ("call", "get-user-certificate-pdf", "-p", f"userId={ID}", "-p", f"certificateId={ID}")
    assert json.loads(call_command(*command)[1])["base64"] == "•••"
    status, out, _ = call_command(*command, "--show-people", "--field", "base64")
    assert (status, json.loads(b64decode(out))) == (0, {"kind": "certificate"})


@pytest.mark.breaks_contract("the contract of the tests has no files")
def test_file_is_sent_and_shown_by_its_name(
    call_command: Command, learning360_simulator: Simulator, tmp_path: Path, airflow_db: None
) -> None:
    learning360_simulator.play({"when": {"path": "/media"}, "do": {"status": 204, "body": None}})
    file = tmp_path / "photo.png"
    file.write_bytes(b"a picture")
    command = ("call", "upload-user-media", "-p", f"userId={ID}", "--body", json.dumps({"profileImage": str(file)}))
    shown = json.loads(call_command(*command, "--dry-run", "--show-people")[1])
    assert shown["body"] == {"profileImage": str(file)}
    assert call_command(*command, "--yes")[0] == 0
    (request,) = sent(learning360_simulator, "POST")
    assert b"a picture" in request.body


# --- the audit log ---


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (
            [
                *("replace-user-password", "-p", f"userId={ID}", "--dry-run"),
                *("--body", "{password: correct horse, passwordMustBeChanged: true}"),
            ],
            f"userId={ID}",
        ),
        (["list-users", "-p", "mail[in]=horse@example.com"], "mail[in]="),
        (["list-users", "--param=mail[in]=horse@example.com", "-p", "status[eq]=active"], "mail[in]="),
    ],
)
def test_audit_log_has_no_body_and_nobody(
    call_command: Command, airflow_db: None, monkeypatch: pytest.MonkeyPatch, options: list[str], shown: str
) -> None:
    from sqlalchemy import select

    from airflow.models.log import Log
    from airflow.utils.session import create_session

    options = ["call", *options, "--show-people"]
    monkeypatch.setattr("sys.argv", ["airflow", "learning360", *options])
    call_command(*options)
    with create_session() as database:
        query = select(Log.extra).where(Log.event == "cli_learning360_show_people").order_by(Log.id.desc())
        entry = str(database.scalars(query).first())
    assert options[1] in entry
    assert shown in entry
    assert "horse" not in entry


# --- wrong arguments ---


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["list-userz"], "did you mean list-users?"),
        (["list-users", "-p", "mal[in]=x"], "did you mean mail[in]?"),
        (["list-users", "-p", "status[eq]=activ"], "did you mean active?"),
        (["list-users", "-p", "status"], "-p: 'status' has no value. Write KEY=VALUE."),
        (["list-users", "-p", "status[eq]=active", "-p", "status[eq]=invited"], "'status[eq]' is given twice"),
        (["get-user"], "parameters.userId: it is missing"),
        (["get-user", "-p", "userId=42"], "'42' is not an ID"),
        (["list-users", "--field", "mial"], "did you mean mail?"),
        (["list-users", "--pages", "0"], "--pages: '0' is neither a whole number, 1 or more, nor 'all'."),
        (["list-users", "--body", "{}"], "the operation takes no body"),
        (["edit-path-session", "-p", f"pathId={ID}", "-p", f"sessionId={ID}"], "body: it is missing"),
        (["edit-user", "-p", f"userId={ID}", "--body", "{firstNmae: x}"], "did you mean firstName?"),
        (["upload-user-media", "-p", f"userId={ID}", "--body", "{profileImage: a.png}"], "'a.png' cannot be read"),
        (["create-tag", "--body", "@missing.json"], "--body: missing.json cannot be read: No such file"),
        (["create-tag", "--body", "{name: x, name: y}"], "--body: duplicate key 'name'"),
        (["list-users", "--field", "mail", "-o", "json"], "Give one of them"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_sent(
    call_command: Command, learning360_simulator: Simulator, arguments: list[str], words: str
) -> None:
    status, out, err = call_command("call", *arguments)
    assert (status, out) == (2, "")
    assert err.startswith("Error: ")
    assert len(err.splitlines()) == 1
    assert words in err
    assert learning360_simulator.requests == []


def test_operation_of_the_other_version_is_refused_with_its_counterpart(
    call_command: Command, learning360_simulator: Simulator
) -> None:
    status, out, err = call_command("call", "list-users-v1")
    assert (status, out) == (1, "")
    assert "Use list-users instead" in err
    assert learning360_simulator.requests == []


@pytest.mark.learning360_simulator(**SIMULATED, scopes=["paths:read"])
def test_error_of_the_api_is_a_sentence(call_command: Command) -> None:
    status, out, err = call_command("call", "list-users")
    assert (status, out) == (1, "")
    assert err.startswith("Error: ")
    assert "users:read" in err


# --- parameters and body ---


@pytest.mark.parametrize(
    ("operation", "texts", "parameters"),
    [
        ("list-users", ["mail[in]=a@x.org", "mail[in]=b@x.org"], {"mail[in]": ["a@x.org", "b@x.org"]}),
        ("list-users", ['mail[in]=["a@x.org", "b@x.org"]'], {"mail[in]": ["a@x.org", "b@x.org"]}),
        ("list-users", ["mail[in]=[a"], {"mail[in]": ["[a"]}),
        ("list-users-v1", ["deleted=true"], {"deleted": True}),
        ("list-users-v1", ["deleted=perhaps"], {"deleted": "perhaps"}),
        ("get-user-v1", ["user_email_or_id=a=b"], {"user_email_or_id": "a=b"}),
        ("list-users", ["nothing=1"], {"nothing": "1"}),
    ],
)
def test_parameters_have_the_types_of_the_operation(
    operation: str, texts: list[str], parameters: dict[str, Any]
) -> None:
    assert parse_parameters(find_operation(operation), texts) == parameters


def test_body_comes_from_a_text_a_file_or_standard_input(tmp_path: Path, type_in: Callable[..., None]) -> None:
    file = tmp_path / "body.yaml"
    file.write_text("name: Safety\non: yes\n")
    type_in('{"name": "Safety"}', is_terminal=False)
    assert read_body(None) is None
    assert read_body('{"name":\t"Safety"}') == read_body("{name: Safety}") == read_body("-") == {"name": "Safety"}
    assert read_body(f"@{file}") == {"name": "Safety", "on": "yes"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "--body: line 1"),
        ("[" * 100, "nested more than"),
        ("x" * 2_000_000, "longer than 1 MiB"),
        ("@/dev/zero", "not a regular file"),
        ("\udcff", "--body: "),
    ],
)
def test_body_that_cannot_be_read_is_refused(text: str, words: str) -> None:
    with pytest.raises(FixArgumentError, match=words):
        read_body(text)


def test_standard_input_is_bounded(type_in: Callable[..., None]) -> None:
    type_in("é" * 1_000_000, is_terminal=False)
    with pytest.raises(FixArgumentError, match="longer than 1 MiB"):
        read_body("-")
    assert sys.stdin.buffer.read(1)


def test_name_of_a_file_without_an_at_sign_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("body.json").write_text("{}")
    with pytest.raises(FixArgumentError, match="Write --body @body.json"):
        read_body("body.json")


def test_table_of_a_list_has_the_fields_that_are_no_lists(capsys: pytest.CaptureFixture[str]) -> None:
    write_answer([{"_id": "1", "tags": ["x"]}, {"_id": "2", "size": 3}], "table")
    header, _, *rows = capsys.readouterr().out.splitlines()
    assert [one.strip() for one in header.split("|")] == ["_id", "size"]
    assert [[cell.strip() for cell in row.split("|")] for row in rows[:2]] == [["1", ""], ["2", "3"]]
    write_answer(["a", "b"], "table")
    assert capsys.readouterr().out.split()[0] == "value"
