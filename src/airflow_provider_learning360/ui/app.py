"""The page's HTTP side: its files, and what its script asks for."""

from __future__ import annotations

import logging
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Body, Depends, FastAPI, HTTPException, Request, status
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, RedirectResponse, Response
from fastapi.routing import APIRoute
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException as StarletteHTTPException

from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep, get_user
from airflow.api_fastapi.logging.decorators import action_logging
from airflow.providers.common.compat.sdk import AirflowNotFoundException

from airflow_provider_learning360.api.errors import FixArgumentError, FixIdError, LearningError, SettingsError
from airflow_provider_learning360.api.sanitizer import printable, sanitize
from airflow_provider_learning360.ui.access import (
    FROM_HERE,
    IN_SEARCH,
    IN_TURN,
    MAY_READ_ASSETS,
    MAY_USE_CONNECTION,
    NO_CONNECTION,
    limited,
    may_edit,
)
from airflow_provider_learning360.ui.connections import PageHook, listed, tested
from airflow_provider_learning360.ui.plugin import PREFIX
from airflow_provider_learning360.ui.request import tried
from airflow_provider_learning360.ui.session_list import BusyError, SessionLists, now
from airflow_provider_learning360.ui.text import readable_text
from airflow_provider_learning360.ui.unexpected import log_unexpected
from airflow_provider_learning360.ui.watched import watched
from airflow_provider_learning360.ui.workflow import workflows

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

UNPROCESSABLE = 422  # its name depends on the version of FastAPI
STATIC = Path(__file__).with_name("static")

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

# Words for the refusals that Airflow's own checks make.
WORDS = {
    status.HTTP_401_UNAUTHORIZED: "You are not logged in to Airflow. Log in, and come back.",
    status.HTTP_403_FORBIDDEN: "Your user of Airflow has no right to this. Ask who looks after this Airflow.",
}
AIRFLOWS_WORDS = ("Forbidden", "Not authenticated", "Token Expired", "Invalid JWT token")

Text = Annotated[str, Body(embed=True, max_length=200)]
Reveal = Annotated[bool, Body(embed=True)]


class SafeResponse(JSONResponse):
    """An answer as JSON, whatever is in it: lone surrogates and NaN fail nobody."""

    def render(self, content: Any) -> bytes:
        """Return the body."""
        return super().render(sanitize(content))


