"""
Program sessions and their parts, as 360Learning sends them.

The models are shallow: a session is a pydantic model, its parts are validated straight into plain dictionaries. So the
JSON document is a rebuild of one level, whatever the number of learners, and nothing that the API sent is lost.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from difflib import get_close_matches
from json import JSONDecodeError
from typing import TYPE_CHECKING, Annotated, Any, NotRequired, TypeVar

from pydantic import (
    AliasGenerator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    TypeAdapter,
    ValidationError,
    with_config,
)
from pydantic.alias_generators import to_camel
from typing_extensions import TypedDict

from airflow_provider_learning360.api.arrays import ArrayReader, array_items
from airflow_provider_learning360.api.errors import ContractError, FixArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from airflow_provider_learning360.api.messages import Response

M = TypeVar("M", bound=BaseModel)
R = TypeVar("R")

_OPEN = ConfigDict(extra="allow", strict=True)


def read_date(value: Any) -> Any:
    """Return a date of the API as a datetime in UTC; an empty text means that none is set."""
    if value == "":
        return None
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if isinstance(value, datetime):
            # The vendor's dates are GMT; one without a zone can mean nothing else.
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (ValueError, OverflowError):
        # Without the value: it is not ours to show.
        raise ValueError("it is no date") from None
    return value


def write_date(value: datetime) -> str:
    """Return a datetime as the vendor writes it: UTC, with milliseconds (or microseconds, if it has them)."""
    precision = "microseconds" if value.microsecond % 1000 else "milliseconds"
    return value.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")


Date = Annotated[datetime | None, BeforeValidator(read_date)]


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
    progress: NotRequired[int | float | None]
    score: NotRequired[int | float | None]
    startTime: NotRequired[Any]
    endTime: NotRequired[Any]
    totalTimeSpentInSeconds: NotRequired[int | float | None]


class Document(BaseModel):
    """An object of the API: typed, open to fields that are not known yet, and convertible back without loss."""

    model_config = ConfigDict(
        strict=True,
        extra="allow",
        frozen=True,
        hide_input_in_errors=True,
        alias_generator=AliasGenerator(alias=lambda name: "_id" if name == "id" else to_camel(name)),
    )

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
            document[alias] = write_date(value) if isinstance(value, datetime) else value
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
    user_limit: int | float | None = None
    program_duration: int | float | None = None
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
        """How to name the session to people: its name, without the blanks and line ends around it, and its ID."""
        name = " ".join((self.name or "").split())
        return f"{name} ({self.id})" if name else f"program session {self.id}"


class SessionStatistics(Document):
    """
    How far the learners of a session are.

    Source: 360Learning API v1, `GET /api/v1/programs/sessions/{session_id}/stats`.
    """

    name: str | None = None
    registered: int | None = None
    attendees: int | None = None
    completed: int | None = None
    users_stats: list[LearnerStatistics] | None = None

    def not_completed(self) -> list[LearnerStatistics]:
        """Return the learners who have not finished and are not deleted."""
        return [learner for learner in self.users_stats or [] if not (learner.get("deleted") or _finished(learner))]


def _finished(learner: LearnerStatistics) -> bool:
    return bool(learner.get("endTime")) or (learner.get("progress") or 0) >= 100


def checked_fields(names: Collection[str] | str | None, argument: str) -> list[str] | None:
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


IN_ONE_STEP = 2 * 1024 * 1024  # bytes
_START = 200  # bytes of a body that tell a page from JSON


def parse_object(model: type[M], what: str) -> Callable[[Response], M]:
    """Return a parser that reads one object from an answer, or raises `ContractError`."""

    def parse(response: Response) -> M:
        return _checked(what, response, lambda: _one_object(model, response.body))

    return parse


def _one_object(model: type[M], body: bytes) -> M:
    if len(body) <= IN_ONE_STEP:
        return model.model_validate_json(body)
    # Slower, but in two steps: in between, other threads and the event loop get their turn.
    return model.model_validate(json.loads(body))


def session_of(item: dict[str, Any]) -> ProgramSession:
    """
    Return the program session that an item of the list is.

    :param item: The item.
    :raises ContractError: It is none.
    """
    try:
        return ProgramSession.model_validate(item)
    except ValidationError as error:
        problem = _readable(error)
    raise ContractError(
        f"The list of program sessions holds something that is not a program session: {problem}. "
        "Report a change of the API."
    )


def parse_objects(model: type[M], what: str) -> Callable[[Response], list[M]]:
    """
    Return a parser that reads an array of objects from an answer, or raises `ContractError`.

    It goes from item to item: a list of several megabytes is never one long step that holds up other threads.
    """

    def parse(response: Response) -> list[M]:
        return _checked(
            what, response, lambda: [model.model_validate(item) for item in array_items(response.body.decode())]
        )

    return parse


def parse_learners(response: Response) -> list[Learner]:
    """Return the learners out of an answer, or raise `ContractError`."""
    return _checked("a list of learners", response, lambda: TypeAdapter(list[Learner]).validate_json(response.body))


class StreamedObjects:
    """
    Reads an array of objects from an answer whose body comes piece by piece.

    :param what: What was asked for.
    :param response: The answer, without its body.
    """

    def __init__(self, what: str, response: Response) -> None:
        self.response = response
        self._what = what
        self._reader = ArrayReader()
        self._start = b""

    def feed(self, piece: bytes) -> Iterator[dict[str, Any]]:
        """
        Yield the objects that became complete, as they were sent.

        :param piece: The next bytes of the body.
        :raises ContractError: The body is no JSON array of objects.
        """
        if len(self._start) < _START:
            self._start = (self._start + piece)[:_START]
        try:
            for item in self._reader.feed(piece):
                yield _object(item)
            return
        except (ValueError, RecursionError) as error:
            problem = _problem(error)
        raise self._error(problem)

    def close(self) -> None:
        """
        Check that the array is complete.

        :raises ContractError: It is not.
        """
        try:
            return self._reader.close()
        except (ValueError, RecursionError) as error:
            problem = _problem(error)
        raise self._error(problem)

    def _error(self, problem: str) -> ContractError:
        return not_the_contract(self._what, self.response, _not_json(self._start) or problem)


def _object(item: Any) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise ValueError("it is no object")  # noqa: TRY004 - one kind of error for all that is wrong
    return item


def _checked(what: str, response: Response, parse: Callable[[], R]) -> R:
    """Run a parser; say what is wrong with the answer where it fails, without showing anything of it."""
    try:
        return parse()
    except (ValueError, RecursionError) as error:
        problem = _problem(error)
    # Outside of the handler: what failed holds the text of the answer.
    raise not_the_contract(what, response, _not_json(response.body) or problem)


def _problem(error: ValueError | RecursionError) -> str:
    if isinstance(error, ValidationError):
        return _readable(error)
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return "it is no valid JSON" if isinstance(error, JSONDecodeError | UnicodeDecodeError) else str(error)


def not_the_contract(what: str, response: Response, problem: str) -> ContractError:
    """Return the error for a successful answer that is not what was asked for."""
    request = response.request
    return ContractError(
        f"{request} was answered {response.status} with something that is not {what}: {problem}. "
        "Check the host of the connection, or report a change of the API.",
        method=request.method,
        path=request.path,
        status=response.status,
    )


def _not_json(body: bytes) -> str | None:
    start = body[:_START].lstrip().lower()
    if not start:
        return "the body is empty"
    if start.startswith((b"<!doctype", b"<html", b"<")):
        return "it is an HTML page"
    return None


def _readable(error: ValidationError) -> str:
    """Return the first problem, with the names of fields and never with their values."""
    detail = error.errors(include_input=False, include_url=False, include_context=False)[0]
    place = ".".join(str(part) for part in detail["loc"])
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    said = "Input should be an object" if detail["type"] in ("model_type", "dict_type") else detail["msg"]
    if detail["type"] == "json_invalid":
        return f"it is no valid JSON{more}"
    if not place:
        return f"it is no object ({said})"
    return f"{place}: {said}{more}"
