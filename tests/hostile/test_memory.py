"""Whatever is answered: a process grows by twice the bound and 50 MB at most, and by 50 MB at most where it streams."""

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
from hostile.measured import ACTORS, BOUNDS

TESTS = Path(__file__).resolve().parents[1]
PATIENCE = 280
SLACK = 50.0  # MB
AT_ONCE = max(2, os.cpu_count() or 1)

# What takes memory, if nothing bounds it.
CORE = (
    "endless_text", "endless_items", "endless_403", "gzip_bomb", "at_the_bound",
    "many_small_arrays", "many_small_numbers", "deep_objects", "flood_of_100", "header_without_end", "item_huge",
    "many_small_dictionaries", "many_beside_surrogate", "many_small_sessions",
)  # fmt: skip
BEGINS = ("endless_", "gzip_", "deflate_", "raw_deflate_", "flood_of_", "many_", "deep_")
MORE = ("one_byte_over", "status_without_end", "header_name_without_end", "duplicate_ids")
# Every actor with the calls that it makes.
HOOK_CALLS = ("get", "list", "stream", "token")
CALLS = {"sync": HOOK_CALLS, "async": HOOK_CALLS, "trigger": ("get",), "poller": ("get", "stream")}


# Those that meet every large attack; the others meet the core, which saves minutes.
THOROUGH = {("sync", "get"), ("async", "stream")}


def attacks_on(actor: str, call: str) -> list[Attack]:
    on_route = [one for one in CATALOGUE if ROUTES[call] in one.routes]
    if (actor, call) in THOROUGH:
        return [one for one in on_route if one.name.startswith(BEGINS) or one.name in (*CORE, *MORE)]
    return [one for one in on_route if one.name in CORE]


def bar(call: str, attack: Attack) -> float:
    """The growth in MB that is allowed."""
    if call == "stream":
        return SLACK
    bounds = {"get": BOUNDS.document, "list": BOUNDS.listing, "token": BOUNDS.error}
    return 2 * (BOUNDS.error if attack.is_error else bounds[call]) / 1e6 + SLACK


class Measuring:
    """Measures in processes of their own, a few at once, each as soon as its turn has come."""

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
        """End what still runs."""
        for process in self._running.values():
            process.kill()
            process.communicate()

    def _start(self, actor: str, call: str) -> None:
        names = [one.name for one in attacks_on(actor, call)]
        self._running[actor, call] = subprocess.Popen(
            [sys.executable, "-m", "hostile.measured", actor, call, *names],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])},
        )

    def _collect(self, key: tuple[str, str]) -> None:
        process = self._running[key]
        said, trouble = process.communicate(timeout=PATIENCE)
        del self._running[key]
        lines = [json.loads(line) for line in said.splitlines() if line.startswith("[")]
        self._measured[key] = {name: grown for name, grown in lines if isinstance(grown, float)}
        assert process.returncode == 0, trouble[-3000:]


@pytest.fixture(scope="module")
def measuring() -> Iterator[Measuring]:
    one = Measuring()
    yield one
    one.end()


@pytest.mark.parametrize(("actor", "call"), [(actor, call) for actor, calls in CALLS.items() for call in calls])
def test_memory_is_bounded(actor: str, call: str, measuring: Measuring) -> None:
    grown = measuring.growth(actor, call)
    assert set(grown) == {one.name for one in attacks_on(actor, call)}
    over = {
        one.name: f"{grown[one.name]:.0f} MB of {bar(call, one):.0f} MB"
        for one in attacks_on(actor, call)
        if grown[one.name] > bar(call, one)
    }
    assert over == {}


def test_every_actor_is_measured() -> None:
    assert set(CALLS) == set(ACTORS)
