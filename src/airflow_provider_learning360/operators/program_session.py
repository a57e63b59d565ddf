"""Operators that read program sessions."""

from __future__ import annotations

__all__ = ["GetProgramSessionOperator", "ListProgramSessionsOperator"]

from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_learning360 import DEFAULT_CONN_ID
from airflow_provider_learning360.api.changes import parse_datetime
from airflow_provider_learning360.api.filters import is_within, matches_pattern
from airflow_provider_learning360.api.platform import SessionFilter
from airflow_provider_learning360.api.session_ids import find_session_id, format_id
from airflow_provider_learning360.document_options import DocumentOptions
from airflow_provider_learning360.learning_operator import LearningOperator
from airflow_provider_learning360.mapped_label import name_mapped_task
from airflow_provider_learning360.policies.retry import fail_fast, with_retry_policy
from airflow_provider_learning360.rendering import is_template

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_learning360.api.contract import ContractPolicy
    from airflow_provider_learning360.api.document_list import DocumentList
    from airflow_provider_learning360.api.models import ProgramSession


# The name of a date, its earliest time, and the time before which it must be.
Window = tuple[str, "datetime | None", "datetime | None"]


class GetProgramSessionOperator(LearningOperator, BaseOperator):
    """
    Read one program session of 360Learning and push its validated JSON document to XCom.

    :param session_id: ID of the session, 24 hexadecimal characters; or a document with `_id`, as
        `ListProgramSessionsOperator` returns it.
    :param learning_conn_id: ID of the Airflow connection; default `learning360_default`.
    :param fields: Names of the fields to push, as the API writes them; default all that were sent.
    :param exclude: Names of the fields not to push, such as `users`; default none.
    :param contract: What to do if the response differs from the documentation: `ignore`, `warn` (default) or `strict`.
    :param max_xcom_bytes: Size of the document, in bytes, above which the task fails; default no limit, and a
        warning above 1 MiB.
    :returns: The document, with the API's names of fields.

    Source: 360Learning API v1, `GET /api/v1/programs/sessions/{session_id}/`; API v2, `GET /api/v2/paths/sessions`.
    """

    template_fields: Sequence[str] = (
        "session_id",
        "learning_conn_id",
        "fields",
        "exclude",
    )
    ui_color = "#e8f3f1"

    def __init__(
        self,
        *,
        session_id: str | dict[str, Any],
        learning_conn_id: str = DEFAULT_CONN_ID,
        fields: list[str] | None = None,
        exclude: list[str] | None = None,
        contract: ContractPolicy = "warn",
        max_xcom_bytes: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**with_retry_policy(kwargs))
        self.session_id = session_id
        self.learning_conn_id = learning_conn_id
        self.fields = fields
        self.exclude = exclude
        self.contract = contract
        self.max_xcom_bytes = max_xcom_bytes
        self.check_own_arguments()
        self._document_options.check()

    @property
    def _document_options(self) -> DocumentOptions:
        return DocumentOptions(self.fields, self.exclude, self.contract, self.max_xcom_bytes)

    def execute(self, context: Context) -> dict[str, Any]:
        """
        Read the session and return its document.

        :param context: Airflow's task context.
        :returns: The document.
        """
        with fail_fast(), self._document_options.advising():
            options = self._document_options
            session = self.hook.get_program_session(find_session_id(self.session_id), options.keys)
            name_mapped_task(context, session)
            self.log.info("Read %s.", session.title)
            if self.hook.call_count > 1 and not self.fields:
                self.log.info(
                    "The document took %d requests. `fields` with fields of the session only, such as name and "
                    "startDate, takes 1.",
                    self.hook.call_count,
                )
            return options.build_document(session, self.log)


