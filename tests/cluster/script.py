"""What happens in which order: the seed determines who dies when and how, and which session is edited when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

# Share of the events, out of 25.
SHARES = {
    "worker": 5,
    "task": 5,
    "triggerer": 5,
    "scheduler": 4,
    "database": 3,
    "api-server": 2,
    "dag-processor": 1,
}
PAIRS = ("worker", "triggerer", "scheduler")
MOMENTS = ("at any time", "after an edit", "while mails are sent")
# `kill -9` of a service and of all that it started; or of its first process, so that the others run on for a while.
WAYS = ("SIGKILL", "SIGKILL", "SIGKILL of the first process", "SIGTERM")
EDITING_TIME = 12.0  # seconds over which the edits of a step are made
LONGEST_DOWNTIME = 12.0  # seconds until a killed service is started again
PAUSES = (4.0, 15.0)  # seconds of a pause of the database


@dataclass(frozen=True)
class PlannedEdit:
    """An edit of a session, some seconds after its step has begun."""

    seconds: float
    session_id: str


@dataclass(frozen=True)
class Step:
    """One event, and the edits around it."""

    victims: tuple[str, ...]
    way: str
    moment: str
    seconds: float  # of downtime or pause
    chance: float  # chooses among the tasks that run
    edits: tuple[PlannedEdit, ...]


def write_script(
    random: Random, events: int, once: Sequence[Sequence[str]], often: Sequence[str], a_step: int
) -> list[Step]:
    """
    Return the steps.

    :param random: Source of all choices.
    :param events: Number of steps.
    :param once: Lists of sessions that are edited once each, in this order, spread over all steps.
    :param often: Sessions that are edited at random.
    :param a_step: Edits of the latter in each step.
    """
    victims = choose_victims(random, events)
    return [
        write_step(
            random,
            victim,
            [one for ids in once for one in ids[number * len(ids) // events : (number + 1) * len(ids) // events]]
            + [random.choice(often) for _ in range(a_step)],
        )
        for number, victim in enumerate(victims)
    ]


def write_step(random: Random, victim: str, session_ids: list[str]) -> Step:
    """Return one step; all choices that the victim leaves open are random."""
    numbers = random.choice(((1,), (1,), (2,), (2,), (1, 2)))
    ways = {"database": ("SIGSTOP",), "task": ("SIGKILL",)}.get(victim, WAYS)
    edits = (PlannedEdit(random.uniform(0, EDITING_TIME), one) for one in session_ids)
    return Step(
        victims=tuple(f"{victim} {number}" for number in numbers) if victim in PAIRS else (victim,),
        way=random.choice(ways),
        moment=random.choice(MOMENTS),
        seconds=random.uniform(*PAUSES) if victim == "database" else random.uniform(0, LONGEST_DOWNTIME),
        chance=random.random(),
        edits=tuple(sorted(edits, key=lambda edit: edit.seconds)),
    )


def choose_victims(random: Random, events: int) -> list[str]:
    """Return who is hit, in random order, each in its share."""
    shares = [victim for victim, share in SHARES.items() for _ in range(share)]
    chosen = [
        shares[number * len(shares) // events] if events < len(shares) else shares[number % len(shares)]
        for number in range(events)
    ]
    random.shuffle(chosen)
    return chosen
