"""Whatever the server sends, a process grows by at most twice the bound plus 50 MB; a stream by at most 50 MB."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hostile.calls import ROUTES
from hostile.catalogue import CATALOGUE, Attack
from hostile.measure_memory import ACTORS, BOUNDS

pytestmark = pytest.mark.slow

TESTS = Path(__file__).resolve().parents[1]
PATIENCE = 900  # seconds for all attacks of one actor and call
SLACK = 50.0  # MB
AT_ONCE = max(2, os.cpu_count() or 1)

# Attacks that take memory if nothing bounds them.
CORE = (
    "endless_text", "endless_items", "endless_403", "gzip_bomb", "at_the_bound",
    "many_small_arrays", "many_small_numbers", "deep_objects", "flood_of_100", "header_without_end", "item_huge",
    "many_small_dictionaries", "many_beside_surrogate", "many_small_sessions",
)  # fmt: skip
BEGINS = ("endless_", "gzip_", "deflate_", "raw_deflate_", "flood_of_", "many_", "deep_")
MORE = ("one_byte_over", "status_without_end", "header_name_without_end", "duplicate_ids")
# The calls of each actor.
HOOK_CALLS = ("get", "list", "stream", "token")
CALLS = {"sync": HOOK_CALLS, "async": HOOK_CALLS, "trigger": ("get",), "poller": ("get", "stream")}


# These meet every large attack. The others meet CORE only, which saves minutes.
THOROUGH = {("sync", "get"), ("async", "stream")}


def attacks_on(actor: str, call: str) -> list[Attack]:
    on_route = [one for one in CATALOGUE if ROUTES[call] in one.routes]
    if (actor, call) in THOROUGH:
        return [one for one in on_route if one.name.startswith(BEGINS) or one.name in (*CORE, *MORE)]
    return [one for one in on_route if one.name in CORE]


def allowed_growth(call: str, attack: Attack) -> float:
    """Return the growth in MB that is allowed."""
    if call == "stream":
        return SLACK
    bounds = {"get": BOUNDS.document, "list": BOUNDS.listing, "token": BOUNDS.error}
    return 2 * (BOUNDS.error if attack.is_error else bounds[call]) / 1e6 + SLACK


class MemoryMeter:
    """Measures each actor and call in its own process, AT_ONCE of them at the same time."""

    def __init__(self) -> None:
        self._waiting = [(actor, call) for actor, calls in CALLS.items() for call in calls]
        self._running: dict[tuple[str, str], subprocess.Popen[str]] = {}
        self._measured: dict[tuple[str, str], dict[str, float]] = {}

    def growth(self, actor: str, call: str) -> dict[str, float]:
        """Return the growth in MB by attack."""
        while (actor, call) not in self._measured:
            while self._waiting and len(self._running) < AT_ONCE:
                self._start(*self._waiting.pop(0))
            self._collect(next(iter(self._running)))
        return self._measured[actor, call]

    def end(self) -> None:
        """End the processes that still run."""
        for process in self._running.values():
            process.kill()
            process.communicate()

    def _start(self, actor: str, call: str) -> None:
        names = [one.name for one in attacks_on(actor, call)]
        self._running[actor, call] = subprocess.Popen(
            [sys.executable, "-m", "hostile.measure_memory", actor, call, *names],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])},
        )

    def _collect(self, key: tuple[str, str]) -> None:
        process = self._running[key]
        output, errors = process.communicate(timeout=PATIENCE)
        del self._running[key]
        lines = [json.loads(line) for line in output.splitlines() if line.startswith("[")]
        self._measured[key] = {name: grown for name, grown in lines if isinstance(grown, float)}
        assert process.returncode == 0, errors[-3000:]


@pytest.fixture(scope="module")
def meter() -> Iterator[MemoryMeter]:
    meter = MemoryMeter()
    yield meter
    meter.end()


@pytest.mark.parametrize(("actor", "call"), [(actor, call) for actor, calls in CALLS.items() for call in calls])
def test_memory_is_bounded(actor: str, call: str, meter: MemoryMeter) -> None:
    grown = meter.growth(actor, call)
    assert set(grown) == {one.name for one in attacks_on(actor, call)}
    over = {
        one.name: f"{grown[one.name]:.0f} MB of {allowed_growth(call, one):.0f} MB"
        for one in attacks_on(actor, call)
        if grown[one.name] > allowed_growth(call, one)
    }
    assert over == {}


def test_every_actor_is_measured() -> None:
    assert set(CALLS) == set(ACTORS)
