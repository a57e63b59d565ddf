"""How to find out whether a write was carried out, if no response says it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_learning360.api.catalogue.catalogue import load_operations

if TYPE_CHECKING:
    from airflow_provider_learning360.api.catalogue.operation import Operation
    from airflow_provider_learning360.api.errors import LearningError, UnknownOutcomeError

BULK_LIST = "list-bulk-operations"
API_SLASHES = 2  # of `/api/v2`, above which there are no operations


def explain_outcome(operation: Operation, error: UnknownOutcomeError) -> LearningError:
    """
    Return the error of a write with what to do about it.

    :param operation: The operation.
    :param error: The error.
    :returns: An error to be retried, if the API documents the response as a refusal; else the same error, with how to
        find out.
    """
    if error.code in operation.data.get("errors", {}).get(str(error.status), ()):
        return error.as_refusal()
    return error.with_note(say_how_to_find_out(operation))


def say_how_to_find_out(operation: Operation) -> str:
    """
    Return how to find out whether a write was carried out, and what to do then.

    :param operation: The operation.
    """
    read = find_read(operation)
    where = f"with the operation {read.name}" if read else "in 360Learning"
    return f"Find out {where}. If it was not carried out, send {operation.name} again."


def find_read(operation: Operation) -> Operation | None:
    """
    Return the operation that shows what a write has done: the list or the object at the same path, or above it.

    :param operation: The write.
    :returns: The operation; None if the catalogue has none.
    """
    known = load_operations()
    if operation.is_asynchronous:
        return known.get(BULK_LIST)
    reads = {one.path: one for one in known.values() if one.is_read and one.version == operation.version}
    path = operation.path
    while path.count("/") > API_SLASHES:
        if path in reads:
            return reads[path]
        path = path.rpartition("/")[0]
    return None
