"""The JSON that the page's routes send. `static/api.js` describes the same shapes for the scripts."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

Values = dict[str, str | int | float]

FailureCode = Literal[
    # Airflow and this page
    "body_too_large",
    "http_error",
    "internal",
    "no_connection",
    "no_file",
    "not_json",
    "not_logged_in",
    "not_permitted",
    "other_site",
    "people_not_permitted",
    "too_many_lists",
    "too_many_requests",
    "too_many_searches",
    "unknown_request",
    # the connection, for this page
    "connection_id_not_allowed",
    "host_not_allowed",
    "settings_not_allowed",
    # 360Learning
    "argument",
    "connection",
    "contract",
    "forbidden",
    "invalid_id",
    "not_found",
    "rate_limited",
    "rate_limited_seconds",
    "redirect",
    "scope_missing",
    "session_not_found",
    "settings",
    "temporary",
    "timed_out",
    "too_large",
    "unauthorized",
    "unavailable",
    "unknown_company",
    "unknown_outcome",
    "unreachable",
    # the list of sessions
    "list_failed",
    "list_incomplete",
    "list_too_long",
]
Action = Literal["ask", "choose_session", "fix_connection", "log_in", "reload", "report", "retry"]


class Failure(TypedDict):
    """
    What failed.

    :param code: Names the sentence that the page shows, in the reader's language.
    :param action: What the user can do, for the button next to the sentence.
    :param values: Values for the placeholders of the sentence.
    :param detail: The technical text, in English; None if there is none.
    """

    code: FailureCode
    action: Action
    values: Values
    detail: str | None


class ErrorBody(TypedDict):
    """
    The body of every response with an error status.

    :param error: What failed.
    """

    error: Failure


# --- connections ---

ConnectionSource = Literal["database", "environment"]


class ConnectionItem(TypedDict):
    """
    A connection that the user may use.

    :param id: ID of the connection.
    :param host: Address of 360Learning; None if the connection has no valid one.
    :param description: Its description in Airflow.
    :param source: Where Airflow reads it from.
    :param may_edit: Whether the user may edit it.
    """

    id: str
    host: str | None
    description: str | None
    source: ConnectionSource
    may_edit: bool


class ConnectionList(TypedDict):
    """
    The connections that the user may use.

    :param connections: The connections, by ID.
    :param preselected: ID of the connection to show first; None if there is no connection.
    :param may_create: Whether the user may create connections.
    :param create_url: Where to create one, relative to Airflow's own address.
    """

    connections: list[ConnectionItem]
    preselected: str | None
    may_create: bool
    create_url: str


class ConnectionTest(TypedDict):
    """
    The result of a connection test.

    :param ok: Whether the keys were accepted.
    :param host: Address that the keys were sent to; None if they were not sent.
    :param milliseconds: How long the test took.
    :param failure: Why it failed; None if it did not.
    """

    ok: bool
    host: str | None
    milliseconds: int
    failure: Failure | None


# --- sessions ---


class SessionItem(TypedDict):
    """
    A session in the list.

    :param id: ID of the session.
    :param name: Its name, on one line, without mail addresses.
    :param template: ID of its program template.
    :param start: `startDate`, UTC.
    :param end: `endDate`, UTC.
    :param modified: `modifiedAt`, UTC.
    """

    id: str
    name: str
    template: str | None
    start: str | None
    end: str | None
    modified: str | None


class SessionSearch(TypedDict):
    """
    The result of a search.

    :param sessions: The first of the sessions that match.
    :param matches: How many match.
    :param read: How many were searched.
    :param unreadable: How many entries could not be read.
    :param complete: Whether the list was read to its end, or reading it failed.
    :param age: Seconds since the list was read; None while it is being read.
    :param error: Why it could not be read to its end.
    """

    sessions: list[SessionItem]
    matches: int
    read: int
    unreadable: int
    complete: bool
    age: float | None
    error: Failure | None


# --- test request ---

NoteCode = Literal["conditional", "cut", "may_be_people", "new_value", "too_deep", "too_large"]
FieldState = Literal["documented", "unknown", "missing"]


class Note(TypedDict):
    """
    A remark on a field.

    :param code: Names the text that the page shows.
    :param values: Values for the placeholders of the text.
    """

    code: NoteCode
    values: Values


class Field(TypedDict):
    """
    A field of a session, or an element of a list.

    :param name: Name of the field, or index of the element.
    :param path: Where it is in the document.
    :param type: Its type in words, as in the documentation.
    :param state: Whether it is documented, unknown, or documented but missing.
    :param documented_as: Its path in `api/documentation.py`; None if it is not documented.
    :param meaning: What it means, in English; None if it is not documented.
    :param notes: Remarks on it.
    :param people: Whether it is about people, or may be.
    :param value: Its value, if it is not an object or a list.
    :param items: What is inside an object or a list.
    :param count: How many elements a list has.
    :param more: How many elements are left out of `items`.
    """

    name: str
    path: str
    type: str
    state: FieldState
    documented_as: str | None
    meaning: str | None
    notes: list[Note]
    people: bool
    value: NotRequired[str | int | float | None]
    items: NotRequired[list[Field]]
    count: NotRequired[int]
    more: NotRequired[int]


class DriftReport(TypedDict):
    """
    How a document differs from the documentation.

    :param unknown: Names of the fields that are not documented.
    :param more: How many further names are left out of `unknown`.
    :param missing: Names of the documented fields that were not sent.
    :param new_values: Values that are not documented.
    """

    unknown: list[str]
    more: int
    missing: list[str]
    new_values: list[str]


class SessionDescription(TypedDict):
    """
    A session, for the page.

    :param fields: The documented fields, then the unknown ones.
    :param document: The document as JSON, with people's data hidden unless it was requested.
    :param drift: How it differs from the documentation.
    """

    fields: list[Field]
    document: dict[str, Any]
    drift: DriftReport


class PeopleRights(TypedDict):
    """
    Whether people's data is in a response.

    :param hidden: Whether it is hidden.
    :param may_reveal: Whether the user may see it.
    """

    hidden: bool
    may_reveal: bool


class RequestSuccess(SessionDescription):
    """
    The result of a test request that succeeded.

    :param ok: True.
    :param request: Method and path.
    :param status: HTTP status of the response.
    :param milliseconds: How long the request took.
    :param bytes: Size of the body.
    :param title: Name and ID of the session.
    :param people: Whether people's data is in it.
    """

    ok: Literal[True]
    request: str
    status: int
    milliseconds: int
    bytes: int
    title: str
    people: PeopleRights


class RequestFailure(TypedDict):
    """
    The result of a test request that failed.

    :param ok: False.
    :param request: Method and path; None if nothing was sent.
    :param status: HTTP status of the response; None if there was none.
    :param milliseconds: How long the request took.
    :param failure: What failed.
    :param people: Whether people's data is in it.
    """

    ok: Literal[False]
    request: str | None
    status: int | None
    milliseconds: int
    failure: Failure
    people: PeopleRights


RequestTest = RequestSuccess | RequestFailure

# --- workflows ---

WorkflowKind = Literal["fetch", "wait", "events", "reminders"]
DialectName = Literal["python", "blueprint", "dag_factory"]
Need = Literal[
    "airflow_3_0",
    "airflow_3_3",
    "blueprint_extra",
    "blueprint_files",
    "both_dags",
    "dag_factory",
    "dag_factory_loader",
    "dag_factory_telemetry",
    "reminders_extra",
    "smtp",
    "triggerer",
]


class Snippet(TypedDict):
    """
    A workflow in one dialect.

    :param dialect: The dialect.
    :param label: Its name for people.
    :param file: Where to save it.
    :param text: The source.
    :param needs: What must be installed or configured.
    """

    dialect: DialectName
    label: str
    file: str
    text: str
    needs: list[Need]


class WorkflowItem(TypedDict):
    """
    A workflow that the page offers.

    :param kind: What the workflow does; names the texts that the page shows.
    :param snippets: The workflow in each dialect.
    """

    kind: WorkflowKind
    snippets: list[Snippet]


class WorkflowList(TypedDict):
    """
    The workflows for a session.

    :param workflows: The workflows.
    """

    workflows: list[WorkflowItem]


# --- watched sessions ---


class DagLink(TypedDict):
    """
    A DAG.

    :param id: ID of the DAG.
    :param url: Where it is, relative to Airflow's own address.
    """

    id: str
    url: str


class WatchedAsset(TypedDict):
    """
    A watched asset.

    :param name: Name of the asset.
    :param uri: URI of the asset.
    :param sessions: How many sessions it watches, or `all`; None as long as Airflow watches none.
    :param last_seen: Latest `modifiedAt` among its watermarks, UTC.
    :param last_event: When it had its last event.
    :param last_change: Names of the fields that changed then.
    :param missing: Whether a session was missing then.
    :param active: Whether Airflow watches it.
    :param dags: The DAGs that it starts, and that the user may read.
    """

    name: str
    uri: str
    sessions: int | Literal["all"] | None
    last_seen: str | None
    last_event: str | None
    last_change: str | None
    missing: bool
    active: bool
    dags: list[DagLink]


class WatchedAssets(TypedDict):
    """
    The watched assets of this Airflow.

    :param watermarks_stored: Whether this Airflow stores watermarks.
    :param watched: The assets, by name.
    """

    watermarks_stored: bool
    watched: list[WatchedAsset]
