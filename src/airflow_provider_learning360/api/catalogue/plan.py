"""The plan of an operation that has no pages: one request, and what to do if its outcome is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_learning360.api.catalogue.calls import read_whole
from airflow_provider_learning360.api.catalogue.unknown_outcome import explain_outcome
from airflow_provider_learning360.api.errors import UnknownOutcomeError

if TYPE_CHECKING:
    from airflow_provider_learning360.api.catalogue.answers import Answer
    from airflow_provider_learning360.api.catalogue.calls import OperationCall
    from airflow_provider_learning360.api.platform import Plan


def send_once(call: OperationCall) -> Plan[Answer]:
    """
    Plan the one request of an operation that has no pages.

    :param call: The call of the operation.
    :returns: The plan of the answer.
    :raises UnknownOutcomeError: The request must not be sent twice, and it is unknown whether it was carried out.
    """
    try:
        answer: Answer = yield read_whole(call)
    except UnknownOutcomeError as error:
        unknown = error
    else:
        return answer.require_readable()
    raise explain_outcome(call.operation, unknown)
