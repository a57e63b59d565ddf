"""Whatever the server sends, a sensor's trigger ends in an event that Airflow can store, and a watcher continues."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_learning360.api.changes import Watermark
from airflow_provider_learning360.api.errors import LearningError
from airflow_provider_learning360.assets.program_session import watched_program_sessions
from airflow_provider_learning360.triggers.program_session import ProgramSessionModifiedTrigger
from hostile.calls import assert_error_crosses_processes, assert_storable, bounded
from hostile.catalogue import CATALOGUE, Attack
from hostile.responses import SESSION_ID
from small_triggerer import Store, remove_waiting_times, running

PATIENCE = 60
LONG_AGO = Watermark(SESSION_ID, datetime(2020, 1, 1, tzinfo=UTC))
# Each of these takes as long as its bound; the other attacks on time show nothing new.
SLOW = ("slow_body", "slow_100", "flood_of_headers", "hang_after_accept", "hang_in_body")
# Kinds that have the same effect on a poller, whatever it requests.
SAME_IN_A_LIST = ("token", "header", "redirect", "connection")
# A session that was modified at the end of time cannot be modified later.
NEVER_LATER = ("modified_year_9999",)


def attacks(route: str, *without: str) -> list[Any]:
    return [
        pytest.param(one, id=one.name)
        for one in CATALOGUE
        if (route in one.routes or "token" in one.routes)
        and one.kind not in ("echo", *without)
        and (one.kind != "time" or one.name in SLOW)
        and one.name not in NEVER_LATER
    ]


def marks_of(poll: str, attack: Attack) -> list[pytest.MarkDecorator]:
    """Let `make test` run each third attack on one kind of poll; a list as large as its bound takes seconds to read."""
    number = CATALOGUE.index(attack)
    is_of_a_list = number % 2 == 1 and attack.kind not in ("size", *SAME_IN_A_LIST)
    return [] if number % 3 == 0 and is_of_a_list == (poll == "list") else [pytest.mark.slow]


def settings(attack: Attack) -> dict[str, Any]:
    return {**bounded(attack), "auth": "oauth2" if attack.kind == "token" else "headers"}


@pytest.mark.parametrize("attack", attacks("session"))
def test_event_of_a_trigger_can_be_stored(attack: Attack, serve: Any, connect: Callable[..., str]) -> None:
    conn_id = connect(serve(attack), **settings(attack))
    trigger = ProgramSessionModifiedTrigger(
        SESSION_ID, conn_id, LONG_AGO.to_dict(), list(attack.watch), max_failures=0, poke_interval=0.01
    )

    async def first_event() -> Any:
        async with asyncio.timeout(PATIENCE):
            return await anext(trigger.run())

    # The trigger keeps waiting while nothing has changed, which is right too.
    deadline = datetime.now(UTC).timestamp() + (0.2 if attack.kind in ("date", "item") else PATIENCE)
    trigger.deadline = datetime.fromtimestamp(deadline, UTC).isoformat()
    payload = asyncio.run(first_event()).payload
    assert_storable(payload)
    assert payload["kind"] in ("poll", "error", "timeout")
    if payload["kind"] == "error":
        assert_error_crosses_processes(LearningError.from_dict(payload["error"]))


@pytest.mark.parametrize(
    ("poll", "attack"),
    [
        pytest.param(poll, one.values[0], id=f"{poll}-{one.id}", marks=marks_of(poll, one.values[0]))
        for poll, route, without in (("single", "session", ()), ("list", "list", SAME_IN_A_LIST))
        for one in attacks(route, "wait", *without)
    ],
)
def test_watcher_continues_after_an_attack(
    poll: Any, attack: Attack, serve: Any, connect: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    remove_waiting_times(monkeypatch)
    server = serve(attack, armed=False)
    asset = watched_program_sessions(
        "watched",
        [SESSION_ID],
        learning_conn_id=connect(server, **settings(attack)),
        poll=poll,
        poll_interval=0.02,
        watch=["name"],
    )
    store = Store()

    async def attack_and_edit() -> None:
        async with running(store, asset) as triggerer:
            await triggerer.until(lambda: store.watermarks("watched"), PATIENCE)
            server.arm()
            seen = len(server.served)
            await triggerer.until(lambda: len(server.served) >= seen + 2, PATIENCE)
            server.armed = False
            modified_at = server.edit("After the attack")
            await triggerer.until(lambda: modified_at in reported(triggerer.events), PATIENCE)
            assert triggerer.failed == []
            for _, payload in triggerer.events:
                assert_storable(payload)

    asyncio.run(attack_and_edit())


def reported(events: list[tuple[str, dict[str, Any]]]) -> list[str]:
    """Return the times of modification that the events report."""
    return [one["modifiedAt"]["to"] for _, payload in events for one in payload["sessions"] if "modifiedAt" in one]
