"""Assets that watch completions: their arguments, names and URIs."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_learning360.api.errors import FixArgumentError, InvalidIdError
from airflow_provider_learning360.assets.completions import watched_completions
from airflow_provider_learning360.assets.program_session import watched_program_sessions

A, B = "5f" * 12, "6e" * 12


def test_trigger_has_the_arguments_and_nothing_else() -> None:
    asset = watched_completions(
        "done", [B.upper(), A, A], learning_conn_id="academy", poll_interval=timedelta(minutes=5)
    )
    (watcher,) = asset.watchers
    path, arguments = watcher.trigger.serialize()
    assert path == "airflow_provider_learning360.triggers.completions.CompletionsWatchTrigger"
    expected = {"asset_name": "done", "session_ids": [A, B], "learning_conn_id": "academy", "poll_interval": 300.0}
    assert json.loads(json.dumps(arguments)) == expected


def test_default_is_the_whole_platform() -> None:
    (watcher,) = watched_completions("done").watchers
    assert watcher.trigger.session_ids is None


def test_asset_differs_from_that_of_changes_with_the_same_name() -> None:
    asset = watched_completions("all")
    assert asset.uri == "learning360://app.360learning.com/programs/sessions?kind=completions&name=all"
    assert asset.uri != watched_program_sessions("all").uri


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"name": ""}, "^name: "),
        ({"session_ids": A}, "^session_ids: expected a list"),
        ({"session_ids": []}, "^session_ids: the list is empty"),
        ({"session_ids": ["{{ params.id }}"]}, "^session_ids: a template or the output of a task has no value"),
        ({"poll_interval": 1}, "^poll_interval: .* is less than the shortest allowed"),
        ({"poll_interval": float("nan")}, "^poll_interval: "),
        ({"poll_interval": {"minute": 5}}, "^poll_interval: .*is not a duration"),
        ({"host": "https://user:key@app.360learning.com"}, "^host: the value is not a host"),
    ],
)
def test_arguments_are_checked_when_the_dag_is_parsed(arguments: dict[str, Any], problem: str) -> None:
    with pytest.raises(FixArgumentError, match=problem):
        watched_completions(**{"name": "done", **arguments})


def test_ids_are_checked() -> None:
    with pytest.raises(InvalidIdError):
        watched_completions("done", ["oops"])
