"""Assets of program sessions: one form of URI, early errors, and different watches are different assets."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow.sdk import Asset
from airflow.triggers.base import BaseEventTrigger

from airflow_provider_learning360.api.errors import FixArgumentError, InvalidIdError
from airflow_provider_learning360.assets.program_session import (
    program_session_asset,
    watched_program_session,
    watched_program_sessions,
)
from airflow_provider_learning360.operators.program_session import ListProgramSessionsOperator

ID = "60b8d2956e20ae1a0f8e44f1"
OPERATOR: Any = ListProgramSessionsOperator(task_id="list")
URI = f"learning360://app.360learning.com/programs/sessions/{ID}"


def arguments(asset: Asset) -> dict[str, Any]:
    (watcher,) = asset.watchers
    kwargs: dict[str, Any] = watcher.trigger.serialize()[1]
    return kwargs


@pytest.mark.parametrize(
    "written",
    [
        URI,
        f"{URI}/",
        URI.replace("app", "APP"),
        URI.replace("60b8", "60B8"),
        URI.replace("learning360:", "LEARNING360:"),
    ],
)
def test_uri_is_normalized(written: str) -> None:
    assert Asset(written).uri == URI


@pytest.mark.parametrize(
    "uri",
    [
        "learning360://app.360learning.com/programs/sessions/12",
        "learning360://app.360learning.com/programs/templates/60b8d2956e20ae1a0f8e44f1",
        "learning360:///programs/sessions",
        f"{URI}/users",
    ],
)
def test_invalid_uri_is_an_error_with_a_valid_example(uri: str) -> None:
    with pytest.raises(ValueError, match="60b8d2956e20ae1a0f8e44f1"):
        Asset(uri)


def test_uri_is_the_one_that_the_hook_reports() -> None:
    from airflow_provider_learning360.api.session_uri import build_session_uri

    assert watched_program_session(ID).uri == build_session_uri("https://app.360learning.com", ID) == URI
    assert program_session_asset(ID.upper(), host="app.us.360learning.com").uri == URI.replace("app.", "app.us.")


def test_openlineage_names_match() -> None:
    from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime

    from airflow_provider_learning360.assets import uri

    converters = ProvidersManagerTaskRuntime().asset_to_openlineage_converters
    assert converters["learning360"] is uri.convert_asset_to_openlineage
    assert uri.openlineage_name(URI) == ("learning360://app.360learning.com", f"programs/sessions/{ID}")


def test_watched_session_has_the_arguments_of_its_trigger() -> None:
    asset = watched_program_session(ID.upper(), poll_interval=60, watch=["startDate"], learning_conn_id="other")
    assert arguments(asset) == {
        "asset_name": asset.name,
        "session_ids": [ID],
        "learning_conn_id": "other",
        "poll_interval": 60.0,
        "poll": "auto",
        "watch": ["startDate"],
        "on_missing": "ignore",
    }


def test_watches_with_different_events_are_different_assets() -> None:
    assets = [
        watched_program_session(ID),
        watched_program_session(ID, watch=["startDate"]),
        watched_program_session(ID, watch=["endDate", "startDate"]),
        watched_program_session(ID, on_missing="event"),
        watched_program_session(ID, name="mine"),
        watched_program_sessions("ours"),
        watched_program_sessions("theirs"),
    ]
    assert len({asset.uri for asset in assets}) == len({asset.name for asset in assets}) == len(assets)
    assert watched_program_session(ID, watch=["startDate", "endDate"]).uri == assets[2].uri


def test_triggers_of_two_assets_have_different_hashes() -> None:
    hashes = set()
    for asset in (watched_program_sessions("one"), watched_program_sessions("two")):
        path, kwargs = asset.watchers[0].trigger.serialize()
        hashes.add(BaseEventTrigger.hash(path, kwargs))
    assert len(hashes) == 2


def test_field_may_be_a_text_and_host_in_capitals() -> None:
    assert watched_program_session(ID, watch="startDate").uri == watched_program_session(ID, watch=["startDate"]).uri  # type: ignore[arg-type]
    assert watched_program_session(ID, host="APP.360learning.com").name == watched_program_session(ID).name


def test_order_of_ids_makes_no_new_trigger() -> None:
    other = ID.replace("60", "70")
    one, two = (watched_program_sessions("x", ids) for ids in ([ID, other], [other.upper(), ID, ID]))
    assert arguments(one) == arguments(two)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: watched_program_session(ID, poll_interval=9.9), r"9.9 s is less than .* 10 s .*min_poll_interval"),
        (lambda: watched_program_session(ID, poll_interval="60"), "'60' is not a duration"),
        (lambda: watched_program_session(ID, poll_interval=float("nan")), "nan is not a number of seconds"),
        (lambda: watched_program_session(ID, host="not a host"), "the value is not a host"),
        (lambda: watched_program_session(ID, poll="both"), "auto, single, list"),
        (lambda: watched_program_session(ID, on_missing="fail"), "ignore, event"),
        (lambda: watched_program_session(ID, watch=["start_date"]), "Did you mean startDate"),
        (lambda: watched_program_session(ID, host="app.360learning.com/api"), "is not a host"),
        (
            lambda: watched_program_session(ID, host="https://me:SECRET@app.360learning.com"),
            r"^host: the value is not a host(?!.*SECRET)",
        ),
        (lambda: watched_program_sessions("x", poll="single"), "the list has to be read"),
        (lambda: watched_program_sessions("x", []), "the list is empty"),
        (lambda: watched_program_sessions("x", ID), "For one session, use watched_program_session"),
        (lambda: watched_program_sessions(""), "needs a name"),
        (lambda: watched_program_session(ID, poll_interval={"minute": 5}), r"poll_interval: .*\{days: 1\}"),
        (lambda: watched_program_session(ID, learning_conn_id="{{ var.value.x }}"), "^learning_conn_id: .* no DAG run"),
        (lambda: watched_program_session(ID, learning_conn_id=""), "^learning_conn_id: "),
        (lambda: watched_program_session(OPERATOR), "^session_id: got task 'list'.* Use .output"),
        (
            lambda: watched_program_session(OPERATOR.output),
            "^session_id: a template or the output of a task has no value here.* Write the value itself",
        ),
        (
            lambda: watched_program_sessions("x", OPERATOR.output),
            "^session_ids: a template or the output of a task has no value here.* Write the value itself",
        ),
    ],
)
def test_invalid_argument_is_refused_when_the_dag_is_parsed(make: Any, message: str) -> None:
    with pytest.raises(FixArgumentError, match=message):
        make()


@pytest.mark.parametrize("minutes", [{"minutes": 5}, timedelta(minutes=5), 300, 300.0])
def test_interval_is_a_duration_of_any_kind(minutes: Any) -> None:
    assert arguments(watched_program_session(ID, poll_interval=minutes))["poll_interval"] == 300.0


def test_invalid_id_is_refused_when_the_dag_is_parsed() -> None:
    with pytest.raises(InvalidIdError):
        watched_program_session("12")


def test_shortest_interval_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__LEARNING360__MIN_POLL_INTERVAL", "60")
    with pytest.raises(FixArgumentError, match="60 s"):
        watched_program_session(ID, poll_interval=30)
