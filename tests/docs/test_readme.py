"""The README is executed: its Python, its connections, its commands, its demo."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_learning360.testing import Simulator

if TYPE_CHECKING:
    from pathlib import Path

# The ID that the pages use wherever a reader puts his own.
ID = "60b8d2956e20ae1a0f8e44f1"


def python_block(readme: Any, word: str) -> str:
    (block,) = [one for one in readme.blocks("python") if word in one]
    return block


def test_every_python_block_is_executed_here(readme: Any) -> None:
    words = ("with DAG(", "@dag(", "async with", "LearningHook(method=", "def test_")
    assert [one for one in readme.blocks("python") if not any(word in one for word in words)] == []


def test_the_dag_fetches_then_waits(readme: Any) -> None:
    source = python_block(readme, "with DAG(")
    assert len([line for line in source.splitlines() if line.strip()]) <= 10

    names: dict[str, Any] = {}
    exec(source, names)

    dag = names["dag"]
    assert set(dag.task_ids) == {"get_session", "wait_for_new_dates"}
    # `since=` alone makes the order.
    assert dag.get_task("get_session").downstream_task_ids == {"wait_for_new_dates"}
    assert dag.get_task("wait_for_new_dates").deferrable


def test_the_dag_of_the_events_section_is_scheduled_on_its_asset(readme: Any) -> None:
    names: dict[str, Any] = {}
    exec(python_block(readme, "@dag("), names)

    dag = names["react"]()
    assert dag.timetable.asset_condition == names["NEW_DATES"] or dag.schedule == [names["NEW_DATES"]]
    assert dag.get_task("changed").downstream_task_ids == {"get_session"}
    assert names["watched_program_sessions"](name="new_dates").watchers[0].trigger.session_ids is None


@pytest.mark.learning360_simulator(sessions=2, learners=3)
def test_the_hook_sample_runs(
    readme: Any, learning360_simulator: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    exec(python_block(readme, "LearningHook(method="), {})

    printed = capsys.readouterr().out.splitlines()
    assert learning360_simulator.session_ids[0] in printed[0]
    assert printed[-1] == "200 2"


def test_the_sample_test_passes(readme: Any, tmp_path: Path) -> None:
    (tmp_path / "test_sample.py").write_text(python_block(readme, "def test_"))

    outcome = pytest.main(["-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(tmp_path), str(tmp_path)])

    assert outcome == pytest.ExitCode.OK


def connections(readme: Any) -> list[str]:
    """Connections as the README writes them: the JSON blocks, and the values of the environment variable."""
    blocks = [one for one in readme.blocks("json") if '"conn_type"' in one]
    return blocks + re.findall(r"^export AIRFLOW_CONN_LEARNING360_DEFAULT='(.*)'$", readme.text, re.MULTILINE)


def test_every_connection_is_usable(readme: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_learning360.hooks.learning import LearningHook

    seen = set()
    for connection in connections(readme):
        monkeypatch.setenv("AIRFLOW_CONN_LEARNING360_DEFAULT", connection)
        settings = LearningHook().settings
        seen.add((settings.host, settings.auth))
        assert settings.company_id
        assert settings.api_key.get_secret_value()

    eu, us, simulator = "https://app.360learning.com", "https://app.us.360learning.com", "http://127.0.0.1:8360"
    assert seen == {(eu, "headers"), (eu, "oauth2"), (eu, "query"), (us, "oauth2"), (simulator, "headers")}


def test_every_scenario_can_be_played(readme: Any) -> None:
    scenarios = [one for one in readme.blocks("json") if '"conn_type"' not in one]
    assert scenarios
    simulator = Simulator(sessions=1)
    for scenario in scenarios:
        simulator.play(json.loads(scenario))


def test_the_hosts_are_those_of_the_settings(readme: Any) -> None:
    from airflow_provider_learning360.api.settings import EU_HOST, US_HOST

    assert f"| EU (default) | `{EU_HOST}` |" in readme.text
    assert f"| US | `{US_HOST}` |" in readme.text


def own_commands(readme: Any) -> list[list[str]]:
    """The arguments of our own commands, by whichever name they are called."""
    prefixes = ("airflow learning360 ", "python -m airflow_provider_learning360.cli ")
    return [
        shlex.split(line.removeprefix(prefix))
        for line in readme.commands()
        for prefix in prefixes
        if line.startswith(prefix)
    ]


@pytest.mark.learning360_simulator(sessions=1, learners=3)
def test_the_commands_do_what_they_say(
    readme: Any,
    learning360_simulator: Simulator,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from airflow_provider_learning360.cli.__main__ import main

    (policy,) = readme.blocks("yaml")
    (tmp_path / "policy.yaml").write_text(policy)
    monkeypatch.chdir(tmp_path)
    ran = set()
    for arguments in own_commands(readme):
        if arguments[0] != "simulate":
            main(arguments)
            ran.add(arguments[0])

    assert ran == {"check", "get-session", "plan-reminders"}
    assert capsys.readouterr().err == ""


def test_the_simulator_takes_the_arguments_shown(readme: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # Imported before it is replaced, or the replacement would stay there.
    import airflow_provider_learning360.cli.simulator  # noqa: F401
    from airflow_provider_learning360.cli.__main__ import main as commands
    from airflow_provider_learning360.simulator import __main__ as command

    served: list[Any] = []
    monkeypatch.setattr(command, "run", lambda arguments: served.append(arguments) or 0)
    monkeypatch.setattr("airflow_provider_learning360.cli.simulator.run", command.run)
    prefix = "python -m airflow_provider_learning360.simulator "
    for line in readme.commands():
        if line.startswith(prefix):
            command.main(shlex.split(line.removeprefix(prefix)))
    for arguments in own_commands(readme):
        if arguments[0] == "simulate":
            with pytest.raises(SystemExit):
                commands(arguments)

    assert [(one.port, one.sessions) for one in served] == [(8360, 50), (8361, 12)]


def test_every_make_target_exists(pages: dict[str, Any], repository: Path) -> None:
    makefile = (repository / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    shown = "\n".join(page.shown for page in pages.values())
    named = set(re.findall(r"\bmake ([a-z]+)(?=`|$)", shown, re.MULTILINE))
    assert {"demo", "test"} <= named <= targets


def test_no_command_goes_unchecked(readme: Any) -> None:
    checked = ("make ", "airflow learning360 ", "python -m airflow_provider_learning360.", "export AIRFLOW_CONN_")
    others = [line for line in readme.commands() if not line.startswith(checked)]
    assert others == [
        f"SESSION_ID={ID} LEARNING360_COMPANY_ID=... LEARNING360_API_KEY=... make demo",
        "pip install .",
        "AIRFLOW__CORE__TEST_CONNECTION=Enabled airflow connections test learning360_default",
    ]


def test_the_demo_prints_what_the_page_shows(readme: Any, repository: Path) -> None:
    (shown,) = [one for one in readme.blocks("text") if one.startswith("360Learning provider")]

    done = subprocess.run([sys.executable, "demo/demo.py"], cwd=repository, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    # Sorted: what the simulator tells comes from a thread of its own.
    assert sorted(fixed(done.stdout)) == sorted(fixed(shown))


def fixed(text: str) -> list[str]:
    """The parts of the demo's output that do not change: no port, no duration, no date."""
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "DATE", text)
    text = re.sub(r"\w+day \d{1,2} \w+ \d{4} at \d\d:\d\d", "DATE", text)
    text = re.sub(r"Done in [\d.]+ s", "Done in TIME", text)
    return [line for line in text.splitlines() if line.strip()]


def test_the_symptoms_are_those_of_the_code(readme: Any) -> None:
    rows = re.findall(r"^\| `([^`]+)` \| .* \| .* \|$", readme.text.partition("| symptom |")[2], re.MULTILINE)
    assert rows
    source = "\n".join(
        path.read_text(encoding="utf-8")
        for path in (readme.path.parent / "src/airflow_provider_learning360").rglob("*.py")
    )
    for symptom in rows:
        pieces = re.sub(r"\d+$", "", symptom).split("...")
        assert all(piece.strip() in source for piece in pieces), symptom
