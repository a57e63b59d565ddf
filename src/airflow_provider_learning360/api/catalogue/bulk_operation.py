"""Bulk operations: 360Learning accepts a request, does the work later, and says how far it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict
from urllib.parse import urlsplit

from airflow_provider_learning360.api.catalogue.answers import AnswerChoice
from airflow_provider_learning360.api.catalogue.calls import OperationCall
from airflow_provider_learning360.api.catalogue.catalogue import find_operation
from airflow_provider_learning360.api.catalogue.operation import ID_PATTERN
from airflow_provider_learning360.api.errors import ContractError, redact

if TYPE_CHECKING:
    from airflow_provider_learning360.api.catalogue.answers import Answer

RUNNING = frozenset({"pending", "queued", "running"})
COMPLETED = "completed"
MAX_RESULTS = 1000  # results that are pushed to XCom
_UNCHECKED = AnswerChoice(with_drift=False)


class BulkStatus(TypedDict):
    """
    A bulk operation, as `get-bulk-operation` returns it. It may have more keys.

    :param status: How far it is.
    :param errorMessage: Why it failed.
    """

    status: str
    errorMessage: NotRequired[str | None]


class BulkResult(BulkStatus):
    """
    A bulk operation that has ended, as a task pushes it.

    :param succeeded: How many items succeeded.
    :param failed: How many items failed.
    :param results: The results of its items, those that failed first; at most `MAX_RESULTS`.
    """

    succeeded: int
    failed: int
    results: list[Any]


def find_bulk_operation_id(answer: Answer) -> str | None:
    """
    Return the ID of the bulk operation that an answer names.

    :param answer: The answer to an asynchronous operation.
    :returns: The ID; None if the answer names none.
    """
    try:
        path = urlsplit(answer.location or "").path
    except ValueError:  # not a URL
        return None
    last = path.rstrip("/").rpartition("/")[2]
    return last if re.fullmatch(ID_PATTERN, last) else None


def read_status(bulk_operation_id: str) -> OperationCall:
    """
    Build the call that reads how far a bulk operation is.

    :param bulk_operation_id: Its ID.
    """
    return _build("get-bulk-operation", bulk_operation_id)


def read_results(bulk_operation_id: str) -> OperationCall:
    """
    Build the call that reads the result of each item of a bulk operation.

    :param bulk_operation_id: Its ID.
    """
    return _build("list-bulk-operation-results", bulk_operation_id)


def _build(name: str, bulk_operation_id: str) -> OperationCall:
    parameters = {"bulkOperationId": bulk_operation_id}
    return OperationCall.build(find_operation(name), parameters, choice=_UNCHECKED)


def has_ended(status: Any) -> bool:
    """
    Whether a bulk operation has ended, with or without success.

    :param status: The answer of `get-bulk-operation`.
    :raises ContractError: The answer has no status.
    """
    if not isinstance(status, dict) or not isinstance(status.get("status"), str):
        raise ContractError(
            "The answer of get-bulk-operation has no status. The API may have changed: please report it."
        )
    return status["status"] not in RUNNING


def require_completed(name: str, bulk_operation_id: str, status: BulkStatus) -> None:
    """
    Refuse a bulk operation that ended without success.

    :param name: Name of the operation that started it.
    :param bulk_operation_id: Its ID.
    :param status: The answer of `get-bulk-operation`.
    :raises ContractError: It did not complete.
    """
    if status["status"] == COMPLETED:
        return
    reason = status.get("errorMessage")
    raise ContractError(
        f"Bulk operation {bulk_operation_id} of {name} ended with the status {redact(status['status'])}"
        f"{f': {redact(reason)}' if isinstance(reason, str) else ''}. Some of its items may have been carried out: "
        "list-bulk-operation-results shows which. Correct the others, then clear the task."
    )


def build_result(status: BulkStatus, results: list[Any]) -> BulkResult:
    """
    Return the result of a bulk operation, with counts, and the results of its items, those that failed first.

    :param status: The answer of `get-bulk-operation`.
    :param results: The items of `list-bulk-operation-results`.
    """
    failed = [one for one in results if not _is_success(one)]
    succeeded = [one for one in results if _is_success(one)]
    return {
        **status,
        "succeeded": len(succeeded),
        "failed": len(failed),
        "results": [*failed, *succeeded][:MAX_RESULTS],
    }


def _is_success(result: Any) -> bool:
    return isinstance(result, dict) and result.get("status") == "success"
