"""
Program sessions and their parts, as 360Learning sends them.

The models are shallow: a session is a pydantic model, and its parts are validated into plain dictionaries. So
`document()` rebuilds one level only, for any number of learners. Nothing that the API sent is lost.
"""

from __future__ import annotations

__all__ = [
    "CustomField",
    "Learner",
    "LearnerStatistics",
    "Module",
    "ProgramSession",
    "Requirements",
    "SessionStatistics",
]

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from json import JSONDecodeError
from typing import TYPE_CHECKING, Annotated, Any, NotRequired, Self, TypeVar

from pydantic import (
    AfterValidator,
    AliasGenerator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PrivateAttr,
    TypeAdapter,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    with_config,
)
from pydantic.alias_generators import to_camel
from typing_extensions import TypedDict

from airflow_provider_learning360.api.api_version import FIRST_VERSION
from airflow_provider_learning360.api.decoder import SafeDecoder, decode_json, sanitized_fields
from airflow_provider_learning360.api.errors import ContractError, redact
from airflow_provider_learning360.api.nesting import TOO_DEEP
from airflow_provider_learning360.api.sanitizer import is_number_text, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from airflow_provider_learning360.api.api_version import ApiVersion
    from airflow_provider_learning360.api.messages import Response

M = TypeVar("M", bound=BaseModel)
D = TypeVar("D", bound="Document")
R = TypeVar("R")
L = TypeVar("L")

log = logging.getLogger(__name__)

_OPEN = ConfigDict(extra="allow", strict=True)


def parse_date(value: Any) -> Any:
    """
    Parse a date of the API.

    :param value: An ISO text or a datetime; an empty text means that no date is set.
    :returns: A datetime in UTC, or None; anything else unchanged, for pydantic to refuse.
    :raises ValueError: The text is not a date.
    """
    if value == "":
        return None
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if isinstance(value, datetime):
            # The vendor's dates are GMT, also those without a zone.
            return value.replace(tzinfo=UTC) if value.tzinfo is None else _in_utc(value)
    except (ValueError, OverflowError):
        # Without the value, which may be about people.
        raise ValueError("it is not a date") from None
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        # The first and the last year stand for "always"; in UTC as well.
        return (datetime.min if value.year == 1 else datetime.max).replace(tzinfo=UTC)


def format_date(value: datetime) -> str:
    """
    Write a date as the vendor does.

    :param value: A datetime with its zone.
    :returns: An ISO text in UTC, with milliseconds, or microseconds if the datetime has them.
    """
    precision = "microseconds" if value.microsecond % 1000 else "milliseconds"
    return value.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")


def _check_number(value: float | str | None) -> float | str | None:
    if isinstance(value, str) and not is_number_text(value):
        raise ValueError("Input should be a valid number")
    return value


Date = Annotated[datetime | None, BeforeValidator(parse_date)]
# A text replaces a number that needs more than 64 bits, and NaN and infinity.
Integer = Annotated[int | str | None, AfterValidator(_check_number)]
Number = Annotated[int | float | str | None, AfterValidator(_check_number)]


@with_config(_OPEN)
class Learner(TypedDict):
    """A learner of a session; `mail` is a login and not always an address that mail reaches."""

    _id: NotRequired[str | None]
    mail: NotRequired[str | None]
    firstName: NotRequired[str | None]
    lastName: NotRequired[str | None]


