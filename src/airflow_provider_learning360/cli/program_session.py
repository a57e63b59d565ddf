"""`get-session` and `list-sessions`: read program sessions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypedDict
from urllib.parse import urlencode

from airflow_provider_learning360.api.changes import parse_datetime
from airflow_provider_learning360.api.contract import find_drift, report_drift
from airflow_provider_learning360.api.credentials import remove_keys
from airflow_provider_learning360.api.errors import ContractError, FixArgumentError, redact
from airflow_provider_learning360.api.fields import require_field_names
from airflow_provider_learning360.api.filters import is_within, matches_pattern
from airflow_provider_learning360.api.models import format_date
from airflow_provider_learning360.api.platform import SessionFilter, choose_keys
from airflow_provider_learning360.cli.errors import advise_exclude, refuse_usage, report_errors
from airflow_provider_learning360.cli.output import (
    logs_on_stderr,
    write,
    write_json,
    write_json_text,
    write_rows,
    write_yaml,
)
from airflow_provider_learning360.cli.people import MASKED, mask_people, record_request_for_people
from airflow_provider_learning360.cli.progress import show_progress
from airflow_provider_learning360.hooks.learning import LearningHook

if TYPE_CHECKING:
    from argparse import Namespace
    from datetime import datetime

    from airflow_provider_learning360.api.messages import Response
    from airflow_provider_learning360.api.models import ProgramSession
    from airflow_provider_learning360.api.platform import Keys


class SessionRow(TypedDict):
    """A row of `list-sessions`, with the names of the API."""

    _id: str
    name: str | None
    startDate: str | None
    endDate: str | None
    modifiedAt: str | None


def get_session(args: Namespace) -> None:
    """
    Read one program session and print it.

    :param args: `session_id`, `learning_conn_id`, `raw`, `field`, `exclude`, `contract`, `output` and `show_people`.
    """
    _require_consistent(args)
    with report_errors(), advise_exclude(helps=args.field is None):
        excluded = require_field_names(args.exclude, "--exclude")
        with logs_on_stderr(), show_progress("Reading the program session"):
            if args.show_people:
                record_request_for_people(args)
            hook = LearningHook(args.learning_conn_id)
            keys = choose_keys(None if args.field is None else [args.field], excluded)
            raw = _read_raw(hook, args.session_id, keys) if args.raw else None
            session = hook.get_program_session(args.session_id, keys) if raw is None else None
        if session is None:
            write_json_text(raw or "")
        else:
            _print_session(session, args, excluded)


def list_sessions(args: Namespace) -> None:
    """
    Print the program sessions of the company, sorted by their start.

    :param args: `name`, `starts_after`, `output` and `learning_conn_id`.
    """
    with report_errors():
        with logs_on_stderr(), show_progress("Reading the list of program sessions"):
            after = _parse_start(args.starts_after) if args.starts_after else None
            where = SessionFilter(starts_after=after)
            sessions = LearningHook(args.learning_conn_id).list_program_sessions(where=where)
        matching = [
            one for one in sessions if matches_pattern(one.name, args.name) and is_within(one.start_date, after)
        ]
        matching.sort(key=lambda one: (one.start_date is None, one.start_date, one.id))
        write_rows([_row(one) for one in matching], args.output)


def _read_raw(hook: LearningHook, session_id: str, keys: Keys) -> str:
    """Return the response as it arrived; the responses as a JSON array, if reading the session takes several."""
    responses: list[Response] = []
    try:
        hook.run_plan(hook.platform.get_session(session_id, keys), observe=responses.append)
    except ContractError as error:
        # A response that cannot be read is printed all the same; one with a status of an error is not.
        if not responses or error.status not in (None, responses[-1].status):
            raise
    if len(responses) == 1:
        return _text(responses[0])
    return "[" + ",\n".join(map(_embed, responses)) + "]"


def _embed(response: Response) -> str:
    """Return a request and its response as JSON."""
    request, text = response.request, _text(response)
    query = urlencode(remove_keys(request.query), safe="[]:")
    called = f"{request}?{query}" if query else str(request)
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        text = json.dumps(text)
    return f'{{"request": {json.dumps(called)}, "response": {text}}}'


def _text(response: Response) -> str:
    return response.body.decode("utf-8", "replace").removeprefix("\ufeff")


def _row(session: ProgramSession) -> SessionRow:
    # A name may hold a mail address.
    name = None if session.name is None else redact(session.name)
    return {
        "_id": session.id,
        "name": name,
        "startDate": _date(session.start_date),
        "endDate": _date(session.end_date),
        "modifiedAt": _date(session.modified_at),
    }


def _date(moment: datetime | None) -> str | None:
    return format_date(moment) if moment else None


def _require_consistent(args: Namespace) -> None:
    """Refuse options that contradict each other."""
    if args.raw and args.field is not None:
        refuse_usage("--raw prints the whole response, --field one field of it. Give one of them.")
    if args.exclude is not None and args.field is not None:
        refuse_usage("--field prints one field, so --exclude has no effect. Give one of them.")
    if args.raw and args.contract is not None:
        refuse_usage("--raw prints the response unchecked, so --contract has no effect. Give one of them.")
    if args.output is not None and (args.raw or args.field is not None):
        other = "--raw" if args.raw else "--field"
        refuse_usage(f"--output formats the whole session, and {other} prints something else. Give one of them.")
    if args.raw and not args.show_people:
        refuse_usage("--raw prints the response with the names and addresses of people. Add --show-people.")


def _print_session(session: ProgramSession, args: Namespace, excluded: list[str] | None) -> None:
    warning = report_drift(f"Program session {session.id}", find_drift(session), args.contract or "warn")
    if warning:
        write(f"Warning: {warning if args.show_people else redact(warning)}", to_stderr=True)
    sent = session.document(exclude=excluded)
    document = sent if args.show_people else mask_people(sent)
    if args.field is not None:
        _print_field(document, args.field)
    else:
        _print_document(document, args.output or "json")
    if document != sent and (args.field is None or document[args.field] != sent.get(args.field)):
        write(MASKED, to_stderr=True)


def _print_field(document: dict[str, Any], field: str) -> None:
    if field not in document:
        require_field_names([field], "--field")
        raise FixArgumentError(
            f"This session has no {field}: 360Learning did not send it. A field may be optional, or be unknown to the "
            "version of the API that the connection uses."
        )
    value = document[field]
    if isinstance(value, str):
        write(value)
    else:
        write_json(value)


def _print_document(document: dict[str, Any], output: str) -> None:
    if output == "json":
        write_json(document, indent=2)
    elif output == "yaml":
        write_yaml(document)
    else:
        write_rows([{"field": name, "value": value} for name, value in document.items()], output)


def _parse_start(text: str) -> datetime:
    """Return the time of `--starts-after`. A date is meant in UTC, as the help says, and needs no warning."""
    is_date = len(text.strip()) == len("2026-03-01")
    return parse_datetime(f"{text.strip()}T00:00:00Z" if is_date else text, "--starts-after")
