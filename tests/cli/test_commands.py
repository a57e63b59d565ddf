"""The commands, as a person at a terminal or a script calls them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_learning360.cli.__main__ import main
from airflow_provider_learning360.cli.definition import get_learning360_cli_commands

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_learning360.simulator import Simulator

pytestmark = pytest.mark.learning360_simulator(sessions=2, learners=3, extra={"retry_attempts": 2})

COMMAND = [sys.executable, "-m", "airflow_provider_learning360.cli"]


@pytest.fixture
def told(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command; return exit status, standard output and standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        status = 0
        try:
            main(arguments)
        except SystemExit as end:
            status = int(end.code or 0)
        captured = capfd.readouterr()
        return status, captured.out, captured.err

    return run


Told = Any


def assert_short_failure(result: tuple[int, str, str], *words: str) -> None:
    status, out, err = result
    assert status == 1
    assert out == ""
    assert "Traceback" not in err
    assert 1 <= len(err.strip().splitlines()) <= 2
    assert err.startswith("Error: ")
    assert not [word for word in words if word not in err]


def test_get_session(told: Told, learning360_simulator: Simulator) -> None:
    session_id = learning360_simulator.session_ids[0]
    status, out, err = told("get-session", session_id)
    assert (status, err) == (0, "")
    assert json.loads(out) == learning360_simulator.session(session_id)
    assert out.startswith("{\n  ")


def test_get_session_in_the_raw(told: Told, learning360_simulator: Simulator) -> None:
    session_id = learning360_simulator.session_ids[0]
    learning360_simulator.edit(session_id, startDate="no date at all")
    status, out, err = told("get-session", session_id, "--raw")
    assert (status, err) == (0, "")
    assert json.loads(out) == learning360_simulator.session(session_id)
    assert_short_failure(told("get-session", session_id), "startDate")


@pytest.mark.parametrize(("field", "shown"), [("name", str), ("startDate", str), ("tutors", json.dumps)])
def test_one_field(told: Told, learning360_simulator: Simulator, field: str, shown: Callable[[Any], str]) -> None:
    session_id = learning360_simulator.session_ids[0]
    status, out, _ = told("get-session", session_id, "--field", field)
    assert status == 0
    assert out == shown(learning360_simulator.session(session_id)[field]) + "\n"


def test_a_field_that_is_not_there(told: Told, learning360_simulator: Simulator) -> None:
    result = told("get-session", learning360_simulator.session_ids[0], "--field", "colour")
    assert_short_failure(result, "'colour'", "startDate")


@pytest.mark.parametrize(("policy", "status"), [("strict", 1), ("warn", 0), ("ignore", 0)])
def test_contracts(told: Told, learning360_simulator: Simulator, policy: str, status: int) -> None:
    learning360_simulator.play({"do": {"drift": {"add": {"colour": "blue"}}}})
    result = told("get-session", learning360_simulator.session_ids[0], "--contract", policy)
    assert result[0] == status
    if policy == "strict":
        assert_short_failure(result, "colour")
    else:
        assert json.loads(result[1])["colour"] == "blue"
        assert ("Warning: " in result[2]) == (policy == "warn")


def test_another_connection(told: Told, learning360_simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_HERE", os.environ["AIRFLOW_CONN_LEARNING360_DEFAULT"])
    monkeypatch.delenv("AIRFLOW_CONN_LEARNING360_DEFAULT")
    session_id = learning360_simulator.session_ids[0]
    assert told("get-session", session_id, "--learning-conn-id", "here")[0] == 0
    assert_short_failure(told("get-session", session_id), "'learning360_default' is not defined")


def test_repetitions_do_not_disturb_the_output(
    told: Told, learning360_simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_down = {"status": 429, "headers": {"Retry-After": "0"}}
    monkeypatch.setattr("random.random", lambda: 0.0)
    for options in ([], ["--raw"]):
        learning360_simulator.play({"when": {"times": 1}, "do": slow_down})
        status, out, err = told("get-session", learning360_simulator.session_ids[0], *options)
        assert status == 0
        assert json.loads(out)
        assert "Trying again" in err


@pytest.mark.parametrize(
    ("session_id", "do", "words"),
    [
        ("42", None, ["'42'", "24 characters"]),
        ("", None, ["24 characters"]),
        ("0" * 24, None, ["404", "Check the ID"]),
        (None, {"status": 401}, ["401", "Check company ID"]),
        (None, {"status": 403}, ["403"]),
        (None, {"html": True}, ["HTML"]),
        (None, {"body_cut": True}, ["not valid JSON"]),
        (None, {"redirect": "https://elsewhere.example/"}, ["elsewhere.example", "host of the connection"]),
        (None, {"status": 429, "headers": {"Retry-After": "900"}}, ["900 s", "max_rate_limit_wait"]),
    ],
    ids=["no ID", "empty", "unknown", "401", "403", "page", "cut", "redirect", "429"],
)
@pytest.mark.parametrize("raw", [[], ["--raw"]], ids=["checked", "raw"])
def test_failures_are_told_in_a_line(
    told: Told, learning360_simulator: Simulator, session_id: str | None, do: Any, words: list[str], raw: list[str]
) -> None:
    if do:
        learning360_simulator.play({"do": do})
    arguments = ["get-session", learning360_simulator.session_ids[0] if session_id is None else session_id, *raw]
    if raw and do in ({"html": True}, {"body_cut": True}):
        assert told(*arguments)[0] == 0  # raw means raw
    else:
        assert_short_failure(told(*arguments), *words)


def test_check(told: Told, learning360_simulator: Simulator) -> None:
    status, out, err = told("check")
    assert (status, err) == (0, "")
    assert learning360_simulator.url in out
    assert "keys by headers" in out
    assert "accepted company ID and API key in" in out
    for label in ("2 program sessions", "one session", "3 learners", "statistics"):
        assert label in out
    assert "@" not in out


@pytest.mark.learning360_simulator(sessions=0)
def test_check_of_an_empty_company(told: Told, learning360_simulator: Simulator) -> None:
    status, out, _ = told("check")
    assert status == 0
    assert "0 program sessions" in out


@pytest.mark.parametrize(
    ("when", "do", "words"),
    [
        ("/token", {"status": 401}, "Wrong API key"),
        ("/sessions$", {"status": 403}, "sessions     may not be read"),
        ("/users$", {"status": 403}, "learners     may not be read"),
        ("/stats$", {"status": 404}, "statistics   may not be read"),
    ],
)
def test_check_that_fails(
    told: Told, learning360_simulator: Simulator, when: str, do: dict[str, Any], words: str
) -> None:
    learning360_simulator.play({"when": {"path": when}, "do": do})
    status, out, err = told("check")
    assert status == 1
    assert words in err
    assert "Traceback" not in out + err
    assert len(err.strip().splitlines()) == 1


def test_check_of_a_connection_that_is_missing(told: Told) -> None:
    assert_short_failure(told("check", "--learning-conn-id", "nowhere"), "'nowhere' is not defined")


@pytest.mark.parametrize("arguments", [[], ["get-session"], ["get-session", "x", "--contract", "lax"], ["dance"]])
def test_wrong_usage(told: Told, arguments: list[str]) -> None:
    status, out, err = told(*arguments)
    assert status == 2
    assert out == ""
    assert "usage: " in err


def test_simulate(tmp_path: Any) -> None:
    scenario = tmp_path / "scenario.json"
    scenario.write_text('{"do": {"status": 503}}')
    options = ["--port", "0", "--sessions", "1", "--company-id", "us", "--api-key", "k", "--scenario", str(scenario)]
    with subprocess.Popen(
        [*COMMAND, "simulate", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stderr
        line = process.stdout.readline()
        assert "360Learning simulator on http://127.0.0.1:" in line
        assert "company ID us" in line
        url = next(word for word in line.split() if word.startswith("http"))
        with pytest.raises(urllib.error.HTTPError, match="503"):
            urllib.request.urlopen(f"{url}/api/v1/programs/sessions", timeout=10)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert "Traceback" not in process.stderr.read()


def test_simulate_where_it_must_not(told: Told) -> None:
    status, out, err = told("simulate", "--host", "0.0.0.0")
    assert (status, out) == (1, "")
    assert "loopback" in err


def test_what_airflow_loads() -> None:
    from airflow.cli.cli_config import ActionCommand, GroupCommand

    (group,) = get_learning360_cli_commands()
    assert isinstance(group, GroupCommand)
    assert group.name == "learning360"
    commands = list(group.subcommands)
    assert all(isinstance(one, ActionCommand) for one in commands)
    names = ["get-session", "check", "simulate", "plan-reminders", "reminder-schema", "schema"]
    assert [one.name for one in commands] == names
    assert all(one.help for one in commands)


def test_airflow_knows_where_they_are() -> None:
    from importlib import import_module

    from airflow_provider_learning360.provider_info import get_provider_info

    (path,) = get_provider_info()["cli"]
    module, _, name = path.rpartition(".")
    assert getattr(import_module(module), name) is get_learning360_cli_commands


def test_the_defaults_are_those_of_the_simulator() -> None:
    import argparse

    from airflow_provider_learning360.simulator.__main__ import add_arguments

    own = argparse.ArgumentParser()
    add_arguments(own)
    (group,) = get_learning360_cli_commands()
    offered = argparse.ArgumentParser()
    for argument in list(group.subcommands)[2].args:
        argument.add_to_parser(offered)
    assert vars(offered.parse_args([])) == vars(own.parse_args([]))


def test_what_airflow_loads_is_light() -> None:
    # What Airflow's own part of the command line loads is Airflow's business.
    program = """
import sys
import airflow.cli.cli_config
before = set(sys.modules)
import airflow_provider_learning360.cli.definition as definition
definition.get_learning360_cli_commands()
print(*sorted(set(sys.modules) - before))
"""
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    modules = loaded.stdout.split()
    assert "airflow_provider_learning360.cli.definition" in modules
    assert not [one for one in modules if one.partition(".")[0] in ("requests", "aiohttp", "pydantic", "urllib3")]
    assert not [one for one in modules if one.startswith("airflow_provider_learning360.api")]
    assert len(modules) <= 4
