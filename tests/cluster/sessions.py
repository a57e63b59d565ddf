"""The sessions of the simulator, and what waits for them, watches them, or reminds of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

WAITING = {"deferred": 88, "reschedule": 8, "poke": 4}  # sensors by mode
WATCHING_DAGS, ASSETS_A_DAG = 6, 5
DELIVERIES = 60
RECIPIENTS = 8  # of each delivery
CONNECTIONS = 2  # of a delivery to the mail server
KINDS = ("at_least_once", "at_most_once")


def session_id(number: int) -> str:
    """Return the ID of a session."""
    return f"{number:024x}"


# Sessions by what they are for. A reminded session belongs to one kind of delivery, by turns.
WAITED = [session_id(1000 + number) for number in range(sum(WAITING.values()))]
WATCHED = [session_id(2000 + number) for number in range(WATCHING_DAGS * ASSETS_A_DAG)]
REMINDED = [session_id(3000 + number) for number in range(DELIVERIES)]


def sensors() -> dict[str, list[str]]:
    """Return the waited-for sessions by mode."""
    ids = iter(WAITED)
    return {mode: [next(ids) for _ in range(count)] for mode, count in WAITING.items()}


def assets() -> dict[str, dict[str, str]]:
    """Return the watched sessions by name of the asset, by DAG."""
    ids = enumerate(WATCHED)
    return {
        f"act{dag}": {f"asset{n}": one for n, one in (next(ids) for _ in range(ASSETS_A_DAG))}
        for dag in range(WATCHING_DAGS)
    }


def policy() -> dict[str, Any]:
    """Return the policy: one kind of delivery by the start of a session, the other by its end."""
    day = {"days": 1}
    rule = {"before": day, "audience": "learners"}
    return {
        "name": "cluster",
        "max_lateness": day,
        "rules": [
            {"name": "recorded", "anchor": "startDate", "delivery": KINDS[0], **rule},
            {"name": "claimed", "anchor": "endDate", "delivery": KINDS[1], **rule},
        ],
    }


def kind_of(reminded: str) -> str:
    """Return the kind of delivery of a session."""
    return KINDS[int(reminded, 16) % 2]


def after(**lead: float) -> str:
    """Return a time from now on, as the API writes it."""
    return (datetime.now(tz=UTC) + timedelta(**lead)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def session(one: str, learners: int) -> dict[str, Any]:
    """Return a session that starts and ends too late for a reminder."""
    number = int(one, 16)
    return {
        "_id": one,
        "name": f"Session {number}",
        "programTemplate": session_id(9000),
        "tutors": ["tutor@example.com"],
        "modifiedAt": after(days=-1),
        "startDate": after(days=60),
        "endDate": after(days=90),
        "users": [
            {"_id": f"{number * 100 + user:024x}", "mail": f"s{number}.r{user}@example.com"} for user in range(learners)
        ],
    }
