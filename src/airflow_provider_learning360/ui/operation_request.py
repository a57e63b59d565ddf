"""The "Test request" of any operation: reads are sent, writes are only described."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.catalogue.answers import Answer
from airflow_provider_learning360.api.catalogue.arguments import build_request, find_problems, simplify_body
from airflow_provider_learning360.api.catalogue.calls import OperationCall
from airflow_provider_learning360.api.catalogue.masking import MASK, is_id
from airflow_provider_learning360.api.catalogue.multipart import UploadedFile, find_file_fields
from airflow_provider_learning360.api.catalogue.operation import JSON_TYPE
from airflow_provider_learning360.api.errors import ContractError, FixArgumentError, LearningError
from airflow_provider_learning360.api.settings import VERSION_HEADERS
from airflow_provider_learning360.ui.answer import describe_answer
from airflow_provider_learning360.ui.failure import (
    ArgumentsRefusedError,
    OtherVersionError,
    failure_from_operation_error,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_learning360.api.catalogue.operation import Operation
    from airflow_provider_learning360.api.messages import Request, Response
    from airflow_provider_learning360.hooks.learning import LearningHook
    from airflow_provider_learning360.ui.responses import (
        OperationTest,
        PeopleRights,
        RequestFailure,
        SentRequest,
        WriteDescription,
    )

MAX_PAGES = 5  # of one test
MAX_SECONDS = 60.0  # that all requests of one test may take
MAX_BYTES = 32 * 2**20  # of one response


def require_valid_arguments(operation: Operation, parameters: Mapping[str, Any], body: Any) -> None:
    """
    Check the arguments of a call.

    :param operation: The operation.
    :param parameters: Its parameters, by key.
    :param body: Its body; None for none.
    :raises ArgumentsRefusedError: Some are not valid; says what is wrong with each.
    """
    if problems := find_problems(operation, parameters, body):
        raise ArgumentsRefusedError(problems)


def describe_write(
    hook: LearningHook, operation: Operation, parameters: Mapping[str, Any], body: Any
) -> WriteDescription:
    """
    Return what an operation that changes something would send. Nothing is sent.

    :param hook: The hook of the connection.
    :param operation: The operation.
    :param parameters: Its parameters, by key.
    :param body: Its body; None for none.
    :raises OtherVersionError: The operation is one of the other version of the API.
    """
    _require_version(hook, operation)
    request = build_request(operation, parameters, _with_files(operation, body))
    return {
        "ok": True,
        "sent": None,
        "would_send": {
            **_describe_request(request, simplify_body(operation, body)),
            "headers": _describe_headers(operation, request),
        },
        "reason": "write",
        "repeat": operation.repeat,
        "replaces": operation.data.get("replaces"),
    }


def test_operation(
    hook: LearningHook,
    operation: Operation,
    parameters: Mapping[str, Any],
    *,
    pages: int,
    reveal: bool,
    may_reveal: bool,
) -> OperationTest:
    """
    Call an operation that changes nothing, and return the result for the page.

    :param hook: The hook of the connection.
    :param operation: The operation.
    :param parameters: Its parameters, by key.
    :param pages: How many pages of a list to read.
    :param reveal: Whether to show people's data.
    :param may_reveal: Whether the user may see it.
    :returns: The answer with its documentation, or what failed.
    :raises OtherVersionError: The operation is one of the other version of the API.
    :raises ValueError: The operation changes something.
    """
    if not operation.is_read:
        raise ValueError(f"{operation.name} changes something: it is not sent from the page.")
    responses: list[Response] = []
    # The settings of this hook only: a page of a list is shown in part, and need not be large.
    hook.settings = hook.settings.model_copy(update={"max_list_bytes": min(hook.settings.max_list_bytes, MAX_BYTES)})
    hook.time_limit = MAX_SECONDS
    _require_version(hook, operation)
    started = time.monotonic()
    request = build_request(operation, parameters, None)
    try:
        answer = _call(hook, OperationCall(operation, request, pages=pages), responses)
    except LearningError as error:
        return _describe_failure(error, started, {"hidden": not reveal, "may_reveal": may_reveal})
    described = describe_answer(operation, answer, reveal=reveal)
    more = f" (+{len(responses) - 1})" if len(responses) > 1 else ""
    return {
        "ok": True,
        "request": f"{request}{more}",
        "sent": _describe_request(request, None),
        "status": answer.status,
        "milliseconds": _milliseconds_since(started),
        "bytes": answer.byte_count,
        "people": {"hidden": not reveal and described["has_hidden"], "may_reveal": may_reveal},
        **described,
    }


def _require_version(hook: LearningHook, operation: Operation) -> None:
    try:
        hook.platform.require_operation(operation)
    except FixArgumentError as error:
        raise OtherVersionError(error, operation=operation.name, version=operation.version) from None


def _call(hook: LearningHook, call: OperationCall, responses: list[Response]) -> Answer:
    plan = hook.platform.call_operation(call)
    try:
        return hook.run_plan(plan, observe=responses.append)
    except ContractError:
        if call.operation.data["answer"].get("type", JSON_TYPE) == JSON_TYPE or not responses:
            raise
        # A file is not shown; that it came is all there is to say.
        return Answer(None, responses[-1].status, byte_count=len(responses[-1].body))


def _with_files(operation: Operation, body: Any) -> Any:
    """Return a body with empty files in place of their paths: only a worker reads files."""
    if not isinstance(body, dict):
        return body
    paths = {name: body[name] for name in find_file_fields(operation) if isinstance(body.get(name), str)}
    return {**body, **{name: UploadedFile(path, b"") for name, path in paths.items() if not is_id(path)}}


def _describe_request(request: Request, body: Any) -> SentRequest:
    return {
        "method": request.method,
        "path": request.path,
        "query": [[name, value] for name, value in request.query],
        "body": body,
    }


def _describe_headers(operation: Operation, request: Request) -> dict[str, str]:
    return {"Authorization": f"Bearer {MASK}", **VERSION_HEADERS[operation.version], **request.headers}


def _describe_failure(error: LearningError, started: float, people: PeopleRights) -> RequestFailure:
    return {
        "ok": False,
        "request": f"{error.method} {error.path}" if error.method else None,
        "status": error.status,
        "milliseconds": _milliseconds_since(started),
        "failure": failure_from_operation_error(error),
        "people": people,
    }


def _milliseconds_since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
