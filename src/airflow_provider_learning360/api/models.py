"""
Program sessions and their parts, as 360Learning sends them.

The models are shallow: a session is a pydantic model, its parts are validated straight into plain dictionaries. So the
JSON document is a rebuild of one level, whatever the number of learners, and nothing that the API sent is lost.
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
from datetime import UTC, datetime
from difflib import get_close_matches
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

from airflow_provider_learning360.api.decoder import TOO_DEEP, SafeDecoder, decode_json, sanitized_fields
from airflow_provider_learning360.api.errors import ContractError, FixArgumentError, redact
from airflow_provider_learning360.api.sanitizer import is_number_text, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from airflow_provider_learning360.api.messages import Response

M = TypeVar("M", bound=BaseModel)
D = TypeVar("D", bound="Document")
R = TypeVar("R")
L = TypeVar("L")

log = logging.getLogger(__name__)

_OPEN = ConfigDict(extra="allow", strict=True)


def parse_date(value: Any) -> Any:
    """Return a date of the API as a datetime in UTC; an empty text means that none is set."""
    if value == "":
        return None
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if isinstance(value, datetime):
            # The vendor's dates are GMT; one without a zone can mean nothing else.
            return value.replace(tzinfo=UTC) if value.tzinfo is None else _in_utc(value)
    except (ValueError, OverflowError):
        # Without the value: it is not ours to show.
        raise ValueError("it is no date") from None
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        # The ends of the calendar stand for "always"; UTC has them too.
        return (datetime.min if value.year == 1 else datetime.max).replace(tzinfo=UTC)


def format_date(value: datetime) -> str:
    """Return a datetime as the vendor writes it: UTC, with milliseconds (or microseconds, if it has them)."""
    precision = "microseconds" if value.microsecond % 1000 else "milliseconds"
    return value.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")


def _check_number(value: float | str | None) -> float | str | None:
    if isinstance(value, str) and not is_number_text(value):
        raise ValueError("Input should be a valid number")
    return value


Date = Annotated[datetime | None, BeforeValidator(parse_date)]
# A text stands for a number that needs more than 64 bits, or for none such as NaN.
Integer = Annotated[int | str | None, AfterValidator(_check_number)]
Number = Annotated[int | float | str | None, AfterValidator(_check_number)]


@with_config(_OPEN)
class Learner(TypedDict):
    """A learner of a session; `mail` is a login and not always an address that mail reaches."""

    _id: NotRequired[str | None]
    mail: NotRequired[str | None]
    firstName: NotRequired[str | None]
    lastName: NotRequired[str | None]


@with_config(_OPEN)
class Module(TypedDict):
    """A module of a session: a `course`, a `webinar` or a `classroom`."""

    _id: NotRequired[str | None]
    type: NotRequired[str | None]


@with_config(_OPEN)
class CustomField(TypedDict):
    """A custom field and its value; the API names the field `_id` or `customFieldId`."""

    _id: NotRequired[str | None]
    customFieldId: NotRequired[str | None]
    name: NotRequired[str | None]
    value: NotRequired[Any]


@with_config(_OPEN)
class Requirements(TypedDict):
    """What a learner must have done before."""

    courses: NotRequired[list[Any] | None]
    programs: NotRequired[list[Any] | None]
    paths: NotRequired[list[Any] | None]


@with_config(_OPEN)
class LearnerStatistics(TypedDict):
    """How far one learner is; all but `mail` are often missing."""

    mail: NotRequired[str | None]
    firstName: NotRequired[str | None]
    lastName: NotRequired[str | None]
    deleted: NotRequired[bool | None]
    progress: NotRequired[Number]
    score: NotRequired[Number]
    startTime: NotRequired[Any]
    endTime: NotRequired[Any]
    totalTimeSpentInSeconds: NotRequired[Number]


def _readable_statistics(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    """Leave out the learners that cannot be read, if others can."""
    try:
        return validate(value)
    except ValidationError:
        if not isinstance(value, list):
            raise
        return _readable(list(value), TypeAdapter(LearnerStatistics), "A program session's statistics have")


def _readable(learners: list[Any], adapter: TypeAdapter[L], who_has: str) -> list[L]:
    """Return the learners that can be read, in place; warn once of the others."""
    problem, kept = "", 0
    for place, learner in enumerate(learners):
        try:
            # Into a place that is free: a second list of all would take as much memory as the first.
            learners[kept] = adapter.validate_python(learner)
        except ValidationError as error:
            problem = problem or f"number {place + 1}: {problem_of_fields(error)}"
            continue
        kept += 1
    if problem and kept:
        log.warning(
            "%s %d learners that cannot be read. The first is %s. Going on without.",
            *(who_has, len(learners) - kept, problem),
        )
    if kept or not problem:
        del learners[kept:]
        return learners
    raise ValueError(problem)


class Document(BaseModel):
    """An object of the API: typed, open to fields that are not known yet, and convertible back without loss."""

    model_config = ConfigDict(
        strict=True,
        extra="allow",
        frozen=True,
        hide_input_in_errors=True,
        alias_generator=AliasGenerator(alias=lambda name: "_id" if name == "id" else to_camel(name)),
    )

    # Names of the fields in which something was replaced that cannot be stored.
    _sanitized: tuple[str, ...] = PrivateAttr(())

    @property
    def sanitized_fields(self) -> tuple[str, ...]:
        """Names of the fields in which a text or number was replaced, since Airflow could not store it."""
        return self._sanitized

    @classmethod
    def from_json(cls, value: Any, *, was_sanitized: bool = False) -> Self:
        """
        Return the object that a JSON value is.

        :param value: The value, as the decoder returns it.
        :param was_sanitized: Whether something in it may have been replaced; default False.
        :raises ValidationError: It is something else.
        """
        found = cls.model_validate(value)
        if was_sanitized:
            found._sanitized = sanitized_fields(value)
        return found

    @classmethod
    def field_names(cls) -> list[str]:
        """Return the names of the documented fields as the API writes them."""
        return [field.alias or name for name, field in cls.model_fields.items()]

    def sent_fields(self) -> dict[str, str]:
        """Return the documented fields that were sent: the API's name of each, and the name of its attribute."""
        # pydantic counts a field that is not known among the set ones too, under whatever name it has.
        strangers = self.model_extra or {}
        return {
            field.alias or name: name
            for name, field in type(self).model_fields.items()
            if name in self.model_fields_set and (name not in strangers or getattr(self, name) is not None)
        }

    def document(self, fields: Collection[str] | None = None, exclude: Collection[str] | None = None) -> dict[str, Any]:
        """
        Return the JSON document: what the API sent, with dates in one form.

        :param fields: Names of the fields to keep; by default all that were sent.
        :param exclude: Names of the fields to leave out; by default none.
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


class ProgramSession(Document):
    """
    One run of a program: the typed view of the API's document.

    Everything but `id` may be missing; a missing field reads as None and is absent from `document()`.

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
    users: list[Learner] | None = None
    skills: list[str] | None = None
    validate_registrations: bool | None = None

    @property
    def title(self) -> str:
        """How to name the session to people: its name, printable and on one line, and its ID."""
        name = printable(" ".join((self.name or "").split()))
        return f"{name} ({printable(self.id)})" if name else f"program session {printable(self.id)}"


