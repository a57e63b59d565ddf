"""Every block of code in every page is executed here, or compared with what is executed elsewhere."""

from __future__ import annotations

import ast
import json
import os
import re
import runpy
import shlex
import shutil
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from airflow_provider_learning360.testing import Simulator, session_document
from docs.conftest import Page, read_pages

# The ID that the pages use wherever readers put their own.
ID = "60b8d2956e20ae1a0f8e44f1"
IMPORTERS = '[{"classpath": "airflow.sdk.importers.yaml_importer.YamlDagImporter"}]'
REPOSITORY = Path(__file__).resolve().parents[2]
# What is neither code nor compared: drawings, and what the generator fills in.
DRAWN = ("─", "▲", "->", "`-")
INCLUDED = re.compile(r"\{(literalinclude|include|toctree|eval-rst)\}.*")


def blocks(language: str) -> list[Any]:
    return [
        pytest.param(page, block, id=f"{page.name}-{number}")
        for page in read_pages().values()
        for number, block in enumerate(page.blocks(language))
    ]


def test_no_language_goes_unchecked(pages: dict[str, Page]) -> None:
    languages = {one for page in pages.values() for one in page.languages if not INCLUDED.match(one)}
    assert languages == {"python", "shell", "json", "yaml", "text"}


@pytest.mark.parametrize(("page", "block"), blocks("python"))
@pytest.mark.learning360_simulator(sessions=2, learners=3)
def test_python(page: Page, block: str, learning360_simulator: Simulator, tmp_path: Path) -> None:
    if block.startswith("Attack("):
        assert block.strip() in (REPOSITORY / "tests/hostile/catalogue.py").read_text()
    elif "def test_" in block:
        # A name of its own: Python imports a module of a name only once.
        (tmp_path / f"{tmp_path.name}.py").write_text(block)
        quiet = ["-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(tmp_path)]
        assert pytest.main([*quiet, str(tmp_path)]) == pytest.ExitCode.OK
    else:
        exec(block, {})


def test_the_first_dag_reads_then_waits(pages: dict[str, Page]) -> None:
    names: dict[str, Any] = {}
    exec(pages["docs/start/first-dag.md"].blocks("python")[0], names)

    dag = names["dag"]
    assert set(dag.task_ids) == {"get_session", "wait_for_new_dates"}
    # `since=` alone makes the order.
    assert dag.get_task("get_session").downstream_task_ids == {"wait_for_new_dates"}
    assert dag.get_task("wait_for_new_dates").deferrable


def test_the_dag_that_reacts_is_scheduled_on_its_asset(pages: dict[str, Page]) -> None:
    names: dict[str, Any] = {}
    exec(pages["docs/how-to/react.md"].blocks("python")[0], names)

    dag = names["react"]()
    assert dag.timetable.asset_condition == names["NEW_DATES"] or dag.schedule == [names["NEW_DATES"]]
    assert dag.get_task("changed").downstream_task_ids == {"get_session"}
    assert names["watched_program_sessions"](name="new_dates").watchers[0].trigger.session_ids is None


@pytest.mark.learning360_simulator(sessions=2, learners=3)
def test_the_hook_prints(
    pages: dict[str, Page], learning360_simulator: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    sync, asynchronous = pages["docs/how-to/hook.md"].blocks("python")
    exec(sync, {})
    printed = capsys.readouterr().out.splitlines()
    assert learning360_simulator.session_ids[0] in printed[0]
    count = len(learning360_simulator.session_ids)
    assert printed[-1] == f"200 {count}"
    exec(asynchronous, {})
    assert capsys.readouterr().out == f"{count}\n"


def connections(pages: dict[str, Page]) -> list[str]:
    """Connections as the pages write them: the JSON blocks, and the values of the environment variable."""
    found = [block for page in pages.values() for block in page.blocks("json") if '"conn_type"' in block]
    for page in pages.values():
        found += re.findall(r"^export AIRFLOW_CONN_LEARNING360_DEFAULT='(.*)'$", page.text, re.MULTILINE)
    return found


def test_connections_are_usable(pages: dict[str, Page], monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_learning360.hooks.learning import LearningHook

    seen = set()
    for connection in connections(pages):
        monkeypatch.setenv("AIRFLOW_CONN_LEARNING360_DEFAULT", connection)
        settings = LearningHook().settings
        seen.add((settings.host, settings.auth))
        assert settings.company_id
        assert settings.api_key.get_secret_value()

    eu, us, simulator = "https://app.360learning.com", "https://app.us.360learning.com", "http://127.0.0.1:8360"
    assert seen == {
        (eu, "headers"),
        (eu, "oauth2"),
        (eu, "query"),
        (us, "oauth2"),
        *((simulator, auth) for auth in ("headers", "oauth2")),
    }


@pytest.mark.parametrize(("page", "block"), blocks("json"))
def test_scenarios_can_be_played(page: Page, block: str) -> None:
    if '"session_id"' in block:
        assert_is_a_diff(json.loads(block))
    elif '"conn_type"' not in block:
        Simulator(sessions=1).play(json.loads(block))


def assert_is_a_diff(diff: dict[str, Any]) -> None:
    """It has the keys of what an operator that writes returns."""
    from airflow_provider_learning360.api.enrolment import EnrolmentDiff
    from airflow_provider_learning360.api.session_update import UpdateDiff

    assert diff.keys() in (EnrolmentDiff.__annotations__.keys(), UpdateDiff.__annotations__.keys())


@pytest.mark.parametrize(("page", "block"), blocks("yaml"))
def test_yaml(page: Page, block: str, tmp_path: Path) -> None:
    from airflow_provider_learning360.reminders.policy import ReminderPolicy

    if block.startswith("# yaml-language-server: "):
        # The command that writes this file is beside it.
        name = block.strip().rpartition("$schema=")[2]
        assert f"airflow learning360 schema --output {name}" in page.text
    elif "rules:" in block:
        ReminderPolicy.read(block)
    elif "dag_id:" in block:
        assert built_dag(block, tmp_path).task_ids
    else:
        check_steps(block, tmp_path)


def check_steps(block: str, folder: Path) -> None:
    """Build a DAG of some steps, after one that lists sessions."""
    shutil.copytree(REPOSITORY / "dags_examples" / "workflows", folder / "workflows")
    for path in (folder / "workflows").glob("*.*"):
        if path.suffix != ".csv":
            path.unlink()
    source = f"dag_id: page\nsteps:\n  session: {{blueprint: learning360_list_sessions}}\n{block}"
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(folder))
        if "providers.slack" not in block:
            assert len(built_dag(source, folder).task_ids) > 1
            return
        # Not installed here: the error says what to do.
        with pytest.raises(KeyError, match="page"):
            built_dag(source, folder)


def built_dag(source: str, folder: Path) -> Any:
    """Build a DAG of a YAML file, with the two files that the examples have beside theirs."""
    for name in ("loader.py", "dag_args.py"):
        shutil.copy2(REPOSITORY / "dags_examples" / "blueprint" / name, folder)
    (folder / "page.dag.yaml").write_text(source)
    return runpy.run_path(str(folder / "loader.py"))[yaml.safe_load(source)["dag_id"]]


@pytest.mark.parametrize(("page", "block"), blocks("text"))
def test_text(page: Page, block: str) -> None:
    if block.startswith("360Learning provider"):
        return  # compared in test_readme.py
    if block.startswith("Reminder policy"):
        return  # compared in tests/reminders/test_page.py
    if block.startswith("{"):
        return  # compared in tests/cli/test_call.py
    if block.startswith("["):
        assert_is_a_change(block)
    elif block.startswith("Waiting for"):
        assert_is_logged(block)
    else:
        assert any(sign in block for sign in DRAWN), "neither a drawing nor compared"


def assert_is_a_change(block: str) -> None:
    from airflow_provider_learning360.operators.changes import ChangedProgramSessionsOperator

    (change,) = ast.literal_eval(block)
    documented = ChangedProgramSessionsOperator.__doc__ or ""
    assert change["_id"] == ID
    assert [key for key in change if f"`{key}`" not in documented] == []


def assert_is_logged(block: str) -> None:
    from airflow_provider_learning360.api.models import ProgramSession
    from airflow_provider_learning360.waiting_log import WaitingLog, change_text, label, modified_text

    document = session_document(
        _id="680d7f3838c77bfba618bf6b", name="Workplace safety, Lyon", modifiedAt="2026-05-08T08:31:00.000Z"
    )
    session = ProgramSession.model_validate(document)
    lines: list[str] = []
    log = WaitingLog(session.id, lambda text, *values: lines.append(text % values), pytest.fail)
    log.note_wait(label(session), change_text(["startDate", "endDate"]), modified_text(session))
    log.note_next_poll(60, datetime(2026, 6, 1, 9, tzinfo=UTC))
    assert lines == block.splitlines()


def own_commands(pages: dict[str, Page]) -> list[list[str]]:
    """The arguments of our own commands, by whichever name they are called."""
    prefixes = ("airflow learning360 ", "python -m airflow_provider_learning360.cli ")
    lines = dict.fromkeys(line for page in pages.values() for line in page.commands())
    return [shlex.split(line.removeprefix(one)) for line in lines for one in prefixes if line.startswith(one)]


@pytest.mark.parametrize("arguments", own_commands(read_pages()), ids=" ".join)
@pytest.mark.learning360_simulator(sessions=1, learners=3)
def test_command(
    arguments: list[str],
    pages: dict[str, Page],
    learning360_simulator: Simulator,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    airflow_db: None,
) -> None:
    from airflow_provider_learning360.cli.__main__ import main

    if arguments[0] == "simulate":
        return  # the next test
    for name in ("policy.yaml", "reminders.yaml"):
        (tmp_path / name).write_text(pages["docs/how-to/remind.md"].blocks("yaml")[0])
    monkeypatch.chdir(tmp_path)
    learning360_simulator.put(ID, session_document(_id=ID))
    keys = {"login": learning360_simulator.client_id, "password": learning360_simulator.client_secret}
    connection = {"conn_type": "learning360", "host": learning360_simulator.url, "extra": {"api_version": "v2"}, **keys}
    monkeypatch.setenv("AIRFLOW_CONN_LEARNING360_V2", json.dumps(connection))
    main(arguments)
    # The command line may say that people are masked.
    assert not re.search("error|warning|traceback", capsys.readouterr().err, re.IGNORECASE)


def test_the_simulator_takes_the_arguments_shown(pages: dict[str, Page], monkeypatch: pytest.MonkeyPatch) -> None:
    # Imported before it is replaced, or the replacement would stay there.
    import airflow_provider_learning360.cli.simulator  # noqa: F401
    from airflow_provider_learning360.cli.__main__ import main as commands
    from airflow_provider_learning360.simulator import __main__ as command

    served: list[Any] = []
    monkeypatch.setattr(command, "run", lambda arguments: served.append(arguments) or 0)
    monkeypatch.setattr("airflow_provider_learning360.cli.simulator.run", command.run)
    prefix = "python -m airflow_provider_learning360.simulator "
    for line in pages["docs/how-to/test-dags.md"].commands():
        if line.startswith(prefix):
            command.main(shlex.split(line.removeprefix(prefix)))
    for arguments in own_commands(pages):
        if arguments[0] == "simulate":
            with pytest.raises(SystemExit):
                commands(arguments)

    assert [(one.port, one.sessions) for one in served] == [(8360, 50), (8361, 12)]


def test_extras_exist(pages: dict[str, Page]) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    named = {extra for page in pages.values() for extra in re.findall(r"pip install '\.\[(\w+)\]'", page.text)}
    assert named == set(project["optional-dependencies"])


def test_pytest_commands_run_something(pages: dict[str, Page]) -> None:
    prefix = ".venv/bin/python -m pytest "
    for page in pages.values():
        for line in page.commands():
            if line.startswith(prefix):
                path, *options = shlex.split(line.removeprefix(prefix))
                assert (REPOSITORY / path).exists()
                chosen = options[options.index("-k") + 1] if "-k" in options else ""
                assert any(chosen in one.read_text() for one in (REPOSITORY / path).rglob("*.py"))


def test_no_command_goes_unchecked(pages: dict[str, Page]) -> None:
    checked = (
        "make ",
        "airflow learning360 ",
        "python -m airflow_provider_learning360.",
        "export AIRFLOW_CONN_",
        "pip install '.[",
        ".venv/bin/python -m pytest ",
    )
    commands = {line for page in pages.values() for line in page.commands()}
    assert {line for line in commands if not line.startswith(checked)} == {
        f"SESSION_ID={ID} LEARNING360_COMPANY_ID=... LEARNING360_API_KEY=... make demo",
        "pip install .",
        "AIRFLOW__CORE__TEST_CONNECTION=Enabled airflow connections test learning360_default",
        # Compared in tests/test_yaml_examples.py.
        f"export AIRFLOW__DAG_PROCESSOR__DAG_IMPORTER_CONFIGS='{IMPORTERS}'",
        'git tag -a v0.1.0 -m "0.1.0"',
        "git push origin v0.1.0",
        ".venv/bin/twine upload dist/*",
    }


def test_included_files_are_tested_examples(pages: dict[str, Page]) -> None:
    included = {
        (page.path.parent / path).resolve().relative_to(REPOSITORY)
        for page in pages.values()
        for path in re.findall(r"^```\{literalinclude\} (\S+)$", page.text, re.MULTILINE)
    }
    assert {path.parts[0] for path in included} == {"dags_examples"}
    examples = {path.relative_to(REPOSITORY) for path in (REPOSITORY / "dags_examples").glob("*.py")}
    assert examples <= included, "every example in Python is in a page"
