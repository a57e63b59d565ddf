"""The commands over API v2: what the credentials may read, and one session in both versions side by side."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from airflow_provider_learning360.api.differences import DIFFERENCES
from airflow_provider_learning360.api.fields import PATH_FIELDS_V2, SESSION_FIELDS_V2, known_fields
from airflow_provider_learning360.cli.__main__ import main
from airflow_provider_learning360.simulator import Simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COMPANY = "5f8d3e2a1b4c6d7e8f9a0b1c"
BOTH = ("--v1", "before", "--v2", "after")
OWN = {*SESSION_FIELDS_V2, *PATH_FIELDS_V2}
Command = Any


@pytest.fixture
def simulator(request: pytest.FixtureRequest) -> Iterator[Simulator]:
    """A simulator; `parametrize("simulator", [{...}], indirect=True)` configures it."""
    with Simulator(**{"sessions": 3, "learners": 3, "company_id": COMPANY, **getattr(request, "param", {})}) as one:
        yield one


@pytest.fixture
def command(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run a command, with connections to the simulator; return exit status, standard output and standard error."""
    company = simulator.company_id, simulator.api_key
    client = simulator.client_id, simulator.client_secret
    for conn_id, (login, password), extra in (
        ("before", company, {}),
        ("after", client, {"api_version": "v2"}),
        ("company_keys", company, {"api_version": "v2"}),
        ("client_keys", client, {}),
        ("no_id", ("", "x"), {"api_version": "v2"}),
    ):
        fields = {"conn_type": "learning360", "host": simulator.url, "login": login, "password": password}
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps({**fields, "extra": extra}))

    def run(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        status = 0
        try:
            main(arguments)
        except SystemExit as end:
            status = int(end.code or 0)
        out, err = capfd.readouterr()
        return status, out, err

    return run


def compare(command: Command, simulator: Simulator, *options: str) -> list[dict[str, Any]]:
    status, out, _ = command(
        "compare", simulator.session_ids[0], "--v1", "before", "--v2", "after", "-o", "json", *options
    )
    assert status == 0
    rows: list[dict[str, Any]] = json.loads(out)
    return rows


def paths(simulator: Simulator) -> list[str]:
    return [one.path for one in simulator.requests if "token" not in one.path]


# --- check ---


def test_check_lists_every_scope(command: Command) -> None:
    status, out, err = command("check", "--learning-conn-id", "after")
    assert (status, err) == (0, "")
    assert "API v2, keys by oauth2" in out
    assert "accepted client ID and client secret in" in out
    for scope in ("paths:read", "pathStats:read", "users:read", "customFields:read"):
        assert f"\n{scope:<17} is granted for " in out
    assert "@" not in out


@pytest.mark.parametrize("simulator", [{"scopes": ["paths:read", "users:read"]}], indirect=True)
def test_check_says_what_is_lost_without_a_scope(command: Command) -> None:
    status, out, err = command("check", "--learning-conn-id", "after")
    assert status == 1
    assert "paths:read        is granted" in out
    lost = err.strip().splitlines()
    assert [line.split()[0] for line in lost] == ["pathStats:read", "customFields:read"]
    assert "Lost without it: progress, completions" in lost[0]
    assert all("Grant it to the client in 360Learning" in line for line in lost)


@pytest.mark.parametrize("simulator", [{"scopes": ["users:read"]}], indirect=True)
def test_check_lists_the_scopes_although_the_first_one_is_missing(command: Command) -> None:
    status, out, err = command("check", "--learning-conn-id", "after")
    assert status == 1
    assert "users:read        is granted" in out
    assert [line.split()[0] for line in err.strip().splitlines()] == [
        *("credentials", "paths:read", "pathStats:read", "customFields:read")
    ]


def test_check_fails_if_a_scope_cannot_be_tested(command: Command, simulator: Simulator) -> None:
    simulator.play({"when": {"path": "/paths/stats$"}, "do": {"status": 418}})
    simulator.play({"when": {"path": "/custom-fields$"}, "do": {"status": 418}})
    status, _, err = command("check", "--learning-conn-id", "after")
    assert status == 1
    assert [line.split("could not")[0].strip() for line in err.strip().splitlines()] == [
        *("pathStats:read", "customFields:read")
    ]
    assert "returned 418" in err


@pytest.mark.parametrize(
    ("conn_id", "hint"),
    [
        ("company_keys", "looks like a company ID of API v1, but `api_version` is v2"),
        ("client_keys", "looks like a client ID of API v2, but `api_version` is v1"),
    ],
)
def test_check_says_that_the_keys_are_of_another_version(command: Command, conn_id: str, hint: str) -> None:
    status, _, err = command("check", "--learning-conn-id", conn_id)
    (credentials,) = err.splitlines()
    assert status == 1
    assert credentials.startswith("credentials")
    assert hint in credentials
    assert len(credentials) < 360


def test_missing_keys_have_the_names_of_the_version(command: Command) -> None:
    status, _, err = command("check", "--learning-conn-id", "no_id")
    assert status == 1
    assert "the client ID is missing (form field 'login')" in err


def test_every_line_of_check_is_one_call(command: Command, simulator: Simulator) -> None:
    for conn_id in ("before", "after"):
        simulator.forget()
        _, out, _ = command("check", "--learning-conn-id", conn_id)
        checks = [line for line in out.splitlines() if " ms" in line and not line.startswith("credentials")]
        assert len(checks) == 4
        assert len(paths(simulator)) == len(checks) + (conn_id == "after")  # the test of the keys


# --- get-session and list-sessions ---


def test_raw_prints_every_response(command: Command, simulator: Simulator) -> None:
    session_id = simulator.session_ids[0]
    status, out, err = command("get-session", session_id, "--raw", "--show-people", "--learning-conn-id", "after")
    assert (status, err) == (0, "")
    sent = json.loads(out)
    assert [one["request"].split("?")[0].removeprefix("GET ") for one in sent] == paths(simulator)
    assert sent[0]["request"].endswith(f"/paths/sessions?sessionId[eq]={session_id}")
    assert sent[0]["response"][0]["_id"] == session_id
    assert simulator.client_secret not in out


@pytest.mark.parametrize("simulator", [{"scopes": ["paths:read"]}], indirect=True)
def test_raw_fails_if_a_request_is_refused(command: Command, simulator: Simulator) -> None:
    options = ("--raw", "--show-people", "--learning-conn-id", "after")
    status, out, err = command("get-session", simulator.session_ids[0], *options)
    assert (status, out) == (1, "")
    assert "lacks the scope" in err


@pytest.mark.parametrize(("field", "requests"), [("startDate", 1), ("lang", 2), ("groups", 2)])
def test_field_asks_for_that_field_only(command: Command, simulator: Simulator, field: str, requests: int) -> None:
    session_id = simulator.session_ids[0]
    status, out, err = command("get-session", session_id, "--field", field, "--learning-conn-id", "after")
    assert (status, err) == (0, "")
    assert len(paths(simulator)) == requests
    value = simulator.session(session_id)[field]
    assert out.strip() == (value if isinstance(value, str) else json.dumps(value))


def test_fields_are_no_drift_and_not_masked(command: Command, simulator: Simulator) -> None:
    status, out, err = command("get-session", simulator.session_ids[0], "--learning-conn-id", "after")
    assert status == 0
    assert "Warning" not in err
    document = json.loads(out)
    assert document["pathId"] != "•••"
    assert document["mainInstructorId"] == document["author"] == "•••"
    assert "@" not in out


def test_start_is_a_filter_of_the_request(command: Command, simulator: Simulator) -> None:
    options = ("--learning-conn-id", "after", "--starts-after", "2020-01-01", "-o", "json")
    assert len(json.loads(command("list-sessions", *options)[1])) == 3
    (request,) = [one for one in simulator.requests if one.path.endswith("/paths/sessions")]
    assert dict(request.query)["startDate[gte]"] == "2020-01-01T00:00:00.000Z"


# --- compare ---


def test_compare_has_a_row_for_every_key(command: Command, simulator: Simulator) -> None:
    rows = compare(command, simulator)
    results = {row["key"]: row["result"] for row in rows}
    assert len(results) == len(rows)
    assert {key for key, result in results.items() if result == "only in v2"} <= OWN
    assert {key for key, result in results.items() if result == "only in v1"} == {
        *("requirements", "skills", "validateRegistrations")
    }
    assert all(results[key] == "same" for key in ("_id", "name", "startDate", "tutors", "users", "customFields"))
    why = {row["key"]: row["why"] for row in rows}
    assert why["requirements"] == "API v2 has no counterpart."
    assert why["name"] is None


def test_compare_masks_people(command: Command, simulator: Simulator) -> None:
    session = simulator.session(simulator.session_ids[0])
    names = [session["author"], *session["tutors"], *(user["mail"] for user in session["users"])]
    for output in ("table", "plain", "json", "yaml"):
        options = ("--v1", "before", "--v2", "after", "-o", output)
        _, out, err = command("compare", session["_id"], *options)
        assert [one for one in names if one in out + err] == []
        assert "--show-people shows it" in err
    masked = {row["key"]: row for row in compare(command, simulator)}
    assert masked["author"]["before"] == masked["author"]["after"] == "•••"


def test_compare_shows_people_on_request_and_records_it(
    command: Command, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded: list[Any] = []
    monkeypatch.setattr("airflow_provider_learning360.cli.compare.record_request_for_people", recorded.append)
    compare(command, simulator)
    assert recorded == []
    rows = {row["key"]: row for row in compare(command, simulator, "--show-people")}
    assert len(recorded) == 1
    assert rows["author"]["before"] == simulator.session(simulator.session_ids[0])["author"]


def test_compare_ends_with_a_summary(command: Command, simulator: Simulator) -> None:
    counts = Counter(row["result"] for row in compare(command, simulator))
    status, out, _ = command("compare", simulator.session_ids[0], "--v1", "before", "--v2", "after", "-o", "table")
    assert status == 0
    lines = out.strip().splitlines()
    words = ("same", "different", "only in v1", "only in v2")
    assert lines[-1] == ", ".join(f"{counts[word]} {word}" for word in words) + "."
    assert "skills: API v2 has no counterpart." in lines
    assert max(map(len, lines)) < 150


def test_compare_prints_only_rows_for_scripts(command: Command, simulator: Simulator) -> None:
    options = ("--v1", "before", "--v2", "after", "-o", "yaml")
    _, out, err = command("compare", simulator.session_ids[0], *options)
    assert {row["key"] for row in yaml.safe_load(out)} <= set(known_fields())
    assert " only in v2." in err


@pytest.mark.parametrize(
    ("v1", "v2", "words"),
    [
        ("after", "after", "--v1: connection 'after' uses API v2. Give a connection that uses API v1"),
        ("before", "before", "--v2: connection 'before' uses API v1. Give a connection that uses API v2"),
        ("nowhere", "after", "'nowhere' is not defined"),
    ],
)
def test_compare_refuses_connections_of_the_wrong_version(
    command: Command, simulator: Simulator, v1: str, v2: str, words: str
) -> None:
    status, out, err = command("compare", simulator.session_ids[0], "--v1", v1, "--v2", v2)
    assert (status, out) == (1, "")
    assert words in err
    assert paths(simulator) == []


def test_compare_says_that_a_session_is_missing(command: Command, simulator: Simulator) -> None:
    status, out, err = command("compare", "0" * 24, "--v1", "before", "--v2", "after")
    assert (status, out) == (1, "")
    first, second, cause = err.splitlines()
    assert first.endswith("behind connection 'before' (API v1).")
    assert second.endswith("behind connection 'after' (API v2).")
    assert cause.startswith("Check the ID")
    assert {one.path.split("/")[2] for one in simulator.requests if "token" not in one.path} == {"v1", "v2"}


@pytest.mark.parametrize(("path", "conn_id"), [("/v1/programs/sessions/", "before"), ("/v2/paths/sessions$", "after")])
def test_compare_names_the_connection_without_the_session(
    command: Command, simulator: Simulator, path: str, conn_id: str
) -> None:
    simulator.play({"when": {"path": path}, "do": {"status": 404}})
    status, out, err = command("compare", simulator.session_ids[0], "--v1", "before", "--v2", "after")
    assert (status, out) == (1, "")
    missing, cause = err.splitlines()
    assert f"behind connection '{conn_id}'" in missing
    assert "another ID in that version of the API" in cause
    assert "api_version" not in err


@pytest.mark.parametrize("simulator", [{"scopes": ["paths:read"]}], indirect=True)
@pytest.mark.parametrize("options", [("get-session", "--learning-conn-id", "after"), ("compare", *BOTH)])
def test_exclude_does_without_a_scope(command: Command, simulator: Simulator, options: tuple[str, ...]) -> None:
    name, *others = options
    arguments = [name, simulator.session_ids[0], *others, "-o", "json"]
    excluded: list[str] = []
    for _ in range(2):
        status, out, err = command(*arguments, *excluded)
        assert (status, out) == (1, "")
        keys = err.split("Or leave out the fields that need this: --exclude ")[1].strip().rstrip(".")
        excluded = ["--exclude", ",".join(filter(None, [*excluded[1:], keys]))]
    status, out, _ = command(*arguments, *excluded)
    assert status == 0
    shown = {row["key"] for row in json.loads(out)} if name == "compare" else json.loads(out).keys()
    assert "name" in shown
    assert shown.isdisjoint(excluded[1].split(","))


def test_field_has_no_way_without(command: Command, simulator: Simulator) -> None:
    arguments = ("get-session", simulator.session_ids[0], "--field", "name", "--learning-conn-id", "after")
    status, _, err = command(*arguments, "--exclude", "author")
    assert (status, "Give one of them" in err) == (2, True)
    status, _, err = command(*arguments[:3], "nmae", "--learning-conn-id", "after")
    assert status == 1
    assert "Did you mean name?" in err
    status, _, err = command(*arguments[:3], "requirements", "--learning-conn-id", "after")
    assert status == 1
    assert "This session has no requirements" in err
    assert len(err) < 240


@pytest.mark.parametrize(
    ("key", "before", "after", "shown"),
    [
        ("modules", [{"_id": "1" * 50}], [{"_id": "1" * 50}, {"_id": "2"}], ["1 modules", "2 modules"]),
        ("description", f"{'a' * 60}bc", f"{'a' * 60}c", [f"…{'a' * 15}bc", f"…{'a' * 15}c"]),
        ("description", "short", "shore", ["short", "shore"]),
        ("description", "a" * 60, "a" * 60, [f"{'a' * 39}…"] * 2),
        ("description", f"b{'a' * 60}", f"c{'a' * 60}", [f"b{'a' * 38}…", f"c{'a' * 38}…"]),
    ],
)
def test_table_shows_where_values_differ(key: str, before: Any, after: Any, shown: list[str]) -> None:
    from airflow_provider_learning360.cli.compare import _compare, _short

    one, other = {key: before}, {key: after}
    (row,) = _compare(one, other, one, other)
    cells = _short(row)
    assert [cells["before"], cells["after"]] == shown


def test_rows_for_scripts_keep_types(command: Command, simulator: Simulator) -> None:
    session = simulator.session(simulator.session_ids[0])
    for output, read in (("json", json.loads), ("yaml", yaml.safe_load)):
        rows = {row["key"]: row for row in read(command("compare", session["_id"], *BOTH, "-o", output)[1])}
        assert rows["hasUserLimit"]["before"] is session["hasUserLimit"]
        assert rows["modules"]["before"] == session["modules"]


@pytest.mark.parametrize(
    ("key", "before", "after", "result"),
    [
        ("startDate", "2026-03-01T08:00:00.000Z", "2026-03-01T09:00:00+01:00", "same"),
        ("startDate", "2026-03-01T08:00:00.000Z", "2026-03-01T09:00:00Z", "different"),
        ("programDuration", 2, 2.0, "same"),
        ("tutors", ["ann", "bob"], ["bob", "ann"], "same"),
        ("tutors", ["ann", "bob"], ["bob"], "different"),
        ("users", [{"_id": "1", "mail": "a"}, {"_id": "2"}], [{"_id": "2"}, {"mail": "a", "_id": "1"}], "same"),
        (
            "customFields",
            [{"_id": "1", "value": "2026-03-01"}],
            [{"customFieldId": "1", "value": "2026-03-01"}],
            "same",
        ),
        ("modules", [{"_id": "1"}, {"_id": "2"}], [{"_id": "2"}, {"_id": "1"}], "different"),
        ("name", "2026 and more", "2026 and more", "same"),
        ("endDate", None, "", "different"),
    ],
)
def test_values_are_compared_by_their_meaning(key: str, before: Any, after: Any, result: str) -> None:
    from airflow_provider_learning360.cli.compare import _compare

    one, other = {key: before}, {key: after}
    (row,) = _compare(one, other, one, other)
    assert row["result"] == result
    assert (row["why"] is None) == (result == "same" or key not in DIFFERENCES)


def test_differences_name_fields_only() -> None:
    assert DIFFERENCES.keys() <= set(known_fields()) - OWN
