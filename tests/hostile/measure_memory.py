"""
Measure how much memory each attack takes from a client: `python -m hostile.measure_memory ACTOR CALL ATTACK...`.

Each attack gets its own fork, which has read a healthy response before. So no attack can use memory that another one
left behind. Prints one JSON line for each attack: its name, and the growth in MB.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import multiprocessing
import os
import resource
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from hostile.calls import ROUTES, AsyncCalls, Calls, SyncCalls
from hostile.catalogue import CATALOGUE, Attack, attack_named
from hostile.responses import SESSION_ID, Bounds
from hostile.server import HostileServer

MIB = 1024 * 1024
BOUNDS = Bounds(document=16 * MIB, listing=32 * MIB, error=MIB, times=8)
PATIENCE = 120.0  # seconds; far longer than needed, because a busy machine must not fail a test
IMPORTED = (
    "aiohttp",
    "airflow.providers.http.hooks.http",
    "airflow_provider_learning360.assets.program_session",
    "airflow_provider_learning360.hooks.learning",
    "airflow_provider_learning360.hooks.learning_async",
    "airflow_provider_learning360.operators.program_session",
    "airflow_provider_learning360.triggers.poller",
    "airflow_provider_learning360.triggers.program_session",
    "small_triggerer",
)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def connect(server: HostileServer, attack: Attack, call: str) -> None:
    """Define the connection `hostile`."""
    seconds = 0.7 if attack.kind == "time" else PATIENCE
    extra = {
        "auth": "oauth2" if call == "token" else "headers",
        "retry_attempts": 1,
        "requests_per_second": 1000,
        "max_document_bytes": BOUNDS.document,
        "max_list_bytes": BOUNDS.listing,
        "max_error_bytes": BOUNDS.error,
        "max_document_seconds": seconds,
        "max_list_seconds": seconds,
        "timeout": seconds,
    }
    document = {"conn_type": "learning360", "host": server.url, "login": "demo-company", "password": "demo-key"}
    os.environ["AIRFLOW_CONN_HOSTILE"] = json.dumps({**document, "extra": extra})


def run_hook(calls: Calls, call: str) -> None:
    """Carry out one call; a stream is read and not kept."""
    from airflow_provider_learning360.api.errors import LearningError, SettingsError

    with contextlib.suppress(LearningError):
        try:
            calls.count_streamed() if call == "stream" else calls.call(call)
        except SettingsError as error:
            raise RuntimeError("the hook sent no request") from error
    calls.close()


def run_sync(server: HostileServer, call: str) -> None:
    """Carry out a call of the sync hook."""
    run_hook(SyncCalls("hostile"), call)


def run_async(server: HostileServer, call: str) -> None:
    """Carry out a call of the async hook."""
    run_hook(AsyncCalls("hostile"), call)


def run_trigger(server: HostileServer, call: str) -> None:
    """Run a trigger until its first event: an error, or a session to poll."""
    from airflow_provider_learning360.api.changes import Watermark
    from airflow_provider_learning360.triggers.program_session import ProgramSessionModifiedTrigger

    async def first_event() -> Any:
        watermark = Watermark(SESSION_ID, LONG_AGO).to_dict()
        trigger = ProgramSessionModifiedTrigger(SESSION_ID, "hostile", watermark, max_failures=0, poke_interval=0.01)
        return await anext(trigger.run())

    event = asyncio.run(asyncio.wait_for(first_event(), PATIENCE))
    assert event.payload["kind"] in ("poll", "error")


def run_poller(server: HostileServer, call: str) -> None:
    """Run a poller until it has polled once during the attack."""
    import pytest

    from airflow_provider_learning360.assets.program_session import watched_program_sessions
    from small_triggerer import Store, remove_waiting_times, running

    remove_waiting_times(pytest.MonkeyPatch())
    asset = watched_program_sessions(
        "watched",
        [SESSION_ID],
        learning_conn_id="hostile",
        poll_interval=0.05,
        poll="list" if ROUTES[call] == "list" else "single",
    )

    async def until_polled() -> None:
        async with running(Store(), asset) as triggerer:
            await triggerer.until(lambda: server.count(ROUTES[call]) > 1, PATIENCE)

    asyncio.run(until_polled())


ACTORS: dict[str, Callable[[HostileServer, str], None]] = {
    "sync": run_sync,
    "async": run_async,
    "trigger": run_trigger,
    "poller": run_poller,
}


def attack_actor(actor: str, call: str, attack: Attack, *, armed: bool = True) -> None:
    """Attack an actor."""
    with HostileServer(attack, {ROUTES[call]}, BOUNDS, armed=armed, patience=PATIENCE) as server:
        connect(server, attack, call)
        ACTORS[actor](server, call)
        assert server.count(ROUTES[call])


def growth(actor: str, call: str, name: str) -> float:
    """Return the peak growth of a process in MB while an actor is attacked."""
    attack_actor(actor, call, CATALOGUE[0], armed=False)  # allocates what stays: connections and imports
    gc.collect()
    before = resident()
    attack_actor(actor, call, attack_named(name))
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before) / 1e6


def resident() -> int:
    """Return the bytes of memory that this process has now."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def main() -> None:
    """Measure."""
    actor, call, *names = sys.argv[1:]
    for module in IMPORTED:  # once for all forks; only imported, because threads do not survive a fork
        import_module(module)
    from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector

    get_hook_lineage_collector()  # loads Airflow's plugins, which takes longer than an attack
    fork = multiprocessing.get_context("fork")
    for name in names:
        with fork.Pool(1) as pool:
            grown = pool.apply(growth, (actor, call, name))
        print(json.dumps([name, grown]), flush=True)


if __name__ == "__main__":
    main()