class _PlainRoute(APIRoute):
    """A route whose answers go to `SafeResponse` as they are: pydantic would fail at what that makes fit."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "response_model": None})


router = APIRouter(dependencies=[Depends(get_user)], route_class=_PlainRoute)
actions = APIRouter(
    prefix="/api/connections/{connection_id:path}",
    dependencies=[FROM_HERE, MAY_USE_CONNECTION],
    route_class=_PlainRoute,
)
lists = SessionLists()


@router.get("/")
def page() -> FileResponse:
    """Serve the page."""
    return FileResponse(STATIC / "page.html")


@router.get("/static/{name}")
def static(name: str) -> FileResponse:
    """Serve its script and its style."""
    files = {path.name: path for path in STATIC.iterdir()}
    if name not in files:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"The page has no file {name!r}.")
    return FileResponse(files[name])


@router.get("/api/connections")
def list_connections(user: GetUserDep, session: SessionDep) -> dict[str, Any]:
    """List the connections that the user may use."""
    return listed(user, session)


@router.get("/api/watched", dependencies=[MAY_READ_ASSETS])
def list_watched(user: GetUserDep, session: SessionDep) -> dict[str, Any]:
    """List the watched assets."""
    return watched(user, session)


@actions.post("/test", dependencies=[IN_TURN])
def test(connection_id: str) -> dict[str, Any]:
    """Test a connection."""
    return tested(PageHook(connection_id))


@actions.post("/sessions", dependencies=[IN_SEARCH])
def find_sessions(connection_id: str, text: Text = "") -> dict[str, Any]:
    """Find sessions by their name."""
    hook = PageHook(connection_id)
    key = sha256(hook.settings.api_key.get_secret_value().encode()).digest()
    asked = (connection_id, hook.settings.host, hook.settings.company_id, key)
    return lists.of(asked, hook.stream_program_sessions).search(text, now())


# Who asked for what is in Airflow's audit log, also if it was refused.
@actions.post("/request", dependencies=[IN_TURN, Depends(action_logging(event="learning360_test_request"))])
def try_request(connection_id: str, user: GetUserDep, session_id: Text, reveal: Reveal = False) -> dict[str, Any]:
    """Read a session and tell what came back."""
    allowed = may_edit(connection_id, user)
    if reveal and not allowed:
        raise HTTPException(
            status.HTTP_403_FORBIDDEN, "People's data is shown to users who may edit this connection only."
        )
    answer = tried(PageHook(connection_id), session_id, reveal=reveal)
    return {**answer, "people": {"hidden": not reveal, "may_reveal": allowed}}


@actions.post("/workflows")
def list_workflows(connection_id: str, session_id: Text, title: Text = "") -> dict[str, Any]:
    """Write workflows for a session, ready to paste."""
    return {"workflows": workflows(session_id, connection_id, PageHook(connection_id).settings.host, title)}


router.include_router(actions)


def create_app() -> ASGIApp:
    """Return the application that Airflow mounts."""
    app = FastAPI(
        title="360Learning",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        default_response_class=SafeResponse,
    )
    app.include_router(router)
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)
    return _guarded(app)


def _guarded(app: ASGIApp) -> ASGIApp:
    """Return the application with our headers on every answer, a bound on every request, and our words for errors."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        answered = False

        async def with_headers(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                # A new version is there at once; and what is about people is in no cache, not even for "back".
                headers["Cache-Control"] = "no-cache" if "/static/" in scope["path"] else "no-store"
            await send(message)

        try:
            await app(scope, limited(receive) if scope["type"] == "http" else receive, with_headers)
        except Exception as error:
            if not answered:
                raise
            # Starlette raises what it has answered, and the server would log it with all that it shows.
            log_unexpected(log, f"answering {scope['method']} {printable(scope['path'])}", error)

    return guarded


def _refused(request: Request, error: StarletteHTTPException) -> Response:
    path = request.url.path
    if error.status_code == status.HTTP_401_UNAUTHORIZED and path.endswith(PREFIX + "/"):
        return RedirectResponse(f"../api/v2/auth/login?{urlencode({'next': path})}")
    said = WORDS.get(error.status_code) if error.detail in AIRFLOWS_WORDS else None
    return _error(error.status_code, said or error.detail)


def _not_understood(_: Request, __: RequestValidationError) -> Response:
    return _error(UNPROCESSABLE, "The page sent something that this version does not understand. Reload it.")


def _not_found(_: Request, __: AirflowNotFoundException) -> Response:
    return _error(status.HTTP_404_NOT_FOUND, NO_CONNECTION)


def _busy(_: Request, __: BusyError) -> Response:
    return _error(
        status.HTTP_503_SERVICE_UNAVAILABLE, "Too many lists of sessions are being read. Try again in a minute."
    )


def _in_trouble(_: Request, error: LearningError) -> Response:
    ours = isinstance(error, FixIdError | FixArgumentError | SettingsError)
    return _error(UNPROCESSABLE if ours else status.HTTP_502_BAD_GATEWAY, str(error))


def _failed(_: Request, __: Exception) -> Response:
    return _error(status.HTTP_500_INTERNAL_SERVER_ERROR, "Something went wrong; the log of the API server says what.")


_HANDLERS: dict[type[Exception], Any] = {
    StarletteHTTPException: _refused,
    RequestValidationError: _not_understood,
    AirflowNotFoundException: _not_found,
    BusyError: _busy,
    LearningError: _in_trouble,
    Exception: _failed,
}


def _error(code: int, words: str) -> Response:
    return SafeResponse({"error": readable_text(words)}, status_code=code)
