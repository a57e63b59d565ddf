"""`plan-reminders` and `reminder-schema`: what a reminder policy means, before anything is sent."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from airflow_provider_learning360.api.errors import FixArgumentError, redact
from airflow_provider_learning360.cli.errors import report_errors
from airflow_provider_learning360.cli.output import logs_on_stderr, write, write_csv, write_json
from airflow_provider_learning360.cli.people import record_request_for_people
from airflow_provider_learning360.cli.plan import DryRun, PlanResult
from airflow_provider_learning360.cli.plan_output import CSV_COLUMNS, csv_rows, text_lines
from airflow_provider_learning360.cli.progress import show_progress
from airflow_provider_learning360.hooks.learning import LearningHook
from airflow_provider_learning360.reminders.candidates import PreviewFilter, StoredSessions
from airflow_provider_learning360.reminders.policy import ReminderPolicy

if TYPE_CHECKING:
    from argparse import Namespace

    from airflow_provider_learning360.api.models import ProgramSession

MAX_HORIZON = 3660  # days


def reminder_schema(_: Namespace) -> None:
    """Print the JSON Schema of a reminder policy."""
    print(json.dumps(ReminderPolicy.json_schema(), indent=2))


def plan_reminders(args: Namespace) -> None:
    """
    Print which reminders would go out, when and to whom, and why others would not. Nothing is sent or stored.

    :param args: `policy`, `at`, `horizon`, `session`, `output`, `learning_conn_id` and `show_addresses`.
    """
    with report_errors():
        policy = ReminderPolicy.read(args.policy)
        now, until = _window(args, policy)
        with logs_on_stderr():
            if args.show_addresses:
                record_request_for_people(args)
            result = _plan(args, policy, now, until)
        if args.output == "json":
            write_json(result, indent=2)
        elif args.output == "csv":
            write_csv(CSV_COLUMNS, csv_rows(result))
        else:
            write("\n".join(text_lines(result)))


def _plan(args: Namespace, policy: ReminderPolicy, now: datetime, until: datetime) -> PlanResult:
    hook = LearningHook(args.learning_conn_id)
    if policy.has_due_dates:
        hook.platform.require_due_dates()
    dry_run = DryRun(policy, hook, now, until, show_addresses=args.show_addresses)
    sessions: list[ProgramSession] | StoredSessions
    with show_progress("Reading the program sessions"):
        if args.session:
            sessions = [hook.get_program_session(session_id, policy.session_keys) for session_id in args.session]
        else:
            listed = hook.list_documents(PreviewFilter(policy, now, until).choice)
            sessions = StoredSessions(listed.documents)
            dry_run.add_others(listed.session_count - len(sessions))
    with show_progress("Planning the reminders", total=len(sessions)) as advance:
        for session in sessions:
            dry_run.add(session, keep=bool(args.session))
            advance()
    return dry_run.result()


def _window(args: Namespace, policy: ReminderPolicy) -> tuple[datetime, datetime]:
    """Return the time of the plan, and until when to look ahead."""
    if not 0 <= args.horizon <= MAX_HORIZON:
        raise FixArgumentError(f"--horizon: {args.horizon} is not a number of days from 0 to {MAX_HORIZON}.")
    try:
        now = datetime.fromisoformat(args.at) if args.at else datetime.now(tz=UTC)
        # A time without a zone is meant as the policy's times are.
        now = (now if now.tzinfo else now.replace(tzinfo=policy.zone)).astimezone(UTC)
        return now, now + timedelta(days=args.horizon)
    except (ValueError, OverflowError):
        pass
    raise FixArgumentError(f"--at: {redact(repr(args.at))} is not a time. Give one such as 2026-03-01T08:00.")
