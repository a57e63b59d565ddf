"""Who may do what on the page: Airflow's login, Airflow's rights, and no request from another site."""

from __future__ import annotations

from threading import BoundedSemaphore
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fastapi import Depends, HTTPException, Request, status

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import ConnectionDetails
from airflow.api_fastapi.core_api.security import requires_access_asset, requires_access_connection
from airflow.models import Connection
from airflow.providers.common.compat.sdk import conf

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from starlette.types import Message, Receive

    from airflow.api_fastapi.auth.managers.base_auth_manager import ResourceMethod
    from airflow.api_fastapi.auth.managers.models.base_user import BaseUser

LARGEST = 10_000  # bytes of a request; the audit log keeps it
NO_CONNECTION = "There is no connection of type 360Learning with this ID."

# Airflow's own checks, which know of teams. They read `connection_id` from the path.
MAY_USE_CONNECTION = Depends(requires_access_connection(method="GET"))
MAY_READ_ASSETS = Depends(requires_access_asset(method="GET"))


def may_edit(connection_id: str, user: BaseUser) -> bool:
    """
    Return whether the user may edit a connection.

    :param connection_id: ID of the connection.
    :param user: The user.
    """
    return connection_id in permitted([connection_id], user, "PUT")


def may_create(user: BaseUser) -> bool:
    """
    Return whether the user may create connections.

    :param user: The user.
    """
    return get_auth_manager().is_authorized_connection(method="POST", user=user)


def permitted(connection_ids: Iterable[str], user: BaseUser, method: ResourceMethod) -> set[str]:
    """
    Return the connections among these that the user has a right to.

    :param connection_ids: IDs of connections, stored in the database or not.
    :param user: The user.
    :param method: `GET` to read and use them, `PUT` to edit them.
    """

    def is_permitted(connection_id: str) -> bool:
        details = ConnectionDetails(conn_id=connection_id, **team_of(connection_id))
        return get_auth_manager().is_authorized_connection(method=method, details=details, user=user)

    return {connection_id for connection_id in connection_ids if is_permitted(connection_id)}


def team_of(connection_id: str) -> dict[str, str]:
    """
    Return the team of a stored connection, as an argument for what Airflow has; nothing where there are no teams.

    :param connection_id: ID of the connection.
    """
    if not conf.getboolean("core", "multi_team", fallback=False):
        return {}
    name = Connection.get_team_name(connection_id)
    return {"team_name": name} if name else {}


def from_here(request: Request) -> None:
    """
    Refuse what a page of another site sends with the user's cookie.

    :param request: The request.
    :raises HTTPException: 403, it does not come from this Airflow; 404, its connection has no valid ID; 415, it is
        no JSON.
    """
    if not request.path_params.get("connection_id", "").isprintable():
        # Databases refuse some of these characters with an error.
        raise HTTPException(status.HTTP_404_NOT_FOUND, NO_CONNECTION)
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise HTTPException(status.HTTP_415_UNSUPPORTED_MEDIA_TYPE, "Send JSON, as the page does.")
    if not _is_from_here(request):
        raise HTTPException(status.HTTP_403_FORBIDDEN, "This request does not come from this Airflow's own page.")


def limited(receive: Receive) -> Receive:
    """
    Return what receives a request, but never more than `LARGEST` bytes of it.

    FastAPI reads the whole body before it asks who sent it, and a body need not say how long it is.

    :param receive: Receives the request.
    """
    left = LARGEST

    async def receive_limited() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise HTTPException(413, "The page never sends that much.")
        return message

    return receive_limited


def _is_from_here(request: Request) -> bool:
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    if origin is None:
        # No browser. A token in a header was put there on purpose; a cookie may have come by itself.
        return "authorization" in request.headers
    # A proxy may have changed the host; what the users see is in the configuration.
    here = {request.headers.get("host", ""), urlsplit(conf.get("api", "base_url", fallback="")).netloc}
    return urlsplit(origin).netloc in here - {""}


def in_turn() -> Iterator[None]:
    """
    Let so many at a time wait for 360Learning: each takes a thread, of which Airflow has few.

    :raises HTTPException: 503, there are as many already.
    """
    yield from _within(_TURNS, "As many requests as may be are waiting for 360Learning. Try again.")


def in_search() -> Iterator[None]:
    """
    Let so many search at a time: a search through a long list keeps a thread busy.

    :raises HTTPException: 503, there are as many already.
    """
    yield from _within(_SEARCHES, "Too many searches run at the same time. Try again in a moment.")


def _within(turns: BoundedSemaphore, refusal: str) -> Iterator[None]:
    if not turns.acquire(blocking=False):
        raise HTTPException(status.HTTP_503_SERVICE_UNAVAILABLE, refusal)
    try:
        yield
    finally:
        turns.release()


_TURNS = BoundedSemaphore(8)
_SEARCHES = BoundedSemaphore(8)

FROM_HERE = Depends(from_here)
IN_TURN = Depends(in_turn)
IN_SEARCH = Depends(in_search)
