"""What `call` sends, or would send, in a form that people can check."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypedDict, cast
from urllib.parse import quote, unquote

from airflow_provider_learning360.api.catalogue.masking import MASK, mask_answer
from airflow_provider_learning360.api.errors import contains_mail_address

if TYPE_CHECKING:
    from airflow_provider_learning360.api.catalogue.calls import OperationCall
    from airflow_provider_learning360.api.catalogue.operation import Operation, OperationData

_READABLE = "[]:,"  # characters of a query that need no escape in a text


class SentRequest(TypedDict):
    """A request as `call --dry-run` prints it; keys and tokens are left out."""

    method: str
    url: str
    body: Any


def describe_request(call: OperationCall, body: Any, host: str, *, show_people: bool) -> SentRequest:
    """
    Return the request of a call.

    :param call: The call.
    :param body: Its body, as a person wrote it: files by their names.
    :param host: Base URL of the connection.
    :param show_people: Whether data about people is shown.
    """
    request = call.request
    path, query = request.path, list(request.query)
    if not show_people:
        body = _mask_body(call.operation, body)
        path = "/".join(_mask_mail(one) for one in path.split("/"))
        query = [(name, _mask_mail(value)) for name, value in query]
    encoded = "&".join(f"{quote(name, safe=_READABLE)}={quote(value, safe=_READABLE)}" for name, value in query)
    url = f"{host}{path}{'?' if encoded else ''}{encoded}"
    return {"method": request.method, "url": url.replace(quote(MASK), MASK), "body": body}


def _mask_body(operation: Operation, body: Any) -> Any:
    """Mask a body as if it were an answer with its schema."""
    if operation.body is None:
        return body
    data = {**operation.data, "answer": {"status": 200, "schema": operation.body["schema"]}}
    return mask_answer(replace(operation, data=cast("OperationData", data)), body)


def _mask_mail(text: str) -> str:
    return MASK if contains_mail_address(unquote(text)) else text