def _check_learners(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    """Check learners; those of texts only are taken as they are, which is quicker and copies none of them."""
    return value if _have_only_texts(value) else validate(value)


def _have_only_texts(learners: Any) -> bool:
    if not isinstance(learners, list):
        return False
    try:
        return {*map(type, chain.from_iterable(map(dict.values, learners)))} <= _TEXT_OR_NONE
    except TypeError:  # one of them is no dictionary
        return False


_TEXT_OR_NONE = {str, type(None)}  # what all documented fields of a learner may be


@with_config(_OPEN)
class Module(TypedDict):
    """A module of a session: a `course`, a `webinar` or a `classroom`."""

    _id: NotRequired[str | None]
    type: NotRequired[str | None]


@with_config(_OPEN)
class CustomField(TypedDict):
    """A custom field and its value; the API sends its ID as `_id` or `customFieldId`."""

    _id: NotRequired[str | None]
    customFieldId: NotRequired[str | None]
    name: NotRequired[str | None]
    value: NotRequired[Any]


@with_config(_OPEN)
class Requirements(TypedDict):
    """What a learner must have completed before."""

    courses: NotRequired[list[Any] | None]
    programs: NotRequired[list[Any] | None]
    paths: NotRequired[list[Any] | None]


@with_config(_OPEN)
class LearnerStatistics(TypedDict):
    """The progress of one learner; all fields but `mail` are often missing. API v1 sends none of the last three."""

    mail: NotRequired[str | None]
    firstName: NotRequired[str | None]
    lastName: NotRequired[str | None]
    deleted: NotRequired[bool | None]
    progress: NotRequired[Number]
    score: NotRequired[Number]
    startTime: NotRequired[Any]
    endTime: NotRequired[Any]
    totalTimeSpentInSeconds: NotRequired[Number]
    userId: NotRequired[str | None]
    status: NotRequired[str | None]
    dueDate: NotRequired[str | None]


def _readable_statistics(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    """Leave out the learners that cannot be read, if at least one can."""
    try:
        return validate(value)
    except ValidationError:
        if not isinstance(value, list):
            raise
        return _keep_readable(list(value), TypeAdapter(LearnerStatistics), "A program session's statistics have")


def _keep_readable(learners: list[Any], adapter: TypeAdapter[L], subject: str) -> list[L]:
    """Keep the learners that can be read, in place; warn once about the others."""
    problem, kept = "", 0
    for position, learner in enumerate(learners, 1):
        try:
            # Into the same list: a second one would take as much memory as the first.
            learners[kept] = adapter.validate_python(learner)
        except ValidationError as error:
            problem = problem or f"number {position}: {problem_of_fields(error)}"
            continue
        kept += 1
    if problem and kept:
        log.warning(
            "%s %d learners that cannot be read. The first is %s. Continuing without.",
            *(subject, len(learners) - kept, problem),
        )
    if kept or not problem:
        del learners[kept:]
        return learners
    raise ValueError(problem)


class Document(BaseModel):
    """An object of the API: typed, open to unknown fields, and convertible back to JSON without loss."""

    model_config = ConfigDict(
        strict=True,
        extra="allow",
        frozen=True,
        hide_input_in_errors=True,
        alias_generator=AliasGenerator(alias=lambda name: "_id" if name == "id" else to_camel(name)),
    )

    # Names of the fields in which something was replaced, since it cannot be stored.
    _sanitized: tuple[str, ...] = PrivateAttr(())

    @property
    def sanitized_fields(self) -> tuple[str, ...]:
        """Names of the fields in which a text or number was replaced, since Airflow cannot store it."""
        return self._sanitized

    @classmethod
    def from_json(cls, value: Any, *, was_sanitized: bool = False) -> Self:
        """
        Build the model from a JSON value.

        :param value: The value, as the decoder returns it.
        :param was_sanitized: Whether something in it may have been replaced; default False.
        :returns: The model.
        :raises ValidationError: The value is not such an object.
        """
        document = cls.model_validate(value)
        if was_sanitized:
            document._sanitized = sanitized_fields(value)
        return document

    @classmethod
    def field_names(cls) -> list[str]:
        """
        Return the documented fields.

        :returns: Their names in the API.
        """
        return [field.alias or name for name, field in cls.model_fields.items()]

    def sent_fields(self) -> dict[str, str]:
        """
        Return the documented fields that were sent.

        :returns: For each name in the API, the name of the attribute.
        """
        # pydantic counts unknown fields among the set ones too, whatever their names are.
        unknown = self.model_extra or {}
        return {
            field.alias or name: name
            for name, field in type(self).model_fields.items()
            if name in self.model_fields_set and (name not in unknown or getattr(self, name) is not None)
        }

    def document(self, fields: Collection[str] | None = None, exclude: Collection[str] | None = None) -> dict[str, Any]:
        """
        Return the JSON document: what the API sent, with all dates in one form.

        :param fields: Names of the fields to keep; default all that were sent.
        :param exclude: Names of the fields to leave out; default none.
        :returns: The document, with the API's names of fields.
        """
        document = {}
        for alias, name in self.sent_fields().items():
            value = getattr(self, name)
            document[alias] = format_date(value) if isinstance(value, datetime) else value
        document.update(self.model_extra or {})
        if fields is not None:
            document = {name: value for name, value in document.items() if name in fields}
        if exclude is not None:
            document = {name: value for name, value in document.items() if name not in exclude}
        return document


@dataclass(frozen=True)
class Coverage:
    """
    What the API was asked for, and what its `modifiedAt` covers.

    :param own_fields: Fields that only this version of the API has; default none.
    :param expected: Fields that it was asked for; default all that are documented.
    :param untimed: Fields whose changes do not move `modifiedAt`; default none.
    :param optional: Fields that may be missing although the API was asked for them; default none.
    :param absent: Fields that only the other version of the API has; default none.
    :param version: The version of the API; default `v1`.
    """

    own_fields: frozenset[str] = frozenset()
    expected: frozenset[str] | None = None
    untimed: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    absent: frozenset[str] = frozenset()
    version: ApiVersion = FIRST_VERSION


_ALL_COVERED = Coverage()


class ProgramSession(Document):
    """
    A program session: the typed view of the API's document.

    All fields but `id` may be missing. A missing field is None here, and absent from `document()`.

    Source: 360Learning API v1, `GET /api/v1/programs/sessions/{session_id}/`.
    """

    id: str
    name: str | None = None
    author: str | None = None
    description: str | None = None
    start_date: Date = None
    end_date: Date = None
    modified_at: Date = None
    lang: str | None = None
    has_user_limit: bool | None = None
    user_limit: Number = None
    program_duration: Number = None
    program_duration_type: str | None = None
    program_template: str | None = None
    automated_reminders: bool | None = None
    session_custom: str | None = None
    template_custom: str | None = None
    tutors: list[str] | None = None
    modules: list[Module] | None = None
    groups: list[str] | None = None
    custom_fields: list[CustomField] | None = None
    requirements: Requirements | None = None
    users: Annotated[list[Learner] | None, WrapValidator(_check_learners)] = None
    skills: list[str] | None = None
    validate_registrations: bool | None = None

    # By a factory: pydantic copies a default value for each session.
    _coverage: Coverage = PrivateAttr(default_factory=lambda: _ALL_COVERED)

    @property
    def coverage(self) -> Coverage:
        """What the API was asked for, and what its `modifiedAt` covers."""
        return self._coverage

    def with_coverage(self, coverage: Coverage) -> ProgramSession:
        """
        Say what the API was asked for.

        :param coverage: What it was.
        :returns: This session.
        """
        self._coverage = coverage
        return self

    @property
    def title(self) -> str:
        """The session for people: its name, printable and on one line, and its ID."""
        name = printable(" ".join((self.name or "").split()))
        return f"{name} ({printable(self.id)})" if name else f"program session {printable(self.id)}"


class SessionStatistics(Document):
    """
    The progress of the learners of a session.

    Source: 360Learning API v1, `GET /api/v1/programs/sessions/{session_id}/stats`.
    """

    name: str | None = None
    registered: Integer = None
    attendees: Integer = None
    completed: Integer = None
    users_stats: Annotated[list[LearnerStatistics] | None, WrapValidator(_readable_statistics)] = None

    def not_completed(self) -> list[LearnerStatistics]:
        """
        Return the learners who have not completed the session and are not deleted.

        :returns: Their statistics.
        """
        return [learner for learner in self.users_stats or [] if not (learner.get("deleted") or has_completed(learner))]


def has_completed(learner: LearnerStatistics) -> bool:
    """
    Whether a learner has completed the session.

    :param learner: The statistics of the learner.
    :returns: On API v2, whether the status is `successful`; on API v1, whether there is an `endTime`, or all progress.
    """
    if status := learner.get("status"):
        return status == "successful"
    progress = learner.get("progress")
    return bool(learner.get("endTime")) or (isinstance(progress, int | float) and progress >= 100)


MODULE_TYPES = frozenset({"course", "webinar", "classroom"})
DURATION_TYPES = frozenset({"hour"})


START = 200  # bytes of a body, enough to tell a page from JSON


def parse_object(model: type[D], what: str) -> Callable[[Response], D]:
    """
    Build the parser of a response that is one object.

    :param model: The model of the object.
    :param what: What the response should be, for errors.
    :returns: The parser; it raises `ContractError` if the response is not such an object.
    """

    def read(response: Response) -> D:
        decoder = SafeDecoder()
        value = decoder.decode(response.body, is_shallow=response.is_shallow)
        return model.from_json(value, was_sanitized=decoder.has_changed)

    def parse(response: Response) -> D:
        return parse_response(what, response, lambda: read(response))

    return parse


def parse_session(session_id: str) -> Callable[[Response], ProgramSession]:
    """
    Build the parser of a response that is one program session.

    :param session_id: ID of the requested session; any other session is an error.
    :returns: The parser; it raises `ContractError` if the response is not that session.
    """
    read = parse_object(ProgramSession, "a program session")

    def parse(response: Response) -> ProgramSession:
        session = read(response)
        if session.id.lower() != session_id:
            raise build_contract_error("the requested program session", response, "it has another _id")
        return session

    return parse


def parse_part(session: ProgramSession, part: Mapping[str, Any]) -> ProgramSession:
    """
    Add fields to a session that were read separately.

    :param session: The session.
    :param part: The fields, with the API's names.
    :returns: A new session.
    :raises ContractError: A field has a value that is not valid.
    """
    try:
        return ProgramSession.from_json({**session.document(), **part})
    except ValidationError as error:
        problem = problem_of_fields(error)
    raise ContractError(
        f"A part of session {session.id} is not what the API documents: {problem}. "
        "The API may have changed: please report it."
    )


def parse_learners(response: Response) -> list[Learner]:
    """
    Parse a list of learners; those that cannot be read are left out, with one warning.

    :param response: The response.
    :returns: The learners.
    :raises ContractError: It is not a list, or none of its entries is a learner.
    """

    def read() -> list[Learner]:
        learners = decode_json(response.body, is_shallow=response.is_shallow)
        if not isinstance(learners, list):
            raise ValueError("it is not an array")  # noqa: TRY004 - becomes the text of a ContractError
        return _keep_readable(learners, TypeAdapter(Learner), f"{response.request} has")

    return parse_response("a list of learners", response, read)


def parse_response(what: str, response: Response, parse: Callable[[], R]) -> R:
    """
    Run a parser; where it fails, say what is wrong with the response, without showing anything of it.

    :param what: What the response should be, for errors.
    :param response: The response.
    :param parse: The parser.
    :returns: What the parser returns.
    :raises ContractError: The parser failed.
    """
    try:
        return parse()
    except (ValueError, RecursionError) as error:
        problem = describe_problem(error)
    # Outside the handler: the exception of the parser contains the text of the response.
    raise build_contract_error(what, response, find_page_problem(response.body) or problem)


def describe_problem(error: ValueError | RecursionError) -> str:
    """
    Say what is wrong with a value that a parser refused, without showing anything of it.

    :param error: The exception of the parser.
    :returns: The problem, for an error.
    """
    if isinstance(error, ValidationError):
        return problem_of_fields(error)
    if isinstance(error, RecursionError):
        return TOO_DEEP
    return "it is not valid JSON" if isinstance(error, JSONDecodeError | UnicodeDecodeError) else str(error)


def build_contract_error(what: str, response: Response, problem: str) -> ContractError:
    """
    Build the error for a successful response that is not what the API documents.

    :param what: What the response should be.
    :param response: The response.
    :param problem: What is wrong with it.
    :returns: The error.
    """
    request = response.request
    return ContractError(
        f"{request} returned {response.status}, but not {what}: {problem}. "
        "Check the host of the connection. If it is right, the API may have changed: please report it.",
        method=request.method,
        path=request.path,
        status=response.status,
    )


def find_page_problem(body: bytes) -> str | None:
    """
    Say what a body is that is not JSON at all.

    :param body: The body, or its beginning.
    :returns: The problem, for an error; None if the body may be JSON.
    """
    start = body[:START].lstrip().lower()
    if not start:
        return "the body is empty"
    if start.startswith((b"<!doctype", b"<html", b"<")):
        return "it is an HTML page"
    return None


def problem_of_fields(error: ValidationError) -> str:
    """
    Say what is wrong with the first field that is not valid, without its value.

    :param error: The exception of pydantic.
    :returns: The problem, for an error.
    """
    # Not `describe_problem` of input_errors.py, which shows values to the author of a file: these are of people.
    detail = error.errors(include_input=False, include_url=False, include_context=False)[0]
    place = redact(".".join(str(part) for part in detail["loc"]))
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    said = detail["msg"].removeprefix("Value error, ")
    if detail["type"] in ("model_type", "dict_type"):
        said = "Input should be an object"
    if detail["type"] == "json_invalid":
        return f"it is not valid JSON{more}"
    if not place:
        return f"it is not an object ({said})"
    return f"{place}: {said}{more}"
