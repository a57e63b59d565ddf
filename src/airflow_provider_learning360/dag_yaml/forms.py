"""The fields of steps and DAGs in YAML: their types, and errors that say what to write instead."""

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
from airflow_provider_learning360.api.fields import require_field_names
from airflow_provider_learning360.api.input_errors import describe_problem, format_value
from airflow_provider_learning360.api.models import ProgramSession
from airflow_provider_learning360.api.session_ids import require_session_id
from airflow_provider_learning360.dag_yaml.expressions import is_expression

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

SESSION_ID = "60b8d2956e20ae1a0f8e44f1"
# A value of the trigger form. Airflow does not render Jinja templates there.
ID_IN_TRIGGER_FORM: Any = {
    "type": "string",
    "title": "ID of a program session: 24 characters of 0-9 and a-f",  # part of Airflow's error, too
    "description": "The session to read in this run.",
    "pattern": r"^\s*[0-9a-fA-F]{24}\s*$",
}
# Or a Jinja template, or a variable of blueprint: both are unknown before the run.
_ID_PATTERN = ID_IN_TRIGGER_FORM["pattern"] + r"|\{\{|\$\{"
_MOMENT = "2026-03-01T08:00:00Z"
_BRACES = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_PYTHON_VALUE = re.compile(r"\b(\w+)=(True|False)\b")
_PROBLEM = "problem"  # the type of an error whose text is final
_NUMBER_AND_UNIT = re.compile(r"\s*(\d{1,7})\s*(day|hour|minute|second)s?\s*", re.IGNORECASE)
# ISO 8601, 4.4.2.3, without years and months, whose lengths differ.
_ISO_DURATION = re.compile(
    r"P(?:(?P<weeks>\d{1,6})W)?(?:(?P<days>\d{1,7})D)?"
    r"(?:T(?:(?P<hours>\d{1,7})H)?(?:(?P<minutes>\d{1,7})M)?(?:(?P<seconds>\d{1,7})S)?)?"
)


