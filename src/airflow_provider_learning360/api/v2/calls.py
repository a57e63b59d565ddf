"""The calls of API v2 that read paths, their sessions and users: requests, lists and objects."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeGuard, TypeVar
from urllib.parse import quote

from airflow_provider_learning360.api.counts import count_of
from airflow_provider_learning360.api.decoder import decode_json
from airflow_provider_learning360.api.messages import Call, Request, Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_learning360.api.platform import Plan
    from airflow_provider_learning360.api.v2.links import PagedList

T = TypeVar("T")
# Returns what is kept of an item of a list; None if the item cannot be read.
Pick = Callable[[dict[str, Any]], T | None]

log = logging.getLogger(__name__)

ROOT = "/api/v2"
SESSIONS = f"{ROOT}/paths/sessions"
PATHS = f"{ROOT}/paths"
PATH_STATS = f"{ROOT}/paths/stats"
USERS = f"{ROOT}/users"
CUSTOM_FIELDS = f"{ROOT}/custom-fields"
# A well-formed ID that belongs to nothing: a question about it costs a few bytes.
NO_ID = "0" * 24
# Stricter texts such as 24 hexadecimal digits are documented, but nothing depends on them. No `..`, no 3 MB.
_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")


def is_id(value: Any) -> TypeGuard[str]:
    """
    Whether a value of a response is an ID that may be a part of a path.

    :param value: The value.
    """
    return isinstance(value, str) and _ID.fullmatch(value) is not None


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


def read_object(what: str, path: str, object_id: str | None = None) -> Call[dict[str, Any]]:
    """
    Build the call that reads one object.

    :param what: What it is, for errors.
    :param path: Its path.
    :param object_id: Its ID; any other object is an error. Default none: it has no ID.
    :returns: The call.
    """
    return Call(Request("GET", path), partial(_parse_object, what, object_id))


def read_list(what: str, pages: PagedList, pick: Pick[T]) -> Plan[list[T]]:
    """
    Plan to read all pages of a list.

    :param what: What it is, for errors.
    :param pages: Its pages.
    :param pick: Returns what is kept of an item; None if the item cannot be read.
    :returns: The plan of what was kept.
    """
    items: list[T] = []
    while (request := pages.request) is not None:
        items += yield pages.read_page(request, build_parser(what, pages, pick))
    return items


def build_parser(what: str, pages: PagedList, pick: Pick[T]) -> Callable[[Response], list[T]]:
    """
    Build the parser of a page. Items that cannot be read are left out, with a warning.

    :param what: What the list is, for errors.
    :param pages: The pages of the list.
    :param pick: Returns what is kept of an item; None if the item cannot be read.
    :returns: The parser; it raises `ContractError` if the response is not a list, or no item of the first page can be
        read.
    """

    def read(response: Response) -> list[T]:
        value = decode_json(response.body)
        if not isinstance(value, list):
            raise ValueError("it is not an array")  # noqa: TRY004 - becomes the text of a ContractError
        picked = (pick(one) if isinstance(one, dict) else None for one in value)
        kept = [one for one in picked if one is not None]
        if len(kept) < len(value):
            if not kept and not pages.page_count:
                raise ValueError("none of its items can be read")
            _warn(response, len(value) - len(kept))
        return kept

    def parse(response: Response) -> list[T]:
        from airflow_provider_learning360.api.models import parse_response

        return parse_response(what, response, lambda: read(response))

    return parse


def _warn(response: Response, count: int) -> None:
    log.warning("%s returned %s that cannot be read. Continuing without.", response.request, count_of(count, "item"))


def _parse_object(what: str, object_id: str | None, response: Response) -> dict[str, Any]:
    from airflow_provider_learning360.api.models import parse_response

    def read() -> dict[str, Any]:
        value = decode_json(response.body)
        if not isinstance(value, dict):
            raise ValueError("it is not an object")  # noqa: TRY004 - becomes the text of a ContractError
        if object_id is not None and not _has_id(value, object_id):
            raise ValueError("it has another _id")
        return value

    return parse_response(what, response, read)


def _has_id(value: Mapping[str, Any], object_id: str) -> bool:
    given = value.get("_id")
    return isinstance(given, str) and given.lower() == object_id.lower()
