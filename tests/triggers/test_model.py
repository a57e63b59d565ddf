"""
A model of all watchers: whatever happens in whatever order, no change is lost, and each change is acted on once.

`make test` runs it 200 times with a fixed seed, `make test-rest` 2,000 times. `make model` runs it 100,000 times with
new seeds, and prints them.
"""

from __future__ import annotations

import os
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from watch_model import FIELDS, NUMBERS, PLAIN, World, patched, session_id

# Runs of the model in one test, and those that only `make test-rest` makes.
FEW, MANY = 100, pytest.param(2000, marks=pytest.mark.slow)
RUNS = [int(os.environ["LEARNING360_MODEL_RUNS"])] if "LEARNING360_MODEL_RUNS" in os.environ else [FEW, MANY]
SEED = os.environ.get("LEARNING360_MODEL_SEED", "9")  # `random` for another one each time
BATCH = 2000

sessions = st.sampled_from([session_id(one) for one in NUMBERS])
indexes = st.integers(0, 7)


class WatchMachine(RuleBasedStateMachine):
    """What may happen, in any order."""

    world: World

    @initialize(poll=st.sampled_from(["list", "single", "modified"]), ready=st.booleans())
    def begin(self, poll: str, ready: bool) -> None:
        self.world = World(poll)
        if ready:  # the first watermarks are stored
            self.world.run_until_idle()

    @rule(one=sessions, field=st.sampled_from(["lang", "lang", "name"]))
    def edit(self, one: str, field: str) -> None:
        self.world.edit(one, field)

    @rule(one=sessions)
    def delete(self, one: str) -> None:
        self.world.delete(one)

    @precondition(lambda self: self.world.deleted)
    @rule(index=indexes)
    def restore(self, index: int) -> None:
        gone = sorted(self.world.deleted)
        self.world.restore(gone[index % len(gone)])

    @rule(index=indexes, outcome=st.sampled_from(["ok", "ok", "ok", "ok", "refused", "lost"]))
    def continue_one(self, index: int, outcome: str) -> None:
        self.world.open(index, outcome)

    @rule(steps=st.integers(2, 9))
    def continue_for_a_while(self, steps: int) -> None:
        for _ in range(steps):
            self.world.open(0)

    @rule(one=sessions, field=st.sampled_from(["lang", "name"]))
    def edit_and_poll(self, one: str, field: str) -> None:
        self.world.edit(one, field)
        self.world.poll_now()

    @rule(index=indexes)
    def store_event(self, index: int) -> None:
        self.world.store_event(index)

    @rule(index=indexes)
    def acknowledge(self, index: int) -> None:
        self.world.acknowledge(index)

    @rule(name=st.sampled_from([PLAIN, FIELDS]))
    def fail_watcher(self, name: str) -> None:
        self.world.fail_watcher(name)

    @rule()
    def crash(self) -> None:
        self.world.crash()

    @rule(fields=st.sampled_from([["lang"], ["lang", "name"]]))
    def watch_other_fields(self, fields: list[str]) -> None:
        self.world.fields = fields
        self.world.crash()

    @rule(dies_after=st.integers(-1, 2), only_last=st.booleans())
    def run_dag(self, dies_after: int, only_last: bool) -> None:
        self.world.run_dag(dies_after, only_last)

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self.world.check_every_change_is_reported()
            if self.world.is_calm:
                self.world.check_no_change_is_reported_twice()
            self.world.check_every_change_is_acted_on_once()
        finally:
            self.world.close()


@pytest.mark.parametrize("runs", RUNS)
def test_every_change_is_reported_and_acted_on_once(runs: int, capsys: pytest.CaptureFixture[str]) -> None:
    first = random.SystemRandom().randrange(2**32) if SEED == "random" else int(SEED)
    for number, start in enumerate(range(0, runs, BATCH)):
        examples = min(BATCH, runs - start)
        with capsys.disabled():
            print(f"\nmodel of the watchers: {examples} runs, LEARNING360_MODEL_SEED={first + number}")
        machine: Any = seed(first + number)(type("Machine", (WatchMachine,), {}))
        with patched():
            run_state_machine_as_test(
                machine,
                settings=settings(
                    max_examples=examples,
                    stateful_step_count=40,
                    deadline=None,
                    database=None,
                    report_multiple_bugs=False,
                    phases=(Phase.generate, Phase.shrink),
                    suppress_health_check=list(HealthCheck),
                ),
            )


def test_failed_watcher_keeps_nothing_of_an_event_that_was_not_stored() -> None:
    with patched():
        world = World("list")
        world.run_until_idle()
        world.edit(session_id(1), "name")
        world.poll_now()
        world.fail_watcher(PLAIN)
        world.acknowledge(0)  # Airflow does not say which watcher failed
        while any(gate[0] in ("get", "set") for gate in world.process.gates):
            world.open(next(i for i, gate in enumerate(world.process.gates) if gate[0] in ("get", "set")))
        world.check_every_change_is_reported()
        world.check_every_change_is_acted_on_once()
        world.close()


def test_modification_repeated_after_its_session_was_gone_is_acted_on_once() -> None:
    with patched():
        world = World("list")
        world.run_until_idle()
        world.edit(session_id(1), "name")
        world.poll_now()
        world.delete(session_id(1))
        world.poll_now()
        for _ in range(2):
            world.store_event(0)
        world.run_dag(-1, only_last=False)
        assert [entry["kind"] for entry in world.acted] == ["modified", "missing"]
        world.crash()
        world.restore(session_id(1))
        world.check_every_change_is_reported()
        world.check_every_change_is_acted_on_once()
        world.close()


def test_session_of_a_new_watcher_that_cannot_be_read_is_read_again() -> None:
    with patched():
        world = World("modified")
        world.run_until_idle()
        world.edit(session_id(1), "name")
        world.poll_now()
        world.edit(session_id(3), "name")  # moves the floor
        world.poll_now()
        world.fail_watcher(PLAIN)  # its event is lost, and its successor starts from the stored watermark
        world.failures_of_single_reads = 1
        for _ in range(40):
            world.open(0)
        assert world.failures_of_single_reads == 0
        world.check_every_change_is_reported()
        world.close()
