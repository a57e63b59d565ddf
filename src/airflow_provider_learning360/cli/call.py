"""`call`: call any operation of 360Learning. A write is shown first, and needs a yes."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.catalogue.answers import AnswerChoice, check_fields
from airflow_provider_learning360.api.catalogue.arguments import check_arguments
from airflow_provider_learning360.api.catalogue.bulk_operation import find_bulk_operation_id
from airflow_provider_learning360.api.catalogue.calls import OperationCall
from airflow_provider_learning360.api.catalogue.catalogue import find_operation
from airflow_provider_learning360.api.catalogue.masking import MASK, is_id_or_date, mask_answer
from airflow_provider_learning360.api.catalogue.options import parse_pages
from airflow_provider_learning360.api.contract import report_drift
from airflow_provider_learning360.api.errors import redact
from airflow_provider_learning360.cli.answer_output import write_answer, write_field
from airflow_provider_learning360.cli.call_arguments import STDIN, parse_parameters, read_body
from airflow_provider_learning360.cli.errors import (
    refuse_usage,
    report_argument_errors,
    report_errors,
    report_interrupted_write,
)
from airflow_provider_learning360.cli.output import logs_on_stderr, write
from airflow_provider_learning360.cli.people import MASKED, record_request_for_people
from airflow_provider_learning360.cli.progress import show_progress
from airflow_provider_learning360.cli.sent_request import describe_request
from airflow_provider_learning360.hooks.learning import LearningHook
from airflow_provider_learning360.uploaded_files import read_files

if TYPE_CHECKING:
    from argparse import Namespace

    from airflow_provider_learning360.api.catalogue.answers import Answer
    from airflow_provider_learning360.api.catalogue.operation import Operation
    from airflow_provider_learning360.cli.sent_request import SentRequest

NOTHING_SENT = "Nothing was sent."


def call(args: Namespace) -> None:
    """
    Call an operation, and print its answer.

    :param args: `operation`, `parameters`, `body`, `pages`, `field`, `dry_run`, `yes`, `replace`, `show_people`,
        `output` and `learning_conn_id`.
    """
    with report_argument_errors():
        operation = find_operation(args.operation)
        body = read_body(args.body)
        built = _build_call(operation, body, args)
    _require_consistent(operation, args)
    with report_errors():
        with logs_on_stderr():
            if args.show_people:
                record_request_for_people(args, _find_private(args))
            hook = LearningHook(args.learning_conn_id)
            hook.platform.require_operation(operation)
            sent = describe_request(built, body, hook.settings.host, show_people=args.show_people)
        if args.dry_run:
            write_answer(sent, args.output or "json")
            write(NOTHING_SENT, to_stderr=True)
            _note_masked(sent)
            return
        if not operation.is_read and not args.yes:
            _confirm(operation, sent)
        with report_interrupted_write(operation), logs_on_stderr(), show_progress(f"Calling {operation.name}"):
            answer = hook.run_plan(hook.platform.call_operation(built))
        _print_answer(operation, answer, args)


def _build_call(operation: Operation, body: Any, args: Namespace) -> OperationCall:
    parameters = parse_parameters(operation, args.parameters or ())
    fields = None if args.field is None else (args.field,)
    check_fields(operation, fields, "--field")
    pages = parse_pages(args.pages, "--pages")
    check_arguments(operation, parameters, body)
    content = read_files(operation, body)
    return OperationCall.build(operation, parameters, content, choice=AnswerChoice(fields), pages=pages)


def _require_consistent(operation: Operation, args: Namespace) -> None:
    """Refuse options that contradict each other, and a write that nobody agreed to."""
    if args.field is not None and args.output is not None:
        refuse_usage("--output formats the whole answer, and --field prints one field of it. Give one of them.")
    if operation.is_read or args.dry_run:
        return
    if "replaces" in operation.data and not args.replace:
        refuse_usage(
            f"{operation.name} replaces {operation.data['replaces']}: everything that is not in the body is removed. "
            "Add --replace if that is what you want; --dry-run shows what would be sent."
        )
    if not args.yes and not sys.stdin.isatty():
        refuse_usage(
            f"{operation.name} changes data in 360Learning, and there is no terminal to ask whether to send it. Add "
            "--yes to send it; --dry-run shows what would be sent."
        )


def _find_private(args: Namespace) -> list[str]:
    """Return what of the command line may be about people, or a password: a body, and texts of parameters."""
    is_elsewhere = args.body is None or args.body == STDIN or args.body.startswith("@")
    values = [text.partition("=")[2] for text in args.parameters or ()]
    # With the `=`, so that another argument with the same end stays as it is.
    private = [f"={value}" for value in values if not is_id_or_date(value)]
    return private if is_elsewhere else [*private, args.body]


def _confirm(operation: Operation, sent: SentRequest) -> None:
    """
    Show a write, and ask whether to send it.

    :raises SystemExit: With status 1, if it is not to be sent.
    """
    write(f"{sent['method']} {sent['url']}", to_stderr=True)
    if sent["body"] is not None:
        write(json.dumps(sent["body"], indent=2, ensure_ascii=False), to_stderr=True)
    if "warning" in operation.data:
        write(f"Beware: {operation.data['warning']}", to_stderr=True)
    _note_masked(sent)
    write("Send it? [y/N] ", to_stderr=True)
    if not _is_yes():
        write(NOTHING_SENT, to_stderr=True)
        raise SystemExit(1)


def _is_yes() -> bool:
    try:
        return sys.stdin.readline().strip().lower() in ("y", "yes")
    except KeyboardInterrupt:
        return False


def _note_masked(sent: SentRequest) -> None:
    if MASK in json.dumps(sent, ensure_ascii=False):
        write(MASKED, to_stderr=True)


def _print_answer(operation: Operation, answer: Answer, args: Namespace) -> None:
    shown = answer.value if args.show_people else mask_answer(operation, answer.value)
    if answer.value is None:
        write(f"360Learning answered {answer.status}, without content.", to_stderr=True)
    elif args.field is not None:
        write_field(shown, args.field)
    else:
        write_answer(shown, args.output or "json")
    for note in _notes(operation, answer, show_people=args.show_people):
        write(note, to_stderr=True)
    if shown != answer.value:
        write(MASKED, to_stderr=True)


def _notes(operation: Operation, answer: Answer, *, show_people: bool) -> list[str]:
    """Return what a person has to know about an answer, beside its value."""
    drift: Any = report_drift(f"The answer of {operation.name}", answer.drift, "warn")
    notes = [f"Warning: {one}" for one in (drift, answer.unreadable.report("warn")) if one]
    if answer.has_more:
        notes.append("There are more pages. --pages all reads them, --pages 5 at most five.")
    if operation_id := find_bulk_operation_id(answer):  # an ID, and nothing that a shell or terminal would obey
        notes.append(
            "360Learning does the work later. This shows its progress: "
            f"airflow learning360 call get-bulk-operation -p bulkOperationId={operation_id}"
        )
    return notes if show_people else [redact(one) for one in notes]