class SessionStatistics(Document):
    """
    How far the learners of a session are.

    Source: 360Learning API v1, `GET /api/v1/programs/sessions/{session_id}/stats`.
    """

    name: str | None = None
    registered: Integer = None
    attendees: Integer = None
    completed: Integer = None
    users_stats: Annotated[list[LearnerStatistics] | None, WrapValidator(_readable_statistics)] = None

    def not_completed(self) -> list[LearnerStatistics]:
        """Return the learners who have not finished and are not deleted."""
        return [learner for learner in self.users_stats or [] if not (learner.get("deleted") or _finished(learner))]


def _finished(learner: LearnerStatistics) -> bool:
    progress = learner.get("progress")
    return bool(learner.get("endTime")) or (isinstance(progress, int | float) and progress >= 100)


def require_field_names(names: Collection[str] | str | None, argument: str) -> list[str] | None:
    """
    Return the names of fields of a session that an argument holds, or None if it holds none.

    :param names: A list of names, or one text with names separated by commas.
    :param argument: Name of the argument, for the message.
    :raises FixArgumentError: A name is not that of a documented field.
    """
    if not names:
        return None
    listed = [str(name).strip() for name in (names.split(",") if isinstance(names, str) else names)]
    known = ProgramSession.field_names()
    unknown = [name for name in listed if name not in known]
    if not unknown:
        return listed
    close = [match for name in unknown for match in get_close_matches(to_camel(name), known, 1)]
    meant = f" Did you mean {', '.join(close)}?" if close else ""
    raise FixArgumentError(
        f"{argument}: {', '.join(map(repr, unknown))} is no field of a program session.{meant} "
        f"Known: {', '.join(known)}."
    )