class ListProgramSessionsOperator(LearningOperator, BaseOperator):
    """
    List the program sessions of the company, filtered, as small documents ready for `.expand(session_id=...)`.

    API v1 sends all sessions in one response: filters make the XCom smaller, but not the response. API v2 filters by
    itself, except by name. A session without the date that a filter compares is left out.

    :param learning_conn_id: ID of the Airflow connection; default `learning360_default`.
    :param template_id: ID of the program template that the sessions belong to; default any.
    :param name_pattern: Pattern of the name, with `*` and `?`; capital and small letters are equal; default any.
    :param starts_after: Earliest `startDate`, inclusive; a datetime or ISO text; default none.
    :param starts_before: `startDate` must be earlier than this; default none.
    :param ends_after: Earliest `endDate`, inclusive; default none.
    :param ends_before: `endDate` must be earlier than this; default none.
    :param modified_since: Earliest `modifiedAt`, inclusive; default none.
    :param fields: Names of the fields to push; default `_id`, `name`, `startDate`, `endDate`, `modifiedAt`.
    :param contract: What to do if the response differs from the documentation: `ignore`, `warn` (default) or `strict`.
    :returns: The documents.

    Source: 360Learning API v1, `GET /api/v1/programs/sessions`; API v2, `GET /api/v2/paths/sessions`.
    """

    template_fields: Sequence[str] = (
        "learning_conn_id",
        "template_id",
        "name_pattern",
        "starts_after",
        "starts_before",
        "ends_after",
        "ends_before",
        "modified_since",
        "fields",
    )
    ui_color = "#e8f3f1"

    def __init__(
        self,
        *,
        learning_conn_id: str = DEFAULT_CONN_ID,
        template_id: str | None = None,
        name_pattern: str | None = None,
        starts_after: str | datetime | None = None,
        starts_before: str | datetime | None = None,
        ends_after: str | datetime | None = None,
        ends_before: str | datetime | None = None,
        modified_since: str | datetime | None = None,
        fields: list[str] | None = None,
        contract: ContractPolicy = "warn",
        **kwargs: Any,
    ) -> None:
        super().__init__(**with_retry_policy(kwargs))
        self.learning_conn_id = learning_conn_id
        self.template_id = template_id
        self.name_pattern = name_pattern
        self.starts_after = starts_after
        self.starts_before = starts_before
        self.ends_after = ends_after
        self.ends_before = ends_before
        self.modified_since = modified_since
        self.fields = fields
        self.contract = contract
        self.check_own_arguments()
        DocumentOptions(fields=fields, contract=contract).check()

    @classmethod
    def check_arguments(cls, given: Mapping[str, Any]) -> None:
        """
        Refuse arguments that cannot work in any run.

        :param given: The arguments that are known when the DAG is parsed.
        :raises FixArgumentError: An argument is not valid.
        """
        super().check_arguments(given)
        if not is_template(given.get("template_id")):
            format_id(given.get("template_id"), "template_id")

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """
        Read all sessions and return the documents of those that match.

        :param context: Airflow's task context.
        :returns: The documents.
        """
        from airflow_provider_learning360.api.document_list import DocumentChoice
        from airflow_provider_learning360.api.fields import require_field_names

        with fail_fast(), DocumentOptions(self.fields).advising():
            fields = require_field_names(self.fields, "fields") or ["_id", "name", "startDate", "endDate", "modifiedAt"]
            windows, template_id = self._windows(), format_id(self.template_id, "template_id")
            choice = DocumentChoice(
                frozenset(fields),
                partial(self._matches, windows=windows, template_id=template_id),
                with_drift=self.contract != "ignore",
            )
            where = _build_filter(windows, template_id)
            listed = self.hook.list_documents(choice, contract=self.contract, where=where)
            self._report_drift(listed, fields)
            self.log.info("%d of %d program sessions match.", len(listed.documents), listed.session_count)
            return listed.documents

    def _windows(self) -> list[Window]:
        """Return for each date its earliest time, and the time before which it must be."""
        limits = {
            name: parse_datetime(value, name) if (value := getattr(self, name)) else None
            for name in ("starts_after", "starts_before", "ends_after", "ends_before", "modified_since")
        }
        return [
            ("start_date", limits["starts_after"], limits["starts_before"]),
            ("end_date", limits["ends_after"], limits["ends_before"]),
            ("modified_at", limits["modified_since"], None),
        ]

    def _matches(
        self,
        session: ProgramSession,
        windows: list[Window],
        template_id: str | None,
    ) -> bool:
        if template_id and session.program_template != template_id:
            return False
        # With native rendering, a pattern of digits arrives as a number.
        pattern = None if self.name_pattern is None else str(self.name_pattern)
        return matches_pattern(session.name, pattern) and all(
            is_within(getattr(session, field), after, before) for field, after, before in windows
        )

    def _report_drift(self, listed: DocumentList, fields: list[str]) -> None:
        from airflow_provider_learning360.api.contract import report_absent, report_drift

        what = "The list of program sessions"
        if warning := report_drift(what, listed.drift, self.contract):
            self.log.warning("%s", warning)
        if listed.coverage and (warning := report_absent(what, listed.coverage, fields, self.contract)):
            self.log.warning("%s", warning)


def _build_filter(windows: list[Window], template_id: str | None) -> SessionFilter:
    (_, starts_after, starts_before), (_, ends_after, ends_before), (_, modified_since, _) = windows
    return SessionFilter(template_id, starts_after, starts_before, ends_after, ends_before, modified_since)
