"""Who may use the page: Airflow's login, Airflow's rights, and no requests from other sites."""

from __future__ import annotations

from threading import BoundedSemaphore
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fastapi import Depends, Request, status

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import ConnectionDetails
from airflow.api_fastapi.core_api.security import requires_access_asset, requires_access_connection
from airflow.models import Connection
from airflow.providers.common.compat.sdk import conf

from airflow_provider_learning360.ui.failure import PageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from starlette.types import Message, Receive

    from airflow.api_fastapi.auth.managers.base_auth_manager import ResourceMethod
    from airflow.api_fastapi.auth.managers.models.base_user import BaseUser

    from airflow_provider_learning360.ui.responses import FailureCode

MAX_BODY_BYTES = 10_000  # of a request; the audit log stores the body
# Of a request with the arguments of an operation, or a policy: a bulk operation takes hundreds of items. The audit log
# stores what `audit_operation` leaves of it.
MAX_LARGE_BODY_BYTES = 256_000
LARGE_BODY_ROUTES = ("/operation", "/operation-workflows", "/archive", "/reminders")
MAX_CONCURRENT_REQUESTS = 8  # each occupies a thread of the API server, which has few
MAX_CONCURRENT_SEARCHES = 8  # searching a long list occupies a thread as well

# Airflow's own checks, which know of teams. They read `connection_id` from the path.
MAY_USE_CONNECTION = Depends(requires_access_connection(method="GET"))
MAY_READ_ASSETS = Depends(requires_access_asset(method="GET"))


def may_edit_connection(connection_id: str, user: BaseUser) -> bool:
    """
    Return whether the user may edit a connection.

    :param connection_id: ID of the connection.
    :param user: The user.
    """
    return connection_id in permitted_connections([connection_id], user, "PUT")


def may_create_connections(user: BaseUser) -> bool:
    """
    Return whether the user may create connections.

    :param user: The user.
    """
    return get_auth_manager().is_authorized_connection(method="POST", user=user)


def permitted_connections(connection_ids: Iterable[str], user: BaseUser, method: ResourceMethod) -> set[str]:
    """
    Return the connections that the user has a right to.

    :param connection_ids: IDs of the connections to check; they need not be in the database.
    :param user: The user.
    :param method: `GET` to read and use them, `PUT` to edit them.
    """

    def is_permitted(connection_id: str) -> bool:
        details = ConnectionDetails(conn_id=connection_id, **team_argument(connection_id))
        return get_auth_manager().is_authorized_connection(method=method, details=details, user=user)

    return {connection_id for connection_id in connection_ids if is_permitted(connection_id)}


def team_argument(connection_id: str) -> dict[str, str]:
    """
    Return `team_name` of a stored connection as a keyword argument; empty without teams.

    :param connection_id: ID of the connection.
    """
    if not conf.getboolean("core", "multi_team", fallback=False):
        return {}
    name = Connection.get_team_name(connection_id)
    return {"team_name": name} if name else {}


def require_same_origin(request: Request) -> None:
    """
    Refuse requests that another site sends with the user's cookie.

    :param request: The request.
    :raises PageError: 403, the request comes from another site; 404, the connection ID is not valid; 415, the body
        is not JSON.
    """
    if not request.path_params.get("connection_id", "").isprintable():
        # Databases refuse some of these characters with an error.
        raise PageError(status.HTTP_404_NOT_FOUND, "no_connection")
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise PageError(status.HTTP_415_UNSUPPORTED_MEDIA_TYPE, "not_json")
    if not _is_same_origin(request):
        raise PageError(status.HTTP_403_FORBIDDEN, "other_site")


def limit_body(receive: Receive, path: str) -> Receive:
    """
    Return a `receive` that reads as much as the body of a route may have.

    FastAPI reads the whole body before it checks the login, and a body need not declare its length.

    :param receive: The `receive` of the ASGI server.
    :param path: Path of the request.
    """
    left = MAX_LARGE_BODY_BYTES if path.endswith(LARGE_BODY_ROUTES) else MAX_BODY_BYTES

    async def receive_limited() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise PageError(413, "body_too_large")
        return message

    return receive_limited


def _is_same_origin(request: Request) -> bool:
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    if origin is None:
        # Not a browser. A script sets a token in a header on purpose; a browser sends a cookie by itself.
        return "authorization" in request.headers
    # A proxy may have changed the host; the configuration has the address that users see.
    own_hosts = {request.headers.get("host", ""), urlsplit(conf.get("api", "base_url", fallback="")).netloc}
    return urlsplit(origin).netloc in own_hosts - {""}


def limit_requests() -> Iterator[None]:
    """
    Limit the requests that wait for 360Learning at the same time.

    :raises PageError: 503, the limit is reached.
    """
    yield from _occupy(_request_slots, "too_many_requests")


def limit_searches() -> Iterator[None]:
    """
    Limit the searches that run at the same time.

    :raises PageError: 503, the limit is reached.
    """
    yield from _occupy(_search_slots, "too_many_searches")


def _occupy(slots: BoundedSemaphore, code: FailureCode) -> Iterator[None]:
    if not slots.acquire(blocking=False):
        raise PageError(status.HTTP_503_SERVICE_UNAVAILABLE, code)
    try:
        yield
    finally:
        slots.release()


_request_slots = BoundedSemaphore(MAX_CONCURRENT_REQUESTS)
_search_slots = BoundedSemaphore(MAX_CONCURRENT_SEARCHES)

SAME_ORIGIN_ONLY = Depends(require_same_origin)
LIMITED_REQUESTS = Depends(limit_requests)
LIMITED_SEARCHES = Depends(limit_searches)
