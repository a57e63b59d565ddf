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
    "no_operation",
    "no_workflow",
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
    "arguments",
    "connection",
    "contract",
    "forbidden",
    "invalid_id",
    "not_found",
    "object_not_found",
    "other_version",
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
Action = Literal[
    "ask",
    "choose_operation",
    "choose_session",
    "edit_request",
    "fix_connection",
    "log_in",
    "reload",
    "report",
    "retry",
]


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


class ArgumentProblemItem(TypedDict):
    """
    What is wrong with an argument.

    :param place: Where, such as `parameters.pathId`, `body.name` or `rules.0.before`.
    :param text: What is wrong there, in English.
    """

    place: str
    text: str


class ArgumentsErrorBody(TypedDict):
    """
    The body of a response to arguments that are not valid.

    :param error: What failed.
    :param problems: What is wrong with each argument.
    """

    error: Failure
    problems: list[ArgumentProblemItem]


# --- connections ---

ApiVersionName = Literal["v1", "v2"]
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


class ConnectionVersion(TypedDict):
    """
    Which version of the API a connection uses.

    :param version: The version.
    """

    version: ApiVersionName


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

# --- operations ---

RepeatName = Literal["read", "repeatable", "once"]
ValueType = Literal["text", "id", "date-time", "date", "number", "boolean", "choice", "list"]
OptionName = Literal["pages", "fields", "contract", "dry_run", "replace", "wait_for"]


class OperationItem(TypedDict):
    """
    An operation in the list.

    :param name: Its name.
    :param version: The version of the API that has it.
    :param method: HTTP method.
    :param path: Path, with parameters in braces.
    :param topic: What it is about.
    :param text: What it does, in one sentence, in English.
    :param repeat: Whether it changes something, and whether it may be sent twice.
    :param usual: Whether automations often start with it.
    :param people: Whether its answers hold people's data.
    :param scope: The scope that it needs; None if none is known.
    """

    name: str
    version: ApiVersionName
    method: str
    path: str
    topic: str
    text: str
    repeat: RepeatName
    usual: bool
    people: bool
    scope: str | None


class OperationList(TypedDict):
    """
    All operations.

    :param operations: The operations, in the order of the catalogue.
    :param topics: What they are about, in the same order.
    """

    operations: list[OperationItem]
    topics: list[str]


class ParameterDescription(TypedDict):
    """
    A parameter of an operation, with one of its operators.

    :param key: How it is written, such as `modifiedAt[gte]`.
    :param name: Its name, without an operator.
    :param operator: The operator; None if it has none.
    :param place: Where it is sent.
    :param required: Whether it must be given.
    :param type: Type of its value.
    :param items: Type of the items of a list; None if it is not a list.
    :param choices: The allowed values; None if any is allowed.
    :param text: What it means, in English; None if that is not known.
    :param finds: What the page can find for it; None if it finds nothing.
    """

    key: str
    name: str
    operator: str | None
    place: Literal["path", "query"]
    required: bool
    type: ValueType
    items: ValueType | None
    choices: list[str] | None
    text: str | None
    finds: Literal["session"] | None


class BodyDescription(TypedDict):
    """
    The body of a request.

    :param type: Its content type.
    :param schema: JSON Schema of it; it has those that it refers to under `schemas`.
    """

    type: str
    schema: Any


class AnswerSchema(TypedDict):
    """
    The response of an operation, as documented.

    :param status: HTTP status.
    :param type: Content type of its body.
    :param schema: JSON Schema of it, as of a body; None if it has no body.
    """

    status: int
    type: str
    schema: Any


class OperationExample(TypedDict):
    """
    Arguments with which an operation can be called.

    :param parameters: Its parameters, by key.
    :param body: Its body; None if it takes none.
    """

    parameters: dict[str, Any]
    body: Any


