"""What of a program session reaches XCom: the chosen fields, checked against the contract and a size."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.rendering import is_template

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow_provider_learning360.api.contract import ContractPolicy
    from airflow_provider_learning360.api.models import ProgramSession

LARGE_DOCUMENT = 1024 * 1024  # bytes; above it Airflow's database suffers


class Log(Protocol):
    """The part of a logger that is needed here; Airflow's loggers are of several kinds."""

    def warning(self, event: str, *args: Any) -> Any: ...


@dataclass(frozen=True)
class DocumentOptions:
    """
    The choices of an author about the document that his task pushes.

    :param fields: Names of the fields to keep; None for all.
    :param exclude: Names of the fields to leave out; None for none.
    :param contract: What to do about drift.
    :param max_xcom_bytes: Size above which the document is an error; None for no limit.
    """

    fields: Collection[str] | str | None = None
    exclude: Collection[str] | str | None = None
    contract: ContractPolicy = "warn"
    max_xcom_bytes: int | None = None

    def check(self) -> None:
        """
        Check what can be checked before there is a session; templates are left for later.

        :raises FixArgumentError: A field or the policy is not known.
        """
        from airflow_provider_learning360.api.models import require_field_names

        for argument in ("fields", "exclude"):
            if not is_template(value := getattr(self, argument)):
                require_field_names(value, argument)
        if self.contract not in ("ignore", "warn", "strict"):
            raise FixArgumentError(f"contract: {self.contract!r} is not one of ignore, warn, strict.")

    def of(self, session: ProgramSession, log: Log) -> dict[str, Any]:
        """
        Return the document to push.

        :param session: The session.
        :param log: Where to warn about drift and size.
        :raises ContractError: It differs from the documentation, and the policy is `strict`.
        :raises FixArgumentError: It is larger than `max_xcom_bytes`.
        """
        from airflow_provider_learning360.api.contract import find_drift, report_drift
        from airflow_provider_learning360.api.models import require_field_names

        if self.contract != "ignore":
            warning = report_drift(f"Program session {session.id}", find_drift(session), self.contract)
            if warning:
                log.warning("%s", warning)
        document = session.document(
            require_field_names(self.fields, "fields"), require_field_names(self.exclude, "exclude")
        )
        self._weigh(session.id, document, log)
        return document

    def _weigh(self, session_id: str, document: dict[str, Any], log: Log) -> None:
        size = len(json.dumps(document))
        limit = self.max_xcom_bytes
        ways_out = "Keep less with `fields` or `exclude`, or use an object-storage XCom backend."
        if limit is not None and size > limit:
            raise FixArgumentError(
                f"Program session {session_id} has {size:,} bytes, more than max_xcom_bytes={limit:,}. {ways_out}"
            )
        if size > LARGE_DOCUMENT:
            log.warning("Program session %s takes %s bytes in XCom. %s", session_id, f"{size:,}", ways_out)
