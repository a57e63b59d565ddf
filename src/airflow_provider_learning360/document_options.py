"""The options of a document that a task pushes: its fields, its contract and its size."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_learning360.api.errors import FixArgumentError, LearningError
from airflow_provider_learning360.api.platform import choose_keys
from airflow_provider_learning360.rendering import is_template

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from airflow_provider_learning360.api.contract import ContractPolicy
    from airflow_provider_learning360.api.models import ProgramSession
    from airflow_provider_learning360.api.platform import Keys

LARGE_DOCUMENT = 1024 * 1024  # bytes; a larger XCom slows Airflow's database down
SMALLER_DOCUMENT = "Push less with `fields` or `exclude`, or use an object-storage XCom backend."


class Log(Protocol):
    """The part of a logger that is used here; Airflow has several types of loggers."""

    def warning(self, event: str, *args: Any) -> Any:
        """Log a warning."""


@dataclass(frozen=True)
class DocumentOptions:
    """
    The options of the document of a session that a task pushes to XCom.

    :param fields: Names of the fields to keep, or one text with names separated by commas; default all.
    :param exclude: Names of the fields to leave out; default none.
    :param contract: What to do about drift: `ignore`, `warn` (default) or `strict`.
    :param max_xcom_bytes: Size of the document in bytes above which the task fails; default no limit.
    """

    fields: Collection[str] | str | None = None
    exclude: Collection[str] | str | None = None
    contract: ContractPolicy = "warn"
    max_xcom_bytes: int | None = None

    def check(self) -> None:
        """
        Check the options when the DAG is parsed; templates are checked when they are rendered.

        :raises FixArgumentError: A field or the contract is not known.
        """
        from airflow_provider_learning360.api.fields import require_field_names

        for argument in ("fields", "exclude"):
            if not is_template(value := getattr(self, argument)):
                require_field_names(value, argument)
        if self.contract not in ("ignore", "warn", "strict"):
            raise FixArgumentError(f"contract: {self.contract!r} is not one of ignore, warn, strict.")

    @property
    def keys(self) -> Keys:
        """Which keys of a document are needed."""
        from airflow_provider_learning360.api.fields import require_field_names

        return choose_keys(require_field_names(self.fields, "fields"), require_field_names(self.exclude, "exclude"))

    def advise(self, error: LearningError) -> LearningError:
        """
        Add to an error how a task does without the fields that could not be read.

        :param error: The error.
        :returns: The same error, with a sentence if leaving out fields helps.
        """
        if not error.keys:
            return error
        way = f"out of fields: {', '.join(error.keys)}" if self.fields else f"out: exclude={list(error.keys)}"
        return error.with_note(f"Or leave {'it' if len(error.keys) == 1 else 'them'} {way}.")

    @contextmanager
    def advising(self) -> Iterator[None]:
        """
        Add to an error in the block how the task does without the fields that could not be read.

        :returns: A context manager.
        """
        try:
            yield
        except LearningError as error:
            if not error.keys:
                raise
            raise self.advise(error) from None

    def build_document(self, session: ProgramSession, log: Log) -> dict[str, Any]:
        """
        Build the document to push.

        :param session: The session.
        :param log: The logger for warnings about drift and size.
        :returns: The document, with the API's names of fields.
        :raises ContractError: The session differs from the documentation, and `contract` is `strict`.
        :raises FixArgumentError: The document is larger than `max_xcom_bytes`.
        """
        from airflow_provider_learning360.api.contract import find_drift, report_absent, report_drift
        from airflow_provider_learning360.api.fields import require_field_names

        fields = require_field_names(self.fields, "fields")
        what = f"The document of program session {session.id}"
        if self.contract != "ignore":
            warning = report_drift(f"Program session {session.id}", find_drift(session), self.contract)
            if warning:
                log.warning("%s", warning)
            if warning := report_absent(what, session.coverage, fields or (), self.contract):
                log.warning("%s", warning)
        document = session.document(fields, require_field_names(self.exclude, "exclude"))
        check_xcom_size(what, document, self.max_xcom_bytes, SMALLER_DOCUMENT, log)
        return document


def check_xcom_size(what: str, value: Any, limit: int | None, advice: str, log: Log) -> None:
    """
    Check the size of what a task pushes to XCom.

    :param what: What it is, for the message, with a capital letter.
    :param value: The value.
    :param limit: Size in bytes above which the task fails; None for no limit.
    :param advice: What to do about a large value.
    :param log: The logger for the warning about a value above 1 MiB.
    :raises FixArgumentError: The value is larger than the limit.
    """
    size = len(json.dumps(value))
    if limit is not None and size > limit:
        raise FixArgumentError(f"{what} has {size:,} bytes, more than max_xcom_bytes={limit:,}. {advice}")
    if size > LARGE_DOCUMENT:
        log.warning("%s has %s bytes. %s", what, f"{size:,}", advice)