MODULE_TYPES = frozenset({"course", "webinar", "classroom"})
DURATION_TYPES = frozenset({"hour"})


START = 200  # bytes of a body that tell a page from JSON


def parse_object(model: type[D], what: str) -> Callable[[Response], D]:
    """Return a parser that reads one object from an answer, or raises `ContractError`."""

    def read(body: bytes) -> D:
        decoder = SafeDecoder()
        value = decoder.decode(body)
        return model.from_json(value, was_sanitized=decoder.has_changed)

    def parse(response: Response) -> D:
        return checked_answer(what, response, lambda: read(response.body))

    return parse


def parse_session(session_id: str) -> Callable[[Response], ProgramSession]:
    """
    Return a parser that reads the program session that was asked for.

    :param session_id: ID of the session.
    """
    read = parse_object(ProgramSession, "a program session")

    def parse(response: Response) -> ProgramSession:
        session = read(response)
        if session.id.lower() != session_id:
            raise build_contract_error("the program session that was asked for", response, "it has another _id")
        return session

    return parse


def parse_learners(response: Response) -> list[Learner]:
    """
    Return the learners out of an answer; those that cannot be read are left out, with one warning.

    :param response: The answer.
    :raises ContractError: It is no list, or nothing in it is a learner.
    """

    def read() -> list[Learner]:
        learners = decode_json(response.body)
        if not isinstance(learners, list):
            raise ValueError("it is no array")  # noqa: TRY004 - told as what is wrong with the answer
        return _readable(learners, TypeAdapter(Learner), f"{response.request} has")

    return checked_answer("a list of learners", response, read)


def checked_answer(what: str, response: Response, parse: Callable[[], R]) -> R:
    """Run a parser; say what is wrong with the answer where it fails, without showing anything of it."""
    try:
        return parse()
    except (ValueError, RecursionError) as error:
        problem = describe_problem(error)
    # Outside of the handler: what failed holds the text of the answer.
    raise build_contract_error(what, response, find_page_problem(response.body) or problem)


def describe_problem(error: ValueError | RecursionError) -> str:
    """Return what is wrong with a value that a parser refused, without showing anything of it."""
    if isinstance(error, ValidationError):
        return problem_of_fields(error)
    if isinstance(error, RecursionError):
        return TOO_DEEP
    return "it is no valid JSON" if isinstance(error, JSONDecodeError | UnicodeDecodeError) else str(error)


def build_contract_error(what: str, response: Response, problem: str) -> ContractError:
    """Return the error for a successful answer that is not what was asked for."""
    request = response.request
    return ContractError(
        f"{request} was answered {response.status} with something that is not {what}: {problem}. "
        "Check the host of the connection, or report a change of the API.",
        method=request.method,
        path=request.path,
        status=response.status,
    )


def find_page_problem(body: bytes) -> str | None:
    """Return what a body is that is no JSON at all, or None; its beginning is enough."""
    start = body[:START].lstrip().lower()
    if not start:
        return "the body is empty"
    if start.startswith((b"<!doctype", b"<html", b"<")):
        return "it is an HTML page"
    return None


def problem_of_fields(error: ValidationError) -> str:
    """Return the first problem, with the names of fields and never with their values."""
    detail = error.errors(include_input=False, include_url=False, include_context=False)[0]
    place = redact(".".join(str(part) for part in detail["loc"]))
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    said = "Input should be an object" if detail["type"] in ("model_type", "dict_type") else detail["msg"]
    if detail["type"] == "json_invalid":
        return f"it is no valid JSON{more}"
    if not place:
        return f"it is no object ({said})"
    return f"{place}: {said}{more}"
