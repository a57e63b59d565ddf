"""The HTTP routes of the page: its files, and the JSON that its scripts request."""

from __future__ import annotations

import logging
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Body, Depends, FastAPI, Request, status
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, RedirectResponse, Response
from fastapi.routing import APIRoute
from pydantic import StringConstraints
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException as StarletteHTTPException

from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep, get_user
from airflow.api_fastapi.logging.decorators import action_logging
from airflow.providers.common.compat.sdk import AirflowNotFoundException

from airflow_provider_learning360.api.catalogue.catalogue import load_operations
from airflow_provider_learning360.api.errors import FixArgumentError, FixIdError, LearningError, SettingsError
from airflow_provider_learning360.api.sanitizer import printable, sanitize
from airflow_provider_learning360.ui.access import (
    LIMITED_REQUESTS,
    LIMITED_SEARCHES,
    MAY_READ_ASSETS,
    MAY_USE_CONNECTION,
    SAME_ORIGIN_ONLY,
    limit_body,
    may_edit_connection,
)
from airflow_provider_learning360.ui.archive import build_archive
from airflow_provider_learning360.ui.audit import audit_operation, audit_reminders
from airflow_provider_learning360.ui.connections import PageHook, list_connections, test_connection
from airflow_provider_learning360.ui.error_log import log_unexpected
from airflow_provider_learning360.ui.failure import (
    ArgumentsRefusedError,
    PageError,
    build_failure,
    failure_from_error,
)
from airflow_provider_learning360.ui.operation_request import (
    MAX_PAGES,
    describe_write,
    require_valid_arguments,
    test_operation,
)
from airflow_provider_learning360.ui.operation_workflow import MAX_PICKED, build_operation_workflows
from airflow_provider_learning360.ui.operations import describe_operation, list_operations
from airflow_provider_learning360.ui.prefix import PREFIX
from airflow_provider_learning360.ui.reminder_plan import MAX_CHOSEN_SESSIONS, MAX_DAYS, plan_reminders
from airflow_provider_learning360.ui.responses import (
    ArgumentsErrorBody,
    ConnectionList,
    ConnectionTest,
    ConnectionVersion,
    ErrorBody,
    Failure,
    OperationDetail,
    OperationList,
    OperationTest,
    OperationWorkflows,
    ReminderPlan,
    RequestTest,
    ScopeList,
    SessionSearch,
    WatchedAssets,
    WorkflowList,
)
from airflow_provider_learning360.ui.scopes import list_scopes
from airflow_provider_learning360.ui.session_list import BusyError, SessionLists, utc_now
from airflow_provider_learning360.ui.session_options import SessionOptions
from airflow_provider_learning360.ui.session_request import try_request
from airflow_provider_learning360.ui.watched_assets import list_watched_assets
from airflow_provider_learning360.ui.workflow import build_workflows
from airflow_provider_learning360.ui.workflow_files import ShownWorkflow, build_workflow_files

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from airflow_provider_learning360.api.catalogue.operation import Operation

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

# The details of the errors that Airflow's own checks raise.
AIRFLOW_DETAILS = ("Forbidden", "Not authenticated", "Token Expired", "Invalid JWT token")

Name = Annotated[str, StringConstraints(max_length=200)]
Text = Annotated[str, Body(embed=True, max_length=200)]
Flag = Annotated[bool, Body(embed=True)]
Mapping = Annotated[dict[str, Any], Body(embed=True)]
Picked = Annotated[list[Name], Body(embed=True, max_length=MAX_PICKED)]
AnyBody = Annotated[Any, Body(embed=True)]
Days = Annotated[int, Body(embed=True, ge=1, le=MAX_DAYS)]
Sessions = Annotated[list[Name], Body(embed=True, max_length=MAX_CHOSEN_SESSIONS)]
Shown = Annotated[ShownWorkflow, Body(embed=True)]
Pages = Annotated[int, Body(embed=True, ge=1, le=MAX_PAGES)]


class SafeResponse(JSONResponse):
    """A JSON response that can always be written: lone surrogates and NaN are replaced."""

    def render(self, content: Any) -> bytes:
        """
        Return the body.

        :param content: What to write as JSON.
        """
        return super().render(sanitize(content))