class OperationDetail(OperationItem):
    """
    An operation with its documentation.

    :param replaces: What a call replaces as a whole; None if it replaces nothing.
    :param asynchronous: Whether 360Learning does the work later.
    :param confidence: How sure it is that the operation is as described.
    :param warning: What to beware of, in English; None if there is nothing.
    :param counterpart: Name of the operation of the other version of the API; None if there is none.
    :param page_size: How many items a page of a list has; None if that is not known.
    :param reference: Address of the vendor's page about it; None if that is not known.
    :param parameters: Its parameters.
    :param body: Its body; None if it takes none.
    :param answer: Its response.
    :param example_answer: A made-up body of its response.
    :param example: Arguments to begin with.
    :param errors: The API's own error codes, by HTTP status.
    :param options: Names of the options of the operator that apply to it.
    """

    replaces: str | None
    asynchronous: bool
    confidence: Literal["documented", "recorded", "reported"]
    warning: str | None
    counterpart: str | None
    page_size: int | None
    reference: str | None
    parameters: list[ParameterDescription]
    body: BodyDescription | None
    answer: AnswerSchema
    example_answer: Any
    example: OperationExample
    errors: dict[str, list[str]]
    options: list[OptionName]


class SentRequest(TypedDict):
    """
    A request.

    :param method: HTTP method.
    :param path: Path, with the parameters in it.
    :param query: Names and values of the query, in order.
    :param body: Its body; None if it has none.
    """

    method: str
    path: str
    query: list[list[str]]
    body: Any


class UnsentRequest(SentRequest):
    """
    A request that is not sent.

    :param headers: Its headers, without secrets.
    """

    headers: dict[str, str]


class AnswerDescription(TypedDict):
    """
    The answer of an operation, for the page.

    :param fields: Its fields; of a list, the first items.
    :param more_fields: How many fields or items are left out of `fields`.
    :param document: The answer as JSON, with people's data hidden unless it was requested.
    :param drift: How it differs from its schema.
    :param items: How many items were read of a list; None if it is not a list.
    :param more: Whether there are further pages.
    :param has_hidden: Whether something is hidden in it.
    """

    fields: list[Field]
    more_fields: int
    document: Any
    drift: DriftReport
    items: int | None
    more: bool
    has_hidden: bool


class OperationSuccess(AnswerDescription):
    """
    The result of a test of an operation that succeeded.

    :param ok: True.
    :param request: Method and path, and how many further requests there were.
    :param sent: The first request.
    :param status: HTTP status of the response.
    :param milliseconds: How long the requests took.
    :param bytes: Size of the bodies.
    :param people: Whether people's data is in it.
    """

    ok: Literal[True]
    request: str
    sent: SentRequest
    status: int
    milliseconds: int
    bytes: int
    people: PeopleRights


class WriteDescription(TypedDict):
    """
    What an operation that changes something would send. Nothing was sent.

    :param ok: True.
    :param sent: None.
    :param would_send: The request.
    :param reason: Why it was not sent: it changes something.
    :param repeat: Whether it may be sent twice.
    :param replaces: What it replaces as a whole; None if it replaces nothing.
    """

    ok: Literal[True]
    sent: None
    would_send: UnsentRequest
    reason: Literal["write"]
    repeat: RepeatName
    replaces: str | None


OperationTest = OperationSuccess | RequestFailure | WriteDescription

# --- workflows ---

