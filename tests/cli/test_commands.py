"""The commands, as a person at a terminal or a script calls them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from importlib.metadata import version
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
def run_command(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
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


RunCommand = Any


def assert_short_failure(result: tuple[int, str, str], *words: str) -> None:
    status, out, err = result
    assert status == 1
    assert out == ""
    assert "Traceback" not in err
    assert 1 <= len(err.strip().splitlines()) <= 2
    assert err.startswith("Error: ")
    assert not [word for word in words if word not in err]


def test_get_session_prints_json(run_command: RunCommand, learning360_simulator: Simulator) -> None:
    session_id = learning360_simulator.session_ids[0]
    status, out, err = run_command("get-session", session_id, "--show-people")
    assert (status, err) == (0, "")
    assert json.loads(out) == learning360_simulator.session(session_id)
    assert out.startswith("{\n  ")


def test_raw_prints_the_answer_unchecked(run_command: RunCommand, learning360_simulator: Simulator) -> None:
    session_id = learning360_simulator.session_ids[0]
    learning360_simulator.edit(session_id, startDate="no date at all")
    status, out, err = run_command("get-session", session_id, "--raw", "--show-people")
    assert (status, err) == (0, "")
    assert json.loads(out) == learning360_simulator.session(session_id)
    assert_short_failure(run_command("get-session", session_id), "startDate")


@pytest.mark.parametrize(("field", "shown"), [("name", str), ("startDate", str), ("tutors", json.dumps)])
def test_field_prints_one_value(
    run_command: RunCommand, learning360_simulator: Simulator, field: str, shown: Callable[[Any], str]
) -> None:
    session_id = learning360_simulator.session_ids[0]
    status, out, _ = run_command("get-session", session_id, "--field", field, "--show-people")
    assert status == 0
    assert out == shown(learning360_simulator.session(session_id)[field]) + "\n"


def test_field_that_is_missing_is_refused(run_command: RunCommand, learning360_simulator: Simulator) -> None:
    result = run_command("get-session", learning360_simulator.session_ids[0], "--field", "colour")
    assert_short_failure(result, "'colour'", "startDate")


@pytest.mark.parametrize(("policy", "status"), [("strict", 1), ("warn", 0), ("ignore", 0)])
def test_contract_decides_about_drift(
    run_command: RunCommand, learning360_simulator: Simulator, policy: str, status: int
) -> None:
    learning360_simulator.play({"do": {"drift": {"add": {"colour": "blue"}}}})
    result = run_command("get-session", learning360_simulator.session_ids[0], "--contract", policy)
    assert result[0] == status
    if policy == "strict":
        assert_short_failure(result, "colour")
    else:
        assert json.loads(result[1])["colour"] == "•••"
        assert ("Warning: " in result[2]) == (policy == "warn")


def test_connection_is_chosen_by_its_id(
    run_command: RunCommand, learning360_simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_HERE", os.environ["AIRFLOW_CONN_LEARNING360_DEFAULT"])
    monkeypatch.delenv("AIRFLOW_CONN_LEARNING360_DEFAULT")
    session_id = learning360_simulator.session_ids[0]
    assert run_command("get-session", session_id, "--learning-conn-id", "here")[0] == 0
    assert_short_failure(run_command("get-session", session_id), "'learning360_default' is not defined")


def test_retries_are_logged_to_stderr(
    run_command: RunCommand, learning360_simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_down = {"status": 429, "headers": {"Retry-After": "0"}}
    monkeypatch.setattr("random.random", lambda: 0.0)
    for options in ([], ["--raw", "--show-people"]):
        learning360_simulator.play({"when": {"times": 1}, "do": slow_down})
        status, out, err = run_command("get-session", learning360_simulator.session_ids[0], *options)
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
@pytest.mark.parametrize("raw", [[], ["--raw", "--show-people"]], ids=["checked", "raw"])
def test_error_is_one_line(
    run_command: RunCommand,
    learning360_simulator: Simulator,
    session_id: str | None,
    do: Any,
    words: list[str],
    raw: list[str],
) -> None:
    if do:
        learning360_simulator.play({"do": do})
    arguments = ["get-session", learning360_simulator.session_ids[0] if session_id is None else session_id, *raw]
    if raw and do in ({"html": True}, {"body_cut": True}):
        assert run_command(*arguments)[0] == 0  # raw means raw
    else:
        assert_short_failure(run_command(*arguments), *words)


def test_check_prints_each_route(run_command: RunCommand, learning360_simulator: Simulator) -> None:
    status, out, err = run_command("check")
    assert (status, err) == (0, "")
    assert learning360_simulator.url in out
    assert "keys by headers" in out
    assert "accepted company ID and API key in" in out
    for label in ("2 program sessions", "one session", "3 learners", "statistics"):
        assert label in out
    assert "@" not in out


@pytest.mark.learning360_simulator(sessions=0)
def test_check_accepts_an_empty_company(run_command: RunCommand, learning360_simulator: Simulator) -> None:
    status, out, _ = run_command("check")
    assert status == 0
    assert "0 program sessions" in out


@pytest.mark.parametrize(
    ("when", "do", "words"),
    [
        ("/token", {"status": 401}, "Wrong API key"),
        ("/sessions$", {"status": 403}, "sessions     cannot be read"),
        ("/users$", {"status": 403}, "learners     cannot be read"),
        ("/stats$", {"status": 404}, "statistics   cannot be read"),
    ],
)
def test_check_fails_with_the_route(
    run_command: RunCommand, learning360_simulator: Simulator, when: str, do: dict[str, Any], words: str
) -> None:
    learning360_simulator.play({"when": {"path": when}, "do": do})
    status, out, err = run_command("check")
    assert status == 1
    assert words in err
    assert "Traceback" not in out + err
    assert len(err.strip().splitlines()) == 1


def test_check_refuses_a_missing_connection(run_command: RunCommand) -> None:
    assert_short_failure(run_command("check", "--learning-conn-id", "nowhere"), "'nowhere' is not defined")


@pytest.mark.parametrize("arguments", [[], ["get-session"], ["get-session", "x", "--contract", "lax"], ["dance"]])
def test_wrong_usage_prints_usage(run_command: RunCommand, arguments: list[str]) -> None:
    status, out, err = run_command(*arguments)
    assert status == 2
    assert out == ""
    assert "usage: " in err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--raw"], "Add --show-people"),
        (["--raw", "--show-people", "--field", "name"], "--raw prints the whole response"),
        (["--contract", "warn", "--raw", "--show-people"], "--contract has no effect"),
        (["--raw", "--show-people", "-o", "json"], "--output formats the whole session, and --raw"),
        (["--field", "name", "-o", "table"], "--output formats the whole session, and --field"),
    ],
)
def test_contradictory_options_are_refused(
    run_command: RunCommand, learning360_simulator: Simulator, options: list[str], words: str
) -> None:
    status, out, err = run_command("get-session", learning360_simulator.session_ids[0], *options)
    assert (status, out) == (2, "")
    assert err.startswith("Error: ")
    assert words in err
    assert learning360_simulator.requests == []


def test_version_is_that_of_the_package(run_command: RunCommand) -> None:
    expected = (0, f"airflow-provider-learning360 {version('airflow-provider-learning360')}\n", "")
    assert run_command("version") == run_command("--version") == expected


def test_airflow_has_the_same_commands() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "airflow", "learning360", "--help"],
        env=os.environ,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    (group,) = get_learning360_cli_commands()
    assert [one.name for one in group.subcommands if one.name not in done.stdout] == []


@pytest.mark.slow
def test_simulator_serves_until_it_is_stopped(tmp_path: Any) -> None:
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


def test_simulator_refuses_other_hosts(run_command: RunCommand) -> None:
    status, out, err = run_command("simulate", "--host", "0.0.0.0")
    assert (status, out) == (1, "")
    assert "loopback" in err


def test_commands_are_those_of_airflow() -> None:
    from airflow.cli.cli_config import ActionCommand, GroupCommand

    (group,) = get_learning360_cli_commands()
    assert isinstance(group, GroupCommand)
    assert group.name == "learning360"
    commands = list(group.subcommands)
    assert all(isinstance(one, ActionCommand) for one in commands)
    assert [one.name for one in commands] == [
        *("get-session", "list-sessions", "check", "compare", "operations", "operation", "call", "simulate"),
        *("plan-reminders", "reminder-schema", "schema", "clean", "version"),
    ]
    assert all(one.help for one in commands)


def test_provider_info_names_the_commands() -> None:
    from importlib import import_module

    from airflow_provider_learning360.provider_info import get_provider_info

    (path,) = get_provider_info()["cli"]
    module, _, name = path.rpartition(".")
    assert getattr(import_module(module), name) is get_learning360_cli_commands


def test_simulator_defaults_are_those_of_its_own_command() -> None:
    import argparse

    from airflow_provider_learning360.simulator.__main__ import add_arguments

    own = argparse.ArgumentParser()
    add_arguments(own)
    (group,) = get_learning360_cli_commands()
    offered = argparse.ArgumentParser()
    for argument in next(one for one in group.subcommands if one.name == "simulate").args:
        argument.add_to_parser(offered)
    assert vars(offered.parse_args([])) == vars(own.parse_args([]))


def test_definition_imports_nothing_heavy() -> None:
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