class _PlainRoute(APIRoute):
    """A route without pydantic, which would fail at values that `SafeResponse` replaces."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "response_model": None})


router = APIRouter(dependencies=[Depends(get_user)], route_class=_PlainRoute)
actions = APIRouter(
    prefix="/api/connections/{connection_id:path}",
    dependencies=[SAME_ORIGIN_ONLY, MAY_USE_CONNECTION],
    route_class=_PlainRoute,
)
session_lists = SessionLists()


@router.get("/")
def get_page() -> FileResponse:
    """Return the page."""
    return FileResponse(STATIC / "page.html")


@router.get("/static/{name}")
def get_static_file(name: str) -> FileResponse:
    """
    Return a script or the style of the page.

    :param name: Name of the file.
    :raises PageError: 404, there is no such file.
    """
    files = {path.name: path for path in STATIC.iterdir()}
    if name not in files:
        raise PageError(status.HTTP_404_NOT_FOUND, "no_file")
    return FileResponse(files[name])


@router.get("/api/connections")
def get_connections(user: GetUserDep, session: SessionDep) -> ConnectionList:
    """
    Return the connections that the user may use.

    :param user: The user.
    :param session: Database session.
    """
    return list_connections(user, session)


@router.get("/api/watched", dependencies=[MAY_READ_ASSETS])
def get_watched_assets(user: GetUserDep, session: SessionDep) -> WatchedAssets:
    """
    Return the watched assets.

    :param user: The user.
    :param session: Database session.
    """
    return list_watched_assets(user, session)


@router.get("/api/operations")
def get_operations() -> OperationList:
    """Return all operations of the catalogue, in short."""
    return list_operations()


@router.get("/api/operations/{name}")
def get_operation(name: str) -> OperationDetail:
    """
    Return the documentation of an operation.

    :param name: Its name.
    :raises PageError: 404, there is no such operation.
    """
    return describe_operation(_find_operation(name))


@actions.post("/test", dependencies=[LIMITED_REQUESTS])
def post_test(connection_id: str) -> ConnectionTest:
    """
    Test a connection.

    :param connection_id: ID of the connection.
    """
    return test_connection(PageHook(connection_id))


@actions.post("/version")
def post_version(connection_id: str) -> ConnectionVersion:
    """
    Return which version of the API a connection uses; nothing is sent to 360Learning.

    :param connection_id: ID of the connection.
    """
    return {"version": PageHook(connection_id).platform.version}


@actions.post("/sessions", dependencies=[LIMITED_SEARCHES])
def post_sessions(connection_id: str, text: Text = "") -> SessionSearch:
    """
    Find sessions by name or ID.

    :param connection_id: ID of the connection.
    :param text: Words of the name, or the ID; default all sessions.
    """
    hook = PageHook(connection_id)
    api_key = sha256(hook.settings.api_key.get_secret_value().encode()).digest()
    key = (connection_id, hook.settings.host, hook.settings.company_id, api_key)
    return session_lists.get(key, hook.stream_program_sessions).search(text, utc_now())


# Airflow's audit log has who requested what, even if it was refused.
@actions.post("/request", dependencies=[LIMITED_REQUESTS, Depends(action_logging(event="learning360_test_request"))])
def post_request(connection_id: str, user: GetUserDep, session_id: Text, reveal: Flag = False) -> RequestTest:
    """
    Request a session and return the result.

    :param connection_id: ID of the connection.
    :param user: The user.
    :param session_id: ID of the session.
    :param reveal: Whether to show people's data; default no.
    :raises PageError: 403, the user may not see people's data.
    """
    may_reveal = may_edit_connection(connection_id, user)
    if reveal and not may_reveal:
        raise PageError(status.HTTP_403_FORBIDDEN, "people_not_permitted")
    return try_request(PageHook(connection_id), session_id, reveal=reveal, may_reveal=may_reveal)


# The audit log is written with the arguments masked, as they may name people.
@actions.post("/operation", dependencies=[LIMITED_REQUESTS, Depends(audit_operation)])
def post_operation(
    connection_id: str,
    user: GetUserDep,
    name: Text,
    parameters: Mapping = {},  # noqa: B006 - FastAPI copies it
    body: AnyBody = None,
    pages: Pages = 1,
    reveal: Flag = False,
) -> OperationTest:
    """
    Call an operation that only reads; of one that changes something, return what it would send.

    :param connection_id: ID of the connection.
    :param user: The user.
    :param name: Name of the operation.
    :param parameters: Its parameters, by key; default none.
    :param body: Its body; default none.
    :param pages: How many pages of a list to read; default 1.
    :param reveal: Whether to show people's data; default no.
    :raises PageError: 403, the user may not see people's data; 404, there is no such operation.
    :raises ArgumentsRefusedError: Some arguments are not valid.
    """
    may_reveal = may_edit_connection(connection_id, user)
    if reveal and not may_reveal:
        raise PageError(status.HTTP_403_FORBIDDEN, "people_not_permitted")
    operation, hook = _find_operation(name), PageHook(connection_id)
    require_valid_arguments(operation, parameters, body)
    if not operation.is_read:
        return describe_write(hook, operation, parameters, body)
    return test_operation(hook, operation, parameters, pages=pages, reveal=reveal, may_reveal=may_reveal)


@actions.post("/operation-workflows")
def post_operation_workflows(
    connection_id: str,
    name: Text,
    parameters: Mapping = {},  # noqa: B006 - FastAPI copies it
    body: AnyBody = None,
    options: Mapping = {},  # noqa: B006
    picked: Picked = [],  # noqa: B006
) -> OperationWorkflows:
    """
    Return a workflow that calls an operation, ready to paste.

    :param connection_id: ID of the connection.
    :param name: Name of the operation.
    :param parameters: Its parameters, by key; default none.
    :param body: Its body; default none.
    :param options: Options of the operator; default none.
    :param picked: Paths of fields of its answer; default none.
    :raises PageError: 404, there is no such operation.
    :raises ArgumentsRefusedError: Some arguments are not valid.
    """
    PageHook(connection_id)  # a connection of another type is not found
    return build_operation_workflows(_find_operation(name), connection_id, parameters, body, options, picked)


@actions.post("/archive")
def post_archive(connection_id: str, dialect: Text, workflow: Shown) -> Response:
    """
    Return the files of a workflow as a ZIP archive.

    :param connection_id: ID of the connection.
    :param dialect: Name of the dialect.
    :param workflow: What the page has sent to get the workflow; for a session, with its `kind`.
    :raises PageError: 404, there is no such workflow.
    :raises ArgumentsRefusedError: The workflow is not valid.
    """
    host = PageHook(connection_id).settings.host
    name, files = build_workflow_files(workflow, connection_id, host, dialect)
    headers = {"Content-Disposition": f'attachment; filename="{name}.zip"'}
    return Response(build_archive(files), media_type="application/zip", headers=headers)


@actions.post("/reminders", dependencies=[LIMITED_REQUESTS, Depends(audit_reminders)])
def post_reminders(
    connection_id: str,
    policy: Mapping,
    sessions: Sessions = [],  # noqa: B006 - FastAPI copies it
    approval: Flag = False,
    days: Days = 14,
) -> ReminderPlan:
    """
    Check a reminder policy, and return its files and what it would send.

    :param connection_id: ID of the connection.
    :param policy: The policy, as in its YAML file.
    :param sessions: IDs of the sessions; default all of the platform.
    :param approval: Whether somebody approves each reminder first; default no.
    :param days: How many days to look ahead; default 14.
    """
    return plan_reminders(PageHook(connection_id), policy, sessions, approval=approval, days=days)


@actions.post("/access", dependencies=[LIMITED_REQUESTS])
def post_access(connection_id: str) -> ScopeList:
    """
    Find out what the keys of a connection may read.

    :param connection_id: ID of the connection.
    """
    return list_scopes(PageHook(connection_id))


@actions.post("/workflows")
def post_workflows(
    connection_id: str,
    session_id: Text,
    title: Text = "",
    options: Mapping = {},  # noqa: B006 - FastAPI copies it
) -> WorkflowList:
    """
    Return workflows for a session, ready to paste.

    :param connection_id: ID of the connection.
    :param session_id: ID of the session.
    :param title: Name of the session; default none.
    :param options: `fields`, `exclude`, `contract`, `watch` and `interval`; default those of each workflow.
    :raises ArgumentsRefusedError: Some options are not valid.
    """
    host = PageHook(connection_id).settings.host
    return {
        "workflows": build_workflows(session_id, connection_id, host, title, SessionOptions.read(options)),
    }


def _find_operation(name: str) -> Operation:
    operation = load_operations().get(name)
    if operation is None:
        raise PageError(status.HTTP_404_NOT_FOUND, "no_operation")
    return operation


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
    return _guard(app)


def _guard(app: ASGIApp) -> ASGIApp:
    """Return the application with security headers, a limit for request bodies, and a log without values."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        has_started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal has_started
            if message["type"] == "http.response.start":
                has_started = True
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                # Scripts: a new version is used at once. Data: people's data is in no cache, not even for "back".
                headers["Cache-Control"] = "no-cache" if "/static/" in scope["path"] else "no-store"
            await send(message)

        try:
            limited = limit_body(receive, scope["path"]) if scope["type"] == "http" else receive
            await app(scope, limited, send_with_headers)
        except Exception as error:
            if not has_started:
                raise
            # Starlette raises errors again after the response, and the server would log them with their values.
            log_unexpected(log, f"answering {scope['method']} {printable(scope['path'])}", error)

    return guarded


