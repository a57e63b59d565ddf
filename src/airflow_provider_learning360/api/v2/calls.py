"""The calls of API v2 that read paths, their sessions and users: requests, pages and objects."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_provider_learning360.api.decoder import decode_json
from airflow_provider_learning360.api.messages import Call, Request, Response
from airflow_provider_learning360.api.v2.links import find_next

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_learning360.api.platform import Plan

ROOT = "/api/v2"
SESSIONS = f"{ROOT}/paths/sessions"
PATHS = f"{ROOT}/paths"
PATH_STATS = f"{ROOT}/paths/stats"
USERS = f"{ROOT}/users"
CUSTOM_FIELDS = f"{ROOT}/custom-fields"
# A well-formed ID that belongs to nothing: a question about it costs a few bytes.
NO_ID = "0" * 24


@dataclass(frozen=True)
class Page:
    """
    One page of a list.

    :param items: Its objects; those that are no objects are left out.
    :param headers: The headers of its response.
    """

    items: list[dict[str, Any]]
    headers: Mapping[str, str]

    @property
    def link(self) -> str:
        """Its `Link` header, which leads to the next page; empty on the last one."""
        return self.headers.get("link", "")


def build_path(*parts: str) -> str:
    """
    Return the path of a resource below `/api/v2`.

    :param parts: The parts of the path, not yet percent-encoded.
    :returns: The path.
    """
    return "/".join([ROOT, *(quote(part, safe="") for part in parts)])


def build_filter(**filters: Mapping[str, str | None]) -> tuple[tuple[str, str], ...]:
    """
    Build a query of filters such as `modifiedAt[gte]`.

    :param filters: For each field its operators, and the value of each; None leaves it out.
    :returns: Names and values.
    """
    return tuple(
        (f"{field}[{operator}]", value)
        for field, operators in filters.items()
        for operator, value in operators.items()
        if value is not None
    )


def read_object(what: str, path: str) -> Call[dict[str, Any]]:
    """
    Build the call that reads one object.

    :param what: What it is, for errors.
    :param path: Its path.
    :returns: The call.
    """
    return Call(Request("GET", path), partial(_parse_object, what))


def read_list(
    what: str, path: str, query: tuple[tuple[str, str], ...] = (), *, host: str
) -> Plan[list[dict[str, Any]]]:
    """
    Plan to read all pages of a list.

    :param what: What it is, for errors.
    :param path: Its path.
    :param query: Its filters; default none.
    :param host: Base URL of the connection.
    :returns: The plan of the objects of all pages.
    """
    items: list[dict[str, Any]] = []
    request: Request | None = Request("GET", path, query)
    seen: set[Any] = set()
    while request is not None:
        page: Page = yield read_page(what, request)
        items += page.items
        request = find_next(page.link, request, seen, host)
    return items


def read_page(what: str, request: Request) -> Call[Page]:
    """
    Build the call that reads one page of a list.

    :param what: What the list is, for errors.
    :param request: The request of the page.
    :returns: The call.
    """
    return Call(request, partial(_parse_page, what), kind="list")


def _parse_object(what: str, response: Response) -> dict[str, Any]:
    from airflow_provider_learning360.api.models import parse_response

    def read() -> dict[str, Any]:
        value = decode_json(response.body)
        if not isinstance(value, dict):
            raise ValueError("it is not an object")  # noqa: TRY004 - becomes the text of a ContractError
        return value

    return parse_response(what, response, read)


def _parse_page(what: str, response: Response) -> Page:
    from airflow_provider_learning360.api.models import parse_response

    def read() -> Page:
        value = decode_json(response.body)
        if not isinstance(value, list):
            raise ValueError("it is not an array")  # noqa: TRY004 - becomes the text of a ContractError
        return Page([one for one in value if isinstance(one, dict)], response.headers)

    return parse_response(what, response, read)
