"""The cost of planning the reminders of a large company."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from airflow_provider_learning360.api.models import ProgramSession, SessionStatistics, format_date
from airflow_provider_learning360.reminders.planner import Plan, plan
from airflow_provider_learning360.reminders.policy import ReminderPolicy

STATM = Path("/proc/self/statm")
NOW = datetime(2026, 3, 27, 9, 0, tzinfo=UTC)  # two days before clocks change in Paris
OVERDUE = {"anchor": "endDate", "every": {"days": 2}, "audience": "not_completed"}
POLICY = ReminderPolicy.read(
    {
        "name": "large",
        "time_zone": "Europe/Paris",
        "quiet_hours": {"from": "20:00", "to": "08:00"},
        "working_days": ["mon", "tue", "wed", "thu", "fri"],
        "rules": [
            {"name": "week", "anchor": "startDate", "before": {"days": 7}, "audience": "learners"},
            {"name": "day", "anchor": "startDate", "before": {"days": 1}, "audience": "learners"},
            {"name": "hour", "anchor": "startDate", "before": {"hours": 1}, "audience": "learners"},
            {"name": "tutors", "anchor": "startDate", "before": {"days": 2}, "audience": "tutors", "message": "digest"},
            {
                "name": "welcome",
                "template": "own",
                "anchor": "startDate",
                "after": {"hours": 1},
                "audience": "learners",
            },
            {"name": "ending", "anchor": "endDate", "before": {"days": 3}, "audience": "not_completed"},
            {"name": "last", "anchor": "endDate", "before": {"hours": 4}, "audience": "not_completed"},
            {"name": "late", "after": {"days": 1}, "at_most": 10, "escalate_to_tutors_after": 3, **OVERDUE},
            {"name": "later", "after": {"days": 30}, "at_most": 50, **OVERDUE},
            {"name": "moved", "on": "date_changed", "audience": ["learners", "tutors"]},
        ],
    }
)


def memory() -> int:
    """Return the memory of this process in bytes."""
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def company(count: int, learners: int) -> tuple[list[ProgramSession], dict[str, SessionStatistics]]:
    """Return the sessions of a year, parsed, with now in the middle of it; and the progress of their learners."""
    random, sessions, statistics = Random(360), [], {}
    for place in range(count):
        users = [
            {"_id": f"{place * 1000 + one:024x}", "mail": f"p{place}-{one}@example.com"} for one in range(learners)
        ]
        start = NOW + timedelta(minutes=random.randint(-180 * 1440, 180 * 1440))
        document = {
            "_id": f"{place:024x}", "startDate": format_date(start), "endDate": format_date(start + timedelta(days=30)),
            "modifiedAt": format_date(NOW - timedelta(hours=1)), "tutors": ["tom@example.com"], "users": users,
        }  # fmt: skip
        progress = [{"mail": one["mail"], "progress": random.choice((0, 50, 100))} for one in users]
        sessions.append(ProgramSession.model_validate(document))
        statistics[f"{place:024x}"] = SessionStatistics.model_validate({"usersStats": progress})
    return sessions, statistics


def test_planning(benchmark: Any, measuring: bool, figure: Callable[..., None]) -> None:
    count = 5_000 if measuring else 50
    before = memory()
    sessions, statistics = company(count, learners=50)
    known = plan(sessions[: count // 2], POLICY, NOW - timedelta(days=1)).announced
    times: list[float] = []
    plans: list[Plan] = []

    def once() -> None:
        started = time.process_time()
        plans[:] = [plan(sessions, POLICY, NOW, statistics=statistics, announced=known)]
        times.append(time.process_time() - started)

    benchmark.pedantic(once, rounds=5 if measuring else 1)

    grown = memory() - before
    (found,) = plans
    assert len(found.due) + len(found.skipped) == 10 * count
    assert len({one.key for one in found.due}) == len(found.due) > 0
    what = f"planning {count:,} sessions x 10 rules x 50 learners, CPU"
    figure(what, f"{median(times):.2f} s ({len(found.due):,} due)", "< 5 s")
    figure("the same, memory, with all sessions and statistics held", f"{grown / 1e6:.0f} MB", "< 500 MB")
