"""`operations`: search the operations of 360Learning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypedDict

from airflow_provider_learning360.api.catalogue.search import find_topic, search_operations, suggest_words
from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.api.input_errors import format_value
from airflow_provider_learning360.cli.errors import report_argument_errors, report_errors
from airflow_provider_learning360.cli.output import write_rows

if TYPE_CHECKING:
    from argparse import Namespace

    from airflow_provider_learning360.api.catalogue.operation import Operation, Repeat

TABLE: tuple[Literal["name", "text", "repeat"], ...] = ("name", "text", "repeat")


class OperationRow(TypedDict):
    """A row of `operations`. A table has some of the columns only."""

    name: str
    method: str
    path: str
    topic: str
    text: str
    scope: str | None
    repeat: Repeat


def operations(args: Namespace) -> None:
    """
    Print the operations that have the given words, the best first; without words, the usual ones first.

    :param args: `words`, `topic` and `output`.
    """
    words = " ".join(args.words)
    with report_argument_errors():
        topic = None if args.topic is None else find_topic(args.topic, "--topic")
    with report_errors():
        found = search_operations(words, topic)
        if not found:
            where = "No operation" if topic is None else f"No operation of the topic {topic}"
            raise FixArgumentError(
                f"{where} has the words {format_value(words)}{suggest_words(words) or '.'} "
                "`airflow learning360 operations` lists all."
            )
        rows = [_row(one) for one in found]
        # A table of all columns breaks the names, which have to be copied.
        write_rows(
            [{name: one[name] for name in TABLE} for one in rows] if args.output == "table" else rows, args.output
        )


def _row(operation: Operation) -> OperationRow:
    return {
        "name": operation.name,
        "method": operation.method,
        "path": operation.path,
        "topic": operation.data["topic"],
        "text": operation.data["text"],
        "scope": operation.data.get("scope"),
        "repeat": operation.repeat,
    }