WorkflowKind = Literal["fetch", "wait", "events", "reminders", "operation"]
DialectName = Literal["python", "blueprint", "dag_factory"]
Need = Literal[
    "airflow_3_0",
    "blueprint_extra",
    "blueprint_files",
    "both_dags",
    "dag_factory",
    "dag_factory_loader",
    "dag_factory_telemetry",
    "people_in_xcom",
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


class PickedExpressions(TypedDict):
    """
    How the next task uses a field of an answer, as a text in each dialect.

    :param python: A Jinja template, for any field that takes templates.
    :param blueprint: A reference to the step.
    :param dag_factory: A Jinja template.
    """

    python: str
    blueprint: str
    dag_factory: str


class OperationWorkflows(WorkflowList):
    """
    The workflow for an operation.

    :param expressions: By path of each picked field, how the next task uses it.
    """

    expressions: dict[str, PickedExpressions]


# --- reminders ---


class WorkflowFile(TypedDict):
    """
    A file of a workflow.

    :param file: Where to save it.
    :param text: Its content.
    """

    file: str
    text: str


class PlannedReminder(TypedDict):
    """
    A reminder that a policy would send.

    :param at: When it would go out, UTC.
    :param due: When it is due, UTC; earlier than `at` if quiet hours or days off hold it.
    :param rule: Name of its rule.
    :param session: ID of the session.
    :param title: Name of the session, without mail addresses.
    :param anchor: The date that it is about.
    :param anchor_at: That date, UTC; None if it is not known.
    :param message: A mail to each person, or a digest.
    :param recipients: How many people would get it.
    :param who: The first of them, masked.
    :param without_address: How many would get it if they had a mail address.
    """

    at: str
    due: str
    rule: str
    session: str
    title: str
    anchor: str | None
    anchor_at: str | None
    message: str
    recipients: int
    who: list[str]
    without_address: int


class ReminderPlan(TypedDict):
    """
    What a policy would send.

    :param problems: What is wrong with the policy; then there is nothing else.
    :param files: The files to save: DAGs and policy.
    :param plan: The reminders, by time; of a rule that repeats, the next one.
    :param until: Until when the plan looks ahead, UTC.
    :param sessions: How many sessions were planned, also of those without a reminder.
    :param complete: Whether these are all sessions and all reminders.
    :param not_planned: Names of the rules that depend on changes, which are not known in advance.
    :param failure: Why the sessions could not be read; None if they could.
    """

    problems: list[ArgumentProblemItem]
    files: list[WorkflowFile]
    plan: list[PlannedReminder]
    until: str
    sessions: int
    complete: bool
    not_planned: list[str]
    failure: Failure | None


# --- scopes ---


class ScopeItem(TypedDict):
    """
    Whether a connection may read something.

    :param name: What is read, such as `paths:read`.
    :param granted: Whether it may be read; None if that could not be found out.
    :param detail: The rest of the sentence that begins with the name, in English.
    """

    name: str
    granted: bool | None
    detail: str


class ScopeList(TypedDict):
    """
    What a connection may read.

    :param scopes: The scopes, or the routes of API v1.
    """

    scopes: list[ScopeItem]


# --- watched sessions ---


class DagLink(TypedDict):
    """
    A DAG.

    :param id: ID of the DAG.
    :param url: Where it is, relative to Airflow's own address.
    """

    id: str
    url: str


class ReportedSession(TypedDict):
    """
    A session in an event.

    :param id: ID of the session.
    :param kind: What happened to it.
    :param fields: Names of the watched fields that changed.
    """

    id: str
    kind: Literal["modified", "missing", "completed"]
    fields: list[str]


class ReportedEvent(TypedDict):
    """
    An event of a watched asset.

    :param at: When Airflow stored it.
    :param sessions: The first of its sessions.
    :param more: How many further sessions it has.
    """

    at: str
    sessions: list[ReportedSession]
    more: int


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
    :param last_polled: When its sessions were last read, UTC, up to 5 minutes and one poll late; None if not known.
    :param in_trouble_since: Since when they cannot be read, UTC; None if they can.
    :param reported: Its last events, the newest first.
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
    last_polled: str | None
    in_trouble_since: str | None
    reported: list[ReportedEvent]
    dags: list[DagLink]


class WatchedAssets(TypedDict):
    """
    The watched assets of this Airflow.

    :param polls_stored: Whether this Airflow stores when an asset was last polled.
    :param watched: The assets, by name.
    """

    polls_stored: bool
    watched: list[WatchedAsset]
