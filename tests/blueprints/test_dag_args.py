"""The class that lets DAGs in YAML say more about themselves, in the folder of somebody who uses it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

BROKEN = Path(__file__).resolve().parent / "broken"
SESSION_ID = "60b8d2956e20ae1a0f8e44f1"
STEPS = "steps:\n  sessions: {blueprint: learning360_list_sessions}\n"


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Any]:
    """Build the DAG of a YAML file that lies beside the class."""

    def built(text: str) -> Any:
        from blueprint import BlueprintRegistry, build_all_airflow_dags

        folder = tmp_path / "ours"
        folder.mkdir()
        (folder / "dag_args.py").write_text((BROKEN / "dag_args.py").read_text())
        (folder / "it.dag.yaml").write_text(f"dag_id: it\n{text}\n{STEPS}")
        registry = BlueprintRegistry(template_dirs=[tmp_path])
        found: dict[str, Any] = {}
        build_all_airflow_dags(tmp_path, register_globals=found, bp_registry=registry)
        return found["it"]

    return built


def test_dag_has_the_arguments_of_its_file(build: Callable[..., Any]) -> None:
    dag = build(
        """
description: Tell the tutors
schedule: "*/15 * * * *"
start_date: 2026-03-01
tags: [one, two]
max_active_runs: 3
owner: academy
mail_on_failure: [ops@example.com]
smtp_conn_id: mails
"""
    )
    assert (dag.description, dag.schedule, dag.tags) == ("Tell the tutors", "*/15 * * * *", {"one", "two"})
    assert (dag.start_date, dag.max_active_runs, dag.catchup) == (datetime(2026, 3, 1, tzinfo=UTC), 3, False)
    task = dag.get_task("sessions")
    assert task.owner == "academy"
    (notifier,) = task.on_failure_callback
    assert (notifier.to, notifier.smtp_conn_id) == (["ops@example.com"], "mails")


def test_dag_without_arguments_has_airflows_defaults(build: Callable[..., Any]) -> None:
    from airflow.providers.common.compat.sdk import conf

    dag = build("")
    assert (dag.schedule, dag.tags, dag.description) == (None, set(), None)
    assert dag.max_active_runs == conf.getint("core", "max_active_runs_per_dag")
    assert not dag.get_task("sessions").on_failure_callback


@pytest.mark.parametrize(
    ("watch", "name", "ids"),
    [
        (f"{{session_ids: [{SESSION_ID}]}}", f"learning360://app.360learning.com/programs/sessions/{SESSION_ID}", 1),
        ("{name: all, fields: [startDate]}", "all", None),
        (f"{{name: two, session_ids: [{SESSION_ID}, {'a' * 24}], host: us.360learning.com}}", "two", 2),
    ],
    ids=["one", "all", "some"],
)
def test_watch_schedules_on_an_asset(build: Callable[..., Any], watch: str, name: str, ids: int | None) -> None:
    dag = build(f"watch: {watch}")
    (asset,) = dag.schedule
    assert asset.name == name
    assert dag.max_active_runs == 1
    (watcher,) = asset.watchers
    trigger = watcher.trigger
    assert trigger.poll_interval == 300
    assert (None if trigger.session_ids is None else len(trigger.session_ids)) == ids


def test_watch_settings_reach_the_trigger(build: Callable[..., Any]) -> None:
    dag = build(
        """
watch:
  name: all
  fields: [startDate, endDate]
  poll_interval: {seconds: 30}
  learning_conn_id: here
  on_missing: event
max_active_runs: 2
"""
    )
    trigger = dag.schedule[0].watchers[0].trigger
    assert (trigger.watch, trigger.poll_interval) == (["startDate", "endDate"], 30.0)
    assert (trigger.learning_conn_id, trigger.on_missing) == ("here", "event")
    assert dag.max_active_runs == 2


def test_watch_may_be_of_completions(build: Callable[..., Any]) -> None:
    dag = build(f"watch: {{kind: completions, name: done, session_ids: [{SESSION_ID}], poll_interval: {{minutes: 1}}}}")
    (asset,) = dag.schedule
    (watcher,) = asset.watchers
    assert type(watcher.trigger).__name__ == "CompletionsWatchTrigger"
    assert (asset.name, watcher.trigger.session_ids, watcher.trigger.poll_interval) == ("done", [SESSION_ID], 60.0)
    assert dag.max_active_runs == 1


@pytest.mark.parametrize("watched", [True, False], ids=["beside ours", "without ours"])
def test_dags_of_other_folders_are_unchanged(build: Callable[..., Any], tmp_path: Path, watched: bool) -> None:
    from blueprint import BlueprintRegistry, build_all_airflow_dags

    if watched:
        build("watch: {name: all}")
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "plain.dag.yaml").write_text(f'dag_id: plain\nschedule: "@daily"\ndescription: Plain\n{STEPS}')
    found: dict[str, Any] = {}
    registry = BlueprintRegistry(template_dirs=[tmp_path])
    build_all_airflow_dags(tmp_path, register_globals=found, bp_registry=registry)
    assert (found["plain"].schedule, found["plain"].description) == ("@daily", "Plain")


def test_docstring_shows_the_file_to_write() -> None:
    from airflow_provider_learning360.dag_yaml.arguments import LearningDagArgs

    shown = " ".join((LearningDagArgs.__doc__ or "").split())
    code = [line.strip() for line in (BROKEN / "dag_args.py").read_text().splitlines()]
    assert not [line for line in code if line and not line.startswith('"""') and line not in shown]
