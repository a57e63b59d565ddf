"""What people write in YAML: models that say which field is wrong, what was given, and what may be."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    model_serializer,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from airflow_provider_learning360 import DEFAULT_CONN_ID
from airflow_provider_learning360.api.changes import parse_datetime
from airflow_provider_learning360.api.errors import FixArgumentError, LearningError, redact
from airflow_provider_learning360.api.models import ProgramSession, require_field_names
from airflow_provider_learning360.api.session_ids import require_session_id
from airflow_provider_learning360.dag_yaml.expressions import is_expression
from airflow_provider_learning360.reminders.problems import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

SESSION_ID = "60b8d2956e20ae1a0f8e44f1"
# What the trigger form takes: no template of Jinja, which Airflow does not render there.
ID_IN_FORM: Any = {
    "type": "string",
    "title": "ID of a program session: 24 characters of 0-9 and a-f",  # it stands in complaints, too
    "description": "Which session to read in this run.",
    "pattern": r"^\s*[0-9a-fA-F]{24}\s*$",
}
# Also a template of Jinja, or a variable of blueprint's, which nobody can check before they are known.
_ID_PATTERN = ID_IN_FORM["pattern"] + r"|\{\{|\$\{"
_MOMENT = "2026-03-01T08:00:00Z"
_BRACES = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_PROBLEM = "problem"  # the type of an error that is in our words already


class Form(BaseModel):
    """What somebody writes in YAML. A complaint about it says which field, what was given, and what may be."""

    # Pydantic would show what was given by itself: all of it, also addresses.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    def check(self) -> None:
        """
        Refuse fields that do not go together.

        :raises ValueError: They do not, or what they need is not installed. Begins with the field, if it is of one.
        """

    @model_validator(mode="wrap")
    @classmethod
    def _complain_plainly(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            form = handler(data)
            form.check()
            _refuse_quotes(form)
            return form
        except ValidationError as error:
            details: list[Any] = error.errors(include_url=False)
        except (ValueError, LearningError, ImportError) as error:
            details = [{"type": "value_error", "loc": (), "msg": "", "input": None, "ctx": {"error": error}}]
        raise ValidationError.from_exception_data(cls.__name__, [_complaint(one, cls) for one in details])


def arguments_of(form: Form, *, leave_out: str = "") -> dict[str, Any]:
    """
    Return what a form holds, as arguments of an operator with the same names.

    :param form: The form.
    :param leave_out: Name of a field that is no argument; default none.
    """
    return {name: getattr(form, name) for name in type(form).model_fields if name != leave_out}


def checked_by(check: Callable[[T, str], T]) -> Callable[[T, ValidationInfo], T]:
    """
    Return a check as pydantic calls it: our errors are complaints; None, and what only a run knows, is not checked.

    :param check: Takes a value and the name of its field; returns the value or raises.
    """

    def checked(value: T, info: ValidationInfo) -> T:
        if value is None or is_expression(value):
            return value
        try:
            return check(value, str(info.field_name))
        except LearningError as error:
            raise ValueError(str(error)) from None

    return checked


def _refuse_quotes(form: Form) -> None:
    # Blueprint makes YAML of a step again, for Airflow to show, where quotes are doubled; and Airflow renders that too.
    for name in form.model_fields_set:
        value = getattr(form, name)
        for text in value if isinstance(value, list) else [value]:
            quoted = [one for one in _BRACES.findall(text) if "'" in one] if is_expression(text) else ()
            if quoted:
                # The file has `context.` there; blueprint has taken it for what it stands for.
                raise ValueError(
                    f"{name}: {redact(quoted[0].replace('{{ ', '{{ context.', 1))} has quotes in it, which blueprint "
                    "doubles. Leave them out and write dots, such as context.dag_run.conf.session_id"
                )


def _complaint(detail: Any, form: type[Form]) -> InitErrorDetails:
    place, told = detail["loc"], _told(detail, form)
    # Our own errors begin with the name of the argument, which has its place apart from them here.
    field, _, rest = told.partition(": ")
    if detail["type"] == "value_error" and field in form.model_fields:
        place, told = place or (field,), rest
    return InitErrorDetails(type=PydanticCustomError(_PROBLEM, "{told}", {"told": told}), loc=place, input=None)


def _told(detail: Any, form: type[Form]) -> str:
    kind, given, message = detail["type"], detail["input"], detail["msg"]
    known = list(form.model_fields)
    match kind:
        case "problem":
            return str(message)
        case "value_error":
            return str(detail["ctx"]["error"])
        case "missing":
            return f"it is missing: {form.model_fields[detail['loc'][-1]].description}"
        case "extra_forbidden":
            return f"there is no such field; known are {', '.join(known)}{did_you_mean(detail['loc'][-1], known)}"
        case "literal_error":
            allowed = re.findall(r"'([^']*)'", detail["ctx"]["expected"])
            return f"{_shown(given)} is not one of {', '.join(allowed)}{did_you_mean(given, allowed)}"
        case "model_type":
            return f"{_shown(given)} is no mapping with some of {', '.join(known)}"
        case "string_type" if isinstance(given, int | float):
            return f"{_shown(given)} is no text to YAML; put it in quotes"
        case "string_type":
            return f"{_shown(given)} is no text"
        case "string_pattern_mismatch":  # all patterns are those of names
            return f"{_shown(given)} is no name: write letters, digits, dots, dashes and underscores only"
        case "list_type":
            return f"{_shown(given)} is no list; write [one, another]"
        case _:
            return f"{message[:1].lower()}{message[1:]}; {_shown(given)} was given"


def _shown(given: Any) -> str:
    # An address may be in the wrong place.
    return "an address" if "@" in repr(given) else redact(repr(given))


def _checked_ids(values: list[str], field: str) -> list[str]:
    if not values:
        raise FixArgumentError(f"{field}: the list is empty; leave it out for all sessions of the platform")
    return [one if is_expression(one) else require_session_id(one) for one in values]


def _checked_names(names: list[str], field: str) -> list[str]:
    return require_field_names(names, field) or names


def _checked_moment(text: str, field: str) -> str:
    parse_datetime(text, field)
    return text


def _as_written(value: Any) -> Any:
    """Return a date as its author wrote it: YAML makes more of it than a text."""
    return value.isoformat() if isinstance(value, date) else value


_ONE_ID = AfterValidator(checked_by(lambda value, _: require_session_id(value)))
_ID_FIELD = Field(examples=[SESSION_ID], json_schema_extra={"pattern": _ID_PATTERN})
# Airflow's trigger form makes a choice of the examples of a list.
_NAMES_FIELD = Field(
    examples=list(ProgramSession.field_names()),
    json_schema_extra={"items": {"type": "string", "enum": list(ProgramSession.field_names())}},
)

SessionId = Annotated[str, _ONE_ID, _ID_FIELD]
SessionIdOrNone = Annotated[str | None, _ONE_ID, _ID_FIELD]
SessionIds = Annotated[
    list[str] | None,
    AfterValidator(checked_by(_checked_ids)),
    Field(
        examples=[[SESSION_ID]], json_schema_extra={"minItems": 1, "items": {"type": "string", "pattern": _ID_PATTERN}}
    ),
]
FieldNames = Annotated[list[str] | None, AfterValidator(checked_by(_checked_names)), _NAMES_FIELD]
Moment = Annotated[
    str | None, BeforeValidator(_as_written), AfterValidator(checked_by(_checked_moment)), Field(examples=[_MOMENT])
]
_Part = Annotated[int, Field(ge=0, le=1_000_000, examples=[1, 30])]


CONN_ID: Any = Field(
    DEFAULT_CONN_ID,
    min_length=1,
    description="ID of the Airflow connection to 360Learning.",
    examples=[DEFAULT_CONN_ID],
)
FIELDS: Any = Field(None, description="Names of the fields to keep; default all that were sent.")
EXCLUDE: Any = Field(None, description="Names of the fields to leave out, such as users; default none.")
CONTRACT: Any = Field(
    "warn", description="What to do if the answer differs from the documentation.", examples=["warn", "strict"]
)


class Period(Form, json_schema_extra={"minProperties": 1}):
    """A length of time."""

    days: _Part = Field(0, description="Days.")
    hours: _Part = Field(0, description="Hours.")
    minutes: _Part = Field(0, description="Minutes.")
    seconds: _Part = Field(0, description="Seconds.")

    def check(self) -> None:
        """Refuse no time at all."""
        if not self.length:
            raise ValueError("a length of time is longer than nothing, such as {minutes: 5}")

    @model_serializer
    def _parts(self) -> dict[str, int]:
        return {name: part for name in type(self).model_fields if (part := getattr(self, name))}

    @property
    def length(self) -> timedelta:
        """All of it."""
        return timedelta(days=self.days, hours=self.hours, minutes=self.minutes, seconds=self.seconds)


# In place and not as a reference: blueprint loses a reference that has a description beside it.
Length = Annotated[Period, WithJsonSchema(Period.model_json_schema())]