def _handle_http_error(request: Request, error: StarletteHTTPException) -> Response:
    path = request.url.path
    if isinstance(error, ArgumentsRefusedError):
        body: ArgumentsErrorBody = {"error": build_failure("arguments"), "problems": error.problems}
        return SafeResponse(body, status_code=error.status_code)
    if isinstance(error, PageError):
        return _error_response(error.status_code, error.failure)
    if error.status_code == status.HTTP_401_UNAUTHORIZED and path.endswith(PREFIX + "/"):
        return RedirectResponse(f"../api/v2/auth/login?{urlencode({'next': path})}")
    return _error_response(error.status_code, _failure_from_airflow(error))


def _failure_from_airflow(error: StarletteHTTPException) -> Failure:
    if error.detail in AIRFLOW_DETAILS and error.status_code == status.HTTP_401_UNAUTHORIZED:
        return build_failure("not_logged_in")
    if error.detail in AIRFLOW_DETAILS and error.status_code == status.HTTP_403_FORBIDDEN:
        return build_failure("not_permitted")
    return build_failure("http_error", detail=str(error.detail), status=error.status_code)


def _handle_invalid_request(_: Request, __: RequestValidationError) -> Response:
    return _error_response(UNPROCESSABLE, build_failure("unknown_request"))


def _handle_not_found(_: Request, __: AirflowNotFoundException) -> Response:
    return _error_response(status.HTTP_404_NOT_FOUND, build_failure("no_connection"))


def _handle_busy(_: Request, __: BusyError) -> Response:
    return _error_response(status.HTTP_503_SERVICE_UNAVAILABLE, build_failure("too_many_lists"))


def _handle_learning_error(_: Request, error: LearningError) -> Response:
    is_input_error = isinstance(error, FixIdError | FixArgumentError | SettingsError)
    code = UNPROCESSABLE if is_input_error else status.HTTP_502_BAD_GATEWAY
    return _error_response(code, failure_from_error(error))


def _handle_unexpected(_: Request, __: Exception) -> Response:
    return _error_response(status.HTTP_500_INTERNAL_SERVER_ERROR, build_failure("internal"))


_HANDLERS: dict[type[Exception], Any] = {
    StarletteHTTPException: _handle_http_error,
    RequestValidationError: _handle_invalid_request,
    AirflowNotFoundException: _handle_not_found,
    BusyError: _handle_busy,
    LearningError: _handle_learning_error,
    Exception: _handle_unexpected,
}


def _error_response(status_code: int, failure: Failure) -> Response:
    body: ErrorBody = {"error": failure}
    return SafeResponse(body, status_code=status_code)