class Form(BaseModel):
    """Fields that a person writes in YAML. An error names the field, its value, and what is allowed."""

    # Pydantic would show the whole input, with the mail addresses in it.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    def check(self) -> None:
        """
        Refuse fields that contradict each other.

        :raises ValueError: They do, or a package that they need is not installed. The text begins with the field.
        """

    @classmethod
    def expected(cls, given: Any) -> str:
        """
        Return what must stand here, for errors.

        :param given: The value that was written instead of a mapping.
        """
        return f"a mapping with some of {', '.join(cls.model_fields)}"

    @model_validator(mode="wrap")
    @classmethod
    def _describe_errors(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            form = handler(data)
            form.check()
            _refuse_quotes(form)
            return form
        except ValidationError as error:
            details: list[Any] = error.errors(include_url=False)
        except (ValueError, LearningError, ImportError) as error:
            details = [{"type": "value_error", "loc": (), "msg": "", "input": None, "ctx": {"error": error}}]
        raise ValidationError.from_exception_data(cls.__name__, [_to_line_error(one, cls) for one in details])


def to_arguments(form: Form, *, without: str = "") -> dict[str, Any]:
    """
    Return the fields of a form as arguments of an operator with the same names.

    :param form: The form.
    :param without: Name of a field that is not an argument; default none.
    """
    return {name: getattr(form, name) for name in type(form).model_fields if name != without}


def to_validator(check: Callable[[T, str], T]) -> Callable[[T, ValidationInfo], T]:
    """
    Return a check as a validator of pydantic. It skips None, and templates that only a run can render.

    :param check: Takes a value and the name of its field; returns the value, or raises a `LearningError`.
    """

    def validate(value: T, info: ValidationInfo) -> T:
        if value is None or is_expression(value):
            return value
        try:
            return check(value, str(info.field_name))
        except LearningError as error:
            raise ValueError(str(error)) from None

    return validate


def _refuse_quotes(form: Form) -> None:
    # Blueprint writes the YAML of a step again, to show it, and doubles quotes. Airflow renders that text, too.
    for name in form.model_fields_set:
        value = getattr(form, name)
        for text in value if isinstance(value, list) else [value]:
            quoted = [one for one in _BRACES.findall(text) if "'" in one] if is_expression(text) else ()
            if quoted:
                # The file has `context.` there, which blueprint has already replaced.
                raise ValueError(
                    f"{name}: {redact(quoted[0].replace('{{ ', '{{ context.', 1))} contains quotes, which blueprint "
                    "doubles. Write dots instead, such as context.dag_run.conf.session_id"
                )


def place_problem(text: str, form: type[Form]) -> tuple[tuple[str, ...], str]:
    """
    Return where a mistake is, and what is wrong there.

    :param text: The text of one of our errors, as it is for Python.
    :param form: The form of the step.
    :returns: The field and the keys in it, none if the error names no field; and the text in words of YAML.
    """
    text = _PYTHON_VALUE.sub(lambda one: f"{one[1]}: {one[2].lower()}", text)
    field, _, rest = text.partition(": ")
    if field in form.model_fields:  # our own errors begin with the name of the argument
        return (field,), rest
    # Those about an operation begin with its name, or with the place inside of the argument.
    names = "|".join(map(re.escape, form.model_fields))
    if found := re.match(rf"([a-z0-9-]+: )?((?:{names})(?:\.[^\s:]+)*): ", text):
        return tuple(found[2].split(".")), (found[1] or "") + text[found.end() :]
    found = re.search(rf"\b({names}): (?:true|false)\b", text)
    return ((found[1],), text) if found else ((), text)


def _to_line_error(detail: Any, form: type[Form]) -> InitErrorDetails:
    place, text = detail["loc"], _describe(detail, form)
    if detail["type"] == "value_error":
        found, text = place_problem(text, form)
        place = place or found
    return InitErrorDetails(type=PydanticCustomError(_PROBLEM, "{text}", {"text": text}), loc=place, input=None)


def _describe(detail: Any, form: type[Form]) -> str:
    given = detail["input"]
    match detail["type"]:
        case "problem":
            return str(detail["msg"])
        case "value_error":
            return str(detail["ctx"]["error"])
        case "missing":
            return f"it is missing: {form.model_fields[detail['loc'][-1]].description}"
        case "model_type" if detail["ctx"]["class_name"] != form.__name__:
            return f"{format_value(given)} is not a mapping; write {{name: value}}"
        case "model_type":
            return f"{format_value(given)} is not {form.expected(given)}"
        case "too_short":
            return "it is empty; write at least one value"
        case "string_pattern_mismatch":  # all patterns are those of names
            return f"{format_value(given)} is not a name: write letters, digits, dots, dashes and underscores only"
        case _:
            return describe_problem(detail, list(form.model_fields))


def _require_ids(values: list[str], field: str) -> list[str]:
    if not values:
        raise FixArgumentError(f"{field}: the list is empty; leave the field out for all sessions of the platform")
    return [one if is_expression(one) else require_session_id(one) for one in values]


def _require_field_names(names: list[str], field: str) -> list[str]:
    return require_field_names(names, field) or names


def _require_moment(text: str, field: str) -> str:
    parse_datetime(text, field)
    return text


def _to_text(value: Any) -> Any:
    """Return a date as the text that its author wrote; YAML 1.1 makes a date of it."""
    return value.isoformat() if isinstance(value, date) else value


_ONE_ID = AfterValidator(to_validator(lambda value, _: require_session_id(value)))
_ID_FIELD = Field(examples=[SESSION_ID], json_schema_extra={"pattern": _ID_PATTERN})
# Airflow's trigger form offers the examples of a list as choices.
_NAMES_FIELD = Field(
    examples=list(ProgramSession.field_names()),
    json_schema_extra={"items": {"type": "string", "enum": list(ProgramSession.field_names())}},
)

SessionId = Annotated[str, _ONE_ID, _ID_FIELD]
SessionIdOrNone = Annotated[str | None, _ONE_ID, _ID_FIELD]
SessionIds = Annotated[
    list[str] | None,
    AfterValidator(to_validator(_require_ids)),
    Field(
        examples=[[SESSION_ID]], json_schema_extra={"minItems": 1, "items": {"type": "string", "pattern": _ID_PATTERN}}
    ),
]
FieldNames = Annotated[list[str] | None, AfterValidator(to_validator(_require_field_names)), _NAMES_FIELD]
Moment = Annotated[
    str | None, BeforeValidator(_to_text), AfterValidator(to_validator(_require_moment)), Field(examples=[_MOMENT])
]
_Amount = Annotated[int, Field(ge=0, le=1_000_000, examples=[1, 30])]


CONN_ID: Any = Field(
    DEFAULT_CONN_ID,
    min_length=1,
    description="ID of the Airflow connection to 360Learning.",
    examples=[DEFAULT_CONN_ID],
)
FIELDS: Any = Field(None, description="Names of the fields to keep; default all that the API sent.")
EXCLUDE: Any = Field(None, description="Names of the fields to leave out, such as users; default none.")
CONTRACT: Any = Field(
    "warn", description="What to do if the response differs from the documentation.", examples=["warn", "strict"]
)


class Period(Form, json_schema_extra={"minProperties": 1}):
    """A duration: days, hours, minutes and seconds, or a text of ISO 8601 such as PT5M."""

    days: _Amount = Field(0, description="Days.")
    hours: _Amount = Field(0, description="Hours.")
    minutes: _Amount = Field(0, description="Minutes.")
    seconds: _Amount = Field(0, description="Seconds.")

    @classmethod
    def expected(cls, given: Any) -> str:
        """Return what to write instead of a value such as `1 day`."""
        meant = _NUMBER_AND_UNIT.fullmatch(given) if isinstance(given, str) else None
        amount, unit = (int(meant[1]), meant[2].lower()) if meant else (1, "day")
        return f"a duration; write {{{unit}s: {amount}}}"

    @model_validator(mode="before")
    @classmethod
    def _parse_iso(cls, value: Any) -> Any:
        found = _ISO_DURATION.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            return value
        amounts = {unit: int(amount) for unit, amount in found.groupdict().items() if amount}
        weeks = amounts.pop("weeks", 0)
        return {**amounts, "days": amounts.get("days", 0) + 7 * weeks}

    def check(self) -> None:
        """Refuse a duration of zero."""
        if not self.length:
            raise ValueError("a duration must be longer than zero; write {minutes: 5}")

    @model_serializer
    def _to_mapping(self) -> dict[str, int]:
        return {name: amount for name in type(self).model_fields if (amount := getattr(self, name))}

    @property
    def length(self) -> timedelta:
        """The whole duration."""
        return timedelta(days=self.days, hours=self.hours, minutes=self.minutes, seconds=self.seconds)


# In place and not as a reference: blueprint loses a reference that has a description beside it.
Length = Annotated[
    Period,
    WithJsonSchema(
        {"anyOf": [Period.model_json_schema(), {"type": "string", "pattern": r"^P(?=\d|T\d)[0-9WDTHMS]+$"}]}
    ),
]
