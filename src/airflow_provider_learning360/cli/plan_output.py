"""The result of `plan-reminders` as text, and as rows of CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.sanitizer import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_learning360.cli.plan import PlanResult, RulePlan, SessionPlan, Totals

CSV_COLUMNS = (
    *("session_id", "title", "rule", "status", "reason", "due", "release", "message", "occurrence"),
    *("recipients", "without_address", "due_date"),
)


def csv_rows(result: PlanResult) -> Iterator[list[Any]]:
    """
    Yield a row of `CSV_COLUMNS` for each session and rule; addresses are separated by blanks.

    :param result: The plan.
    """
    for session in result["sessions"]:
        for rule in session["rules"]:
            cells: dict[str, Any] = {**session, **rule}
            for people in ("recipients", "without_address"):
                cells[people] = " ".join(cells[people])
            yield [cells[column] for column in CSV_COLUMNS]


def text_lines(result: PlanResult) -> Iterator[str]:
    """
    Yield the lines of the plan, for people.

    :param result: The plan.
    """
    yield f"{result['policy']}: from {result['from']} until {result['until']}, {result['time_zone']}"
    for session in result["sessions"]:
        yield ""
        yield _title_line(session)
        for rule in session["rules"]:
            about = f", due date {rule['due_date']}" if rule["due_date"] else ""
            yield f"  {rule['rule']}{about}: {_skipped(rule) if rule['status'] == 'skipped' else _due(rule)}"
    yield ""
    yield from _total_lines(result["totals"])


def _title_line(session: SessionPlan) -> str:
    start, end = session["start"], session["end"]
    return ", ".join([
        _printable(session["title"]),
        f"starts {start}" if start else "start not set",
        f"ends {end}" if end else "end not set",
    ])  # fmt: skip


def _skipped(rule: RulePlan) -> str:
    return f"no, {rule['reason']}"


def _due(rule: RulePlan) -> str:
    notes = f" ({'; '.join(rule['notes'])})" if rule["notes"] else ""
    number = "" if rule["occurrence"] is None else f" no. {rule['occurrence']}"
    people = _list_people(rule["recipients"]) or "nobody"
    unreachable = _list_people(rule["without_address"])
    without = f"; no mail address: {unreachable}" if unreachable else ""
    return f"due {rule['due']}{notes}, {rule['message']}{number} to {people}{without}"


def _list_people(addresses: list[str]) -> str:
    return f"{len(addresses)}: {', '.join(map(_printable, addresses))}" if addresses else ""


def _total_lines(totals: Totals) -> Iterator[str]:
    count = totals["without_address"]
    without = f", {_count(count, 'recipient')} without a mail address" if count else ""
    yield (
        f"Total: {_count(totals['reminders'], 'reminder')} for "
        f"{_count(totals['sessions_with_reminders'], 'session')}, {_count(totals['mails'], 'mail')}{without}."
    )
    if totals["sessions_not_shown"]:
        yield f"Nothing for {_count(totals['sessions_not_shown'], 'other session')}; --session ID says why."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _printable(text: str) -> str:
    return printable(text) or "(none)"
