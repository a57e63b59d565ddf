"""What a reminder policy of the form would send, when and to whom; nothing is sent or stored."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.catalogue.masking import MASK
from airflow_provider_learning360.api.errors import FixArgumentError, LearningError
from airflow_provider_learning360.api.models import format_date
from airflow_provider_learning360.reminders.candidates import PreviewFilter, StoredSessions
from airflow_provider_learning360.reminders.outcomes import SessionOutcomes
from airflow_provider_learning360.reminders.policy import ReminderPolicy
from airflow_provider_learning360.ui.archive import split_files
from airflow_provider_learning360.ui.failure import failure_from_error, list_problems
from airflow_provider_learning360.ui.reminder_workflow import build_reminder_workflow
from airflow_provider_learning360.ui.text import redacted_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_provider_learning360.api.models import ProgramSession
    from airflow_provider_learning360.hooks.learning import LearningHook
    from airflow_provider_learning360.reminders.recipients import Recipient
    from airflow_provider_learning360.ui.responses import (
        ArgumentProblemItem,
        Failure,
        PlannedReminder,
        ReminderPlan,
    )

MAX_DAYS = 366  # to look ahead
MAX_SESSIONS = 2000  # that may have a reminder
MAX_CHOSEN_SESSIONS = 20
MAX_ROWS = 500  # of the table
MAX_SHOWN = 20  # recipients of one reminder
MAX_SECONDS = 60.0  # that all requests may take


def plan_reminders(
    hook: LearningHook, form: Mapping[str, Any], session_ids: Sequence[str], *, approval: bool, days: int
) -> ReminderPlan:
    """
    Check a policy, and return its files and what it would send.

    :param hook: The hook of the connection.
    :param form: The policy, as in its YAML file; null means the default.
    :param session_ids: IDs of the sessions; empty for all of the platform.
    :param approval: Whether somebody approves each reminder first.
    :param days: How many days to look ahead.
    :returns: The problems of the policy; or its files and the plan.
    :raises InvalidIdError: The ID of a session is not valid.
    """
    data = drop_empty(form)
    problems = find_problems(hook, data)
    now = datetime.now(tz=UTC)
    result: ReminderPlan = {
        "problems": problems,
        "files": [],
        "plan": [],
        "until": format_date(now + timedelta(days=days)),
        "sessions": 0,
        "complete": not problems,
        "not_planned": [],
        "failure": None,
    }
    if problems:
        return result
    policy = ReminderPolicy.model_validate(data)
    snippet = build_reminder_workflow(data, hook.learning_conn_id, session_ids, approval=approval)
    result["files"] = [{"file": path, "text": text} for path, text in split_files(snippet).items()]
    result["not_planned"] = [rule.name for rule in policy.rules if rule.on]
    planner = _Planner(hook, policy, now, now + timedelta(days=days))
    planner.add_sessions(session_ids)
    rows = sorted(planner.rows, key=lambda one: (one["at"], one["session"], one["rule"]))
    return {
        **result,
        "plan": rows[:MAX_ROWS],
        "sessions": planner.count,
        "complete": planner.is_complete and len(rows) <= MAX_ROWS,
        "failure": planner.failure,
    }


def find_problems(hook: LearningHook, data: Mapping[str, Any]) -> list[ArgumentProblemItem]:
    """
    Return what is wrong with a policy, also for the version of the API that the connection uses.

    :param hook: The hook of the connection.
    :param data: The policy.
    """
    found = ReminderPolicy.find_problems(data)
    if not found:
        anchors = [index for index, rule in enumerate(data["rules"]) if rule.get("anchor") == "dueDate"]
        try:
            if anchors:
                hook.platform.require_due_dates()
        except FixArgumentError as error:
            found = [(f"rules.{index}.anchor", str(error)) for index in anchors]
    return list_problems(found)


def drop_empty(value: Any) -> Any:
    """
    Return a value without null in mappings: a form sends it for what is not filled in.

    :param value: The value.
    """
    if isinstance(value, dict):
        return {name: drop_empty(one) for name, one in value.items() if one is not None}
    if isinstance(value, list):
        return [drop_empty(one) for one in value]
    return value


class _Planner:
    """Plans the reminders of many sessions, within a time limit."""

    def __init__(self, hook: LearningHook, policy: ReminderPolicy, now: datetime, until: datetime) -> None:
        self.rows: list[PlannedReminder] = []
        self.count = 0
        self.is_complete = True
        self.failure: Failure | None = None
        self._hook, self._policy, self._now, self._until = hook, policy, now, until
        self._deadline = time.monotonic() + MAX_SECONDS

    def add_sessions(self, session_ids: Sequence[str]) -> None:
        """Read the sessions and plan each; an error ends the plan, and what is known stays."""
        try:
            for session in self._read_sessions(session_ids):
                if not self._has_time():
                    self.is_complete = False
                    return
                self._add(session)
                self.count += 1
        except LearningError as error:
            self.failure, self.is_complete = failure_from_error(error), False

    def _read_sessions(self, session_ids: Sequence[str]) -> Iterable[ProgramSession]:
        keys = self._policy.session_keys
        if not session_ids:
            return self._read_all()
        return (self._hook.get_program_session(one, keys) for one in session_ids if self._has_time())

    def _read_all(self) -> Iterable[ProgramSession]:
        """Return the sessions that may have a reminder, and count the others."""
        preview = PreviewFilter(self._policy, self._now, self._until, MAX_SESSIONS)
        self._has_time()
        listed = self._hook.list_documents(preview.choice)
        self.is_complete = not preview.beyond_limit
        self.count = listed.session_count - preview.beyond_limit - len(listed.documents)
        return StoredSessions(listed.documents)

    def _has_time(self) -> bool:
        """Return whether time is left, and give the next request no more than that."""
        left = self._deadline - time.monotonic()
        self._hook.time_limit = max(left, 0.1)
        return left > 0

    def _add(self, session: ProgramSession) -> None:
        outcomes = SessionOutcomes(self._policy, self._hook, session, self._now, self._until)
        for reminder in outcomes.reminders:
            self._has_time()
            people = outcomes.recipients(reminder)
            self.rows.append({
                "at": format_date(outcomes.release_of(reminder)),
                "due": format_date(reminder.due),
                "rule": reminder.rule,
                "session": session.id,
                "title": redacted_name(session.title),
                "anchor": reminder.anchor,
                "anchor_at": reminder.anchor_at,
                "message": reminder.message,
                "recipients": len(people.mailable),
                "who": [_mask(one) for one in people.mailable[:MAX_SHOWN]],
                "without_address": len(people.unmailable),
            })  # fmt: skip


def _mask(person: Recipient) -> str:
    return f"{(person.mail or '')[:1]}{MASK}"
