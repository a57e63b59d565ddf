"""`plan-reminders`: who would get what, when, and why not."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from airflow_provider_learning360.cli.__main__ import main
from airflow_provider_learning360.testing.factories import learners, session_document
from versions import ONE_IN_THE_LOOP, connect

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_learning360.simulator import Simulator

pytestmark = pytest.mark.learning360_simulator(sessions=2, learners=3)

ID = "60b8d2956e20ae1a0f8e44f2"
AT = "2026-03-01T10:00"
RULES: list[dict[str, Any]] = [
    {"name": "start", "anchor": "startDate", "before": {"days": 1}, "audience": ["learners", "tutors"]},
    {"name": "ending", "anchor": "endDate", "before": {"days": 3}, "audience": "not_completed"},
    {"name": "digest", "anchor": "startDate", "before": {"days": 1}, "to": "ops@example.com", "message": "digest"},
    {"name": "moved", "on": "date_changed", "audience": "learners"},
]

Plan = Any


@pytest.fixture(params=ONE_IN_THE_LOOP)
def planned(
    request: pytest.FixtureRequest,
    learning360_simulator: Simulator,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., tuple[int, str, str]]:
    """Add a session of three learners, run the command; return exit status, standard output and standard error."""
    connect(monkeypatch, learning360_simulator, request.param, retry_attempts=1)
    people: Any = learners(4, names=True)
    document = session_document(
        _id=ID, name="Safety", users=people, tutors=["tom@example.com"],
        startDate="2026-03-02T09:00:00.000Z", endDate="2026-03-10T09:00:00.000Z",
    )  # fmt: skip
    learning360_simulator.add(document)
    path = tmp_path / "policy.yaml"

    def run(*arguments: str, rules: Any = RULES, **fields: Any) -> tuple[int, str, str]:
        path.write_text(yaml.safe_dump({"name": "course", "time_zone": "Europe/Paris", "rules": rules, **fields}))
        status = 0
        capfd.readouterr()
        try:
            main(["plan-reminders", str(path), "--at", AT, *arguments])
        except SystemExit as end:
            status = int(end.code or 0)
        captured = capfd.readouterr()
        return status, captured.out, captured.err

    return run


def test_plan_names_due_reminders_and_skipped_ones(planned: Plan) -> None:
    status, out, err = planned("--session", ID)
    assert (status, err) == (0, "")
    first, blank, title, *rules, second_blank, total = out.splitlines()
    assert first == "course: from 2026-03-01T10:00+01:00 until 2026-03-08T10:00+01:00, Europe/Paris"
    assert blank == second_blank == ""
    assert total == "Total: 3 reminders for 1 session, 8 mails, 2 recipients without a mail address."
    assert title == f"Safety ({ID}), starts 2026-03-02T10:00+01:00, ends 2026-03-10T10:00+01:00"
    assert [line.split(" to ")[0] for line in rules] == [
        "  start: due 2026-03-01T10:00+01:00 (now), message",
        "  ending: due 2026-03-07T10:00+01:00, message",
        "  digest: due 2026-03-01T10:00+01:00 (now), digest",
        "  moved: no, a dry run does not know which dates were announced before",
    ]
    assert rules[0].count("@example.com") == 5
    assert "4: " in rules[0]
    assert "; no mail address: 1: " in rules[0]
    assert rules[2].endswith(" to 1: o…@example.com")


def test_addresses_are_masked_unless_asked_for(planned: Plan) -> None:
    names = [one["mail"] for one in learners(4)] + ["tom@example.com", "ops@example.com"]
    short, full = planned("--session", ID)[1], planned("--session", ID, "--show-addresses")[1]
    assert [one for one in names if one in short] == []
    assert [one for one in names if one not in full] == []
    assert "t…@example.com" in short


def test_plan_as_json_holds_sessions_and_totals(planned: Plan) -> None:
    status, out, err = planned("--session", ID, "-o", "json")
    assert (status, err) == (0, "")
    result = json.loads(out)
    assert {name: result[name] for name in ("policy", "from", "until", "time_zone")} == {
        "policy": "course",
        "from": "2026-03-01T10:00+01:00",
        "until": "2026-03-08T10:00+01:00",
        "time_zone": "Europe/Paris",
    }
    (session,) = result["sessions"]
    assert (session["session_id"], session["start"]) == (ID, "2026-03-02T10:00+01:00")
    rules = {rule["rule"]: rule for rule in session["rules"]}
    assert [rule["status"] for rule in session["rules"]] == ["due", "due", "due", "skipped"]
    assert (rules["ending"]["due"], rules["ending"]["release"]) == ("2026-03-07T10:00+01:00",) * 2
    assert rules["digest"]["recipients"] == ["o…@example.com"]
    assert rules["moved"]["reason"].startswith("a dry run does not know")
    assert result["totals"] == {
        "sessions": 1,
        "sessions_with_reminders": 1,
        "sessions_not_shown": 0,
        "reminders": 3,
        "mails": sum(len(rule["recipients"]) for rule in session["rules"]),
        "without_address": 2,
    }


def test_plan_as_csv_has_a_row_for_each_rule(planned: Plan, learning360_simulator: Simulator) -> None:
    learning360_simulator.edit(ID, name='Safety, "first"\x1b[31m')
    status, out, err = planned("--output", "csv")
    assert (status, err) == (0, "")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["rule"] for row in rows] == ["start", "ending", "digest", "moved"]
    assert {row["title"] for row in rows} == {f'Safety, "first"\\x1b[31m ({ID})'}
    assert rows[2]["recipients"] == "o…@example.com"
    assert (rows[3]["status"], rows[3]["due"]) == ("skipped", "")


def test_horizon_limits_the_plan(planned: Plan) -> None:
    out = planned("--session", ID, "--horizon", "0")[1]
    assert "ending: no, not due before 2026-03-07T10:00+01:00" in out
    assert "start: due" in out
    assert "ending: due" in planned("--session", ID, "--horizon", "6")[1]


def test_plan_of_all_sessions_leaves_out_the_others(planned: Plan, learning360_simulator: Simulator) -> None:
    status, out, err = planned()
    assert (status, err) == (0, "")
    assert out.count("starts ") == 1
    assert "\nTotal: 3 reminders for 1 session, 8 mails" in out
    assert out.endswith("\nNothing for 2 other sessions; --session ID says why.\n")
    # People are asked for where something is due, and nowhere else.
    of_people = re.compile(r"/sessions/(\w+)/(users|stats|user-stats)|/enrollments$")
    found = [match for one in learning360_simulator.requests if (match := of_people.search(one.path))]
    assert {match[1] for match in found} - {None} == {ID}
    assert len(found) == 2


def test_time_is_on_the_clock_of_the_policy(planned: Plan) -> None:
    for moment in ("2026-03-01T10:00", "2026-03-01T09:00Z", "2026-03-01T18:00+09:00"):
        assert "start: due 2026-03-01T10:00+01:00 (now)" in planned("--session", ID, "--at", moment)[1]
    assert "too late since 2026-03-01T16:00+01:00" in planned("--session", ID, "--at", "2026-03-01T16:01")[1]


def test_rule_without_recipients_is_skipped(planned: Plan, learning360_simulator: Simulator) -> None:
    for learner in learning360_simulator.session(ID)["users"]:
        learning360_simulator.finish(ID, learner["mail"])
    assert "ending: no, all learners have finished" in planned("--session", ID)[1]


DUE: dict[str, Any] = {"name": "due", "anchor": "dueDate", "before": {"days": 1}, "audience": ["learners", "tutors"]}


@pytest.mark.parametrize("planned", ["v2"], indirect=True)
def test_each_due_date_has_a_line(planned: Plan, learning360_simulator: Simulator) -> None:
    dates = ["2026-03-02T09:00:00.000Z", "2026-03-02T09:00:00.000Z", "2026-03-05T09:00:00.000Z", None]
    users = [
        {"_id": f"{number:024x}", "mail": f"u{number}@example.com"} | ({"dueDate": date} if date else {})
        for number, date in enumerate(dates)
    ]
    learning360_simulator.edit(ID, users=users, startDate="2026-02-02T09:00:00.000Z", endDate=None)
    status, out, err = planned("--session", ID, "--show-addresses", rules=[DUE])
    assert (status, err) == (0, "")
    first, second = (line for line in out.splitlines() if line.startswith("  due"))
    assert first == (
        "  due, due date 2026-03-02T10:00+01:00: due 2026-03-01T10:00+01:00 (now), message to 3: "
        "u0@example.com, u1@example.com, tom@example.com"
    )
    assert second == (
        "  due, due date 2026-03-05T10:00+01:00: due 2026-03-04T10:00+01:00, message to 2: "
        "u2@example.com, tom@example.com"
    )
    rows = list(csv.DictReader(io.StringIO(planned("--output", "csv", rules=[DUE])[1])))
    assert [(row["rule"], row["due_date"]) for row in rows] == [
        ("due", "2026-03-02T10:00+01:00"),
        ("due", "2026-03-05T10:00+01:00"),
    ]


@pytest.mark.parametrize("planned", ["v1"], indirect=True)
def test_due_dates_are_refused_where_the_api_has_none(planned: Plan) -> None:
    status, out, err = planned(rules=[DUE])
    assert (status, out) == (1, "")
    assert err.startswith("Error: Learners have no due dates in API v1")


def test_repeated_reminders_are_numbered(planned: Plan) -> None:
    rule = {"name": "late", "anchor": "startDate", "after": {"days": 1}, "every": {"days": 1}, "at_most": 5,
            "audience": "learners", "escalate_to_tutors_after": 1, "template": "own"}  # fmt: skip
    out = planned("--session", ID, "--at", "2026-03-04T10:00", rules=[rule])[1]
    assert "late: due 2026-03-04T10:00+01:00 (now), message no. 2 to 4: " in out
    assert "t…@example.com" in out


@pytest.mark.parametrize("planned", ["v2"], indirect=True)
def test_people_without_a_mail_are_shown_by_id(planned: Plan, learning360_simulator: Simulator) -> None:
    users: list[Any] = [{"_id": "60b8d2956e20ae1a0f8e4501"}, *learners(1)]
    learning360_simulator.edit(ID, users=users)
    rule = {"name": "start", "anchor": "startDate", "before": {"days": 1}, "audience": "learners"}
    for options in ((), ("--show-addresses",)):
        out = planned("--session", ID, *options, rules=[rule])[1]
        assert "; no mail address: 1: user 60b8d2956e20ae1a0f8e4501" in out


def test_texts_are_printed_with_escapes(planned: Plan, learning360_simulator: Simulator) -> None:
    learning360_simulator.edit(ID, name="Safety\x1b[31m\u202e", tutors=["tom\x07@example.com"])
    out = planned("--session", ID, "--show-addresses")[1]
    assert "Safety\\x1b[31m\\u202e" in out
    assert "tom\\x07@example.com" in out
    assert [one for one in out if not one.isprintable() and one != "\n"] == []


@pytest.mark.parametrize(
    ("start", "when_late", "said"),
    [
        # The session was moved to soon, and the plan is of 23:05: it waits until 08:00, or its date comes first.
        ("2026-03-03T13:00:00.000Z", "skip", ["due 2026-03-02T14:00+01:00 (held until", "at 2026-03-03T08:00+01:00),"]),
        ("2026-03-03T06:00:00.000Z", "skip", ["no, skipped, because quiet hours", "last until 2026-03-03T08:00+01:00",
                                              "may go out until 2026-03-03T07:00+01:00 (when_late: skip)"]),
        ("2026-03-03T06:00:00.000Z", "send", ["due 2026-03-01T19:45+01:00 (now; in quiet hours", "when_late: send), "]),
    ],
)  # fmt: skip
def test_quiet_hours_hold_skip_or_send(
    planned: Plan, learning360_simulator: Simulator, start: str, when_late: str, said: list[str]
) -> None:
    learning360_simulator.edit(ID, startDate=start)
    fields = {"quiet_hours": {"from": "20:00", "to": "08:00", "when_late": when_late}, "max_lateness": {"days": 2}}
    out = planned("--session", ID, "--at", "2026-03-02T23:05", **fields)[1]
    (line,) = (line for line in out.splitlines() if line.startswith("  start: "))
    assert [one for one in said if one not in line] == []


@pytest.mark.parametrize("date", ["9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00.000Z"])
def test_placeholder_dates_count_as_not_set(planned: Plan, learning360_simulator: Simulator, date: str) -> None:
    learning360_simulator.edit(ID, endDate=date)
    status, out, err = planned("--session", ID)
    assert (status, err) == (0, "")
    assert "start: due" in out
    assert ", end not set\n" in out
    assert "9999" not in out
    assert "0001" not in out
    assert "ending: no, its endDate is not set" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--at", "noon"], ["--at", "'noon'", "2026-03-01T08:00"]),
        (["--at", "0001-01-01T00:00+14:00"], ["--at"]),
        (["--horizon", "-1"], ["--horizon", "-1"]),
        (["--session", "42"], ["'42'", "24 characters"]),
        (["--session", "0" * 24], ["0" * 24, "Check the ID"]),
        (["--learning-conn-id", "nowhere"], ["'nowhere' is not defined"]),
    ],
)
def test_error_is_one_line(planned: Plan, arguments: list[str], words: list[str]) -> None:
    status, out, err = planned(*arguments)
    assert (status, out) == (1, "")
    assert err.startswith("Error: ")
    assert "Traceback" not in err
    assert len(err.splitlines()) == 1
    assert [word for word in words if word not in err] == []


def test_invalid_policy_is_refused(planned: Plan) -> None:
    status, out, err = planned(rules=[{**RULES[0], "audience": "learner"}])
    assert (status, out) == (1, "")
    assert "policy.yaml: rule 'start': audience: 'learner'" in err
    assert "did you mean learners?" in err


def test_reminder_schema_is_that_of_the_policy(capfd: pytest.CaptureFixture[str]) -> None:
    from airflow_provider_learning360.reminders.policy import ReminderPolicy

    main(["reminder-schema"])
    captured = capfd.readouterr()
    assert json.loads(captured.out) == ReminderPolicy.json_schema()
    assert captured.err == ""


@pytest.mark.parametrize("planned", ["v2"], indirect=True)
def test_listed_sessions_are_not_read_again(planned: Plan, learning360_simulator: Simulator) -> None:
    learning360_simulator.forget()
    status, out, _ = planned("--horizon", "30", "-o", "json")
    assert (status, json.loads(out)["totals"]["mails"] > 0) == (0, True)
    paths = [one.path for one in learning360_simulator.requests]
    assert paths.count("/api/v2/paths/sessions") == 1
    assert any(path.endswith("/user-stats") for path in paths)
