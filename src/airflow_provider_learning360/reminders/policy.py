"""What the author of reminders decides: the rules, and when mails may go out."""

from __future__ import annotations

__all__ = ["Duration", "QuietHours", "ReminderPolicy", "ReminderRule"]

import re
from collections.abc import Mapping, Sequence
from datetime import time, timedelta
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.reminders.problems import did_you_mean, problems_of
from airflow_provider_learning360.reminders.recipients import is_mailable
from airflow_provider_learning360.reminders.sources import read_source

if TYPE_CHECKING:
    from os import PathLike

Anchor = Literal["startDate", "endDate"]
Audience = Literal["learners", "not_completed", "tutors"]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Shift = Literal["earlier", "later"]

DAYS: tuple[Day, ...] = get_args(Day)
# A reminder that is moved ahead of the quiet hours is due so much before them: a sweep every quarter of an hour then
# still finds it in time.
AHEAD_OF_QUIET = timedelta(minutes=15)
_SHORTEST_DAY = timedelta(hours=1)
SHORTEST_LATENESS = timedelta(minutes=30)

# Words joined by single signs: in a key, two underscores separate, and three stand for a "-".
_NAME = r"[A-Za-z0-9]+([_-][A-Za-z0-9]+)*"
_LONGEST_NAME = 32
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]"


def _checked_name(name: str) -> str:
    if len(name) <= _LONGEST_NAME and re.fullmatch(_NAME, name):
        return name
    raise ValueError(
        f"a name is words of letters and digits, joined by one '_' or '-', of at most {_LONGEST_NAME} characters"
    )


def _read_time(value: Any) -> Any:
    if isinstance(value, time) or (isinstance(value, str) and re.fullmatch(_TIME, value)):
        return value
    # Some readers of YAML take 20:00 for a number.
    raise ValueError('a time is written as "20:00", in quotes')


def _listed(value: Any) -> Any:
    """Return one word as a list of it; lists become tuples, which do not change."""
    return (value,) if isinstance(value, str) else value


Name = Annotated[
    str,
    AfterValidator(_checked_name),
    WithJsonSchema({"type": "string", "pattern": f"^{_NAME}$", "maxLength": _LONGEST_NAME}),
]
Time = Annotated[
    time,
    BeforeValidator(_read_time),
    PlainSerializer(lambda value: f"{value:%H:%M}", when_used="json"),
    WithJsonSchema({"type": "string", "pattern": f"^{_TIME}$"}),
]
# Checked by a validator of its own: pydantic would also complain of a list whose items are wrong.
_NOT_EMPTY: dict[str, Any] = {"minItems": 1}
Part = Annotated[int, Field(ge=0, le=100_000)]


class _Choice(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Duration(_Choice):
    """
    A length of time. Days count on the wall clock, hours and minutes as they elapse.

    :param days: Days, 0 or more.
    :param hours: Hours, 0 or more.
    :param minutes: Minutes, 0 or more.
    """

    days: Part = 0
    hours: Part = 0
    minutes: Part = 0

    @property
    def elapsed(self) -> timedelta:
        """The hours and minutes."""
        return timedelta(hours=self.hours, minutes=self.minutes)

    @property
    def total(self) -> timedelta:
        """All of it, with days of 24 hours."""
        return timedelta(days=self.days) + self.elapsed


class QuietHours(_Choice):
    """
    The part of a day in which no reminder becomes due or goes out.

    :param start: `from`: first quiet minute, on the wall clock.
    :param end: `to`: first minute that is not quiet any more; earlier than `from` for a night.
    :param when_late: What happens to a reminder that cannot wait for the end of quiet hours or days off: `skip`
        (default) or `send`.
    """

    start: Time = Field(alias="from", description="First quiet minute.")
    end: Time = Field(alias="to", description="First minute that is not quiet any more.")
    when_late: Literal["skip", "send"] = Field(
        "skip", description="What happens to a reminder that would be too late when quiet hours or days off end."
    )

    @model_validator(mode="after")
    def _leave_some_day(self) -> QuietHours:
        # Both on one clock face: what is left of the day after the quiet part.
        awake = (_since_midnight(self.start) - _since_midnight(self.end)) % timedelta(days=1)
        if awake < _SHORTEST_DAY:
            raise ValueError("quiet hours must leave at least one hour of the day")
        return self

    def __contains__(self, moment: time) -> bool:
        if self.start < self.end:
            return self.start <= moment < self.end
        return moment >= self.start or moment < self.end


def _since_midnight(moment: time) -> timedelta:
    return timedelta(hours=moment.hour, minutes=moment.minute)


class ReminderRule(_Choice):
    """
    One kind of reminder: what it is about, when it is due, who gets it.

    :param name: Name of the rule; part of every key.
    :param anchor: The date of the session that the reminder is about.
    :param before: How long before the anchor it is due.
    :param after: How long after the anchor it is due.
    :param every: The time between repetitions; with `after` only.
    :param at_most: Reminders in all, the first one included; 1 to 50.
    :param escalate_to_tutors_after: Reminders after which the tutors get the next ones too.
    :param on: `date_changed`: it is about a date that was moved, and not about a date that comes.
    :param settle: How long a session must be left alone before its new dates are announced; default 10 minutes.
    :param audience: Who gets it, of those whom 360Learning knows.
    :param to: Fixed addresses that get it as well.
    :param message: `each`: a message of his own for everyone; `digest`: counts, and who is late.
    :param template: Name or path of the message template; default a built-in one.
    :param once: Whether sending is recorded after the server took a mail, or claimed before.
    """

    name: Name = Field(description="Name of the rule; part of every key.")
    anchor: Anchor | None = Field(None, description="The date of the session that the reminder is about.")
    before: Duration | None = Field(None, description="How long before the anchor it is due.")
    after: Duration | None = Field(None, description="How long after the anchor it is due.")
    every: Duration | None = Field(None, description="The time between repetitions, for an overdue reminder.")
    at_most: int | None = Field(None, ge=1, le=50, description="Reminders in all, the first one included.")
    escalate_to_tutors_after: int | None = Field(
        None, ge=1, description="Reminders after which the tutors get the next ones too."
    )
    on: Literal["date_changed"] | None = Field(None, description="It is about dates that were moved.")
    settle: Duration = Field(
        Duration(minutes=10), description="How long a session must be left alone before its new dates are announced."
    )
    audience: Annotated[
        tuple[Audience, ...], BeforeValidator(_listed, json_schema_input_type=Audience | list[Audience])
    ] = Field((), description="Who gets it, of those whom 360Learning knows.")
    to: Annotated[tuple[str, ...], BeforeValidator(_listed, json_schema_input_type=str | list[str])] = Field(
        (), repr=False, description="Fixed addresses that get it as well."
    )
    message: Literal["each", "digest"] = Field("each", description="A message for everyone, or one with counts.")
    template: str | None = Field(None, min_length=1, description="Name or path of the message template.")
    once: Literal["record_after", "claim_before"] = Field(
        "record_after", description="Record a mail after the server took it, or claim it before."
    )

    @model_validator(mode="before")
    @classmethod
    def _name_on(cls, data: Any) -> Any:
        # To YAML 1.1, and so to most of its readers, `on` is a word for true.
        if isinstance(data, Mapping) and True in data and "on" not in data:
            return {("on" if key is True else key): value for key, value in data.items()}
        return data

    @field_validator("to")
    @classmethod
    def _check_addresses(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [str(place) for place, one in enumerate(addresses, 1) if not is_mailable(one)]
        if wrong:
            raise ValueError(f"no address that mail can be sent to, at position {', '.join(wrong)}")
        return addresses

    @model_validator(mode="after")
    def _check(self) -> ReminderRule:
        for problem in (self._problem_of_the_time(), self._problem_of_repetition(), self._problem_of_the_audience()):
            if problem:
                raise ValueError(problem)
        return self

    @property
    def offset(self) -> Duration:
        """How far from the anchor it is due."""
        return self.before or self.after or Duration()

    @property
    def templates(self) -> tuple[str, ...]:
        """Names of the mail templates that its reminders may need."""
        if self.template is not None:
            return (self.template,)
        if self.on is not None:
            return ("date_changed",)
        if self.message == "digest":
            return ("tutors_digest",)
        if self.anchor == "startDate":
            return ("before_start",)
        return ("before_end" if self.before is not None else "overdue", "tutors_digest")

    def audience_of(self, occurrence: int) -> tuple[Audience, ...]:
        """
        Return who gets one of the reminders, of those whom 360Learning knows.

        :param occurrence: Its number, from 0 on.
        """
        escalated = self.escalate_to_tutors_after is not None and occurrence >= self.escalate_to_tutors_after
        return (*self.audience, "tutors") if escalated and "tutors" not in self.audience else self.audience

    def _problem_of_the_time(self) -> str | None:
        given = [one for one in ("anchor", "before", "after", "every", "at_most") if getattr(self, one) is not None]
        if self.on is not None:
            return f"{', '.join(given)}: of no use with `on: date_changed`" if given else None
        if self.anchor is None or (self.before is None) == (self.after is None):
            return (
                "a rule has an `anchor` (startDate or endDate) with either `before` or `after`, "
                "or it has `on: date_changed`"
            )
        if "settle" in self.model_fields_set:
            return "settle: of use with `on: date_changed` only"
        if self.after is not None and self.anchor == "startDate" and self.template is None:
            return "template: is missing; there is no built-in message for `after` startDate"
        if self.before is not None and not self.before.total:
            return "before: must be longer than nothing; use `after: {}` for the date itself"
        return None

    def _problem_of_repetition(self) -> str | None:
        if self.every is None:
            useless = [one for one in ("at_most", "escalate_to_tutors_after") if getattr(self, one) is not None]
            return f"{', '.join(useless)}: of use with `every` only" if useless else None
        if self.after is None:
            return "every: of use with `after` only"
        if not self.every.total:
            return "every: must be longer than nothing"
        if self.at_most is None:
            return "at_most: is missing; with `every` there must be an end, of 1 to 50 reminders"
        if self.escalate_to_tutors_after is not None and self.escalate_to_tutors_after >= self.at_most:
            return "escalate_to_tutors_after: must be less than at_most, or it would never happen"
        return None

    def _problem_of_the_audience(self) -> str | None:
        if not self.audience and not self.to:
            return f"audience: is missing; use one or several of {', '.join(get_args(Audience))}, or addresses in `to`"
        if self.message == "digest" and self.on is not None:
            return "message: a change of dates has no digest"
        if self.message == "digest" and (set(self.audience) - {"tutors"} or self.escalate_to_tutors_after):
            # A digest names who is late.
            return "message: a digest is for `audience: tutors` and for addresses in `to` only"
        return None


class ReminderPolicy(_Choice):
    """
    Rules, and when their reminders may become due.

    :param name: Name of the policy; part of every key.
    :param time_zone: IANA name of the zone whose wall clock counts; default UTC.
    :param quiet_hours: The part of a day in which nothing becomes due or goes out; default none.
    :param working_days: The days on which something becomes due and goes out; default all.
    :param shift: Where a reminder goes that would fall outside; default earlier before a date, later after it.
    :param max_lateness: How long after its time a reminder may still go out; default 6 hours.
    :param when_several_are_due: `closest`: only the closest of those that are due to the same people about the same
        date; `all`: all of them.
    :param skip_if_automated_reminders: Whether sessions are left alone that have 360Learning's own reminders.
    :param rules: The rules.
    """

    name: Name = Field(description="Name of the policy; part of every key.")
    time_zone: str = Field("UTC", description="IANA name of the zone whose wall clock counts.")
    quiet_hours: QuietHours | None = Field(
        None, description="The part of a day in which nothing becomes due or goes out."
    )
    working_days: Annotated[tuple[Day, ...], BeforeValidator(_listed, json_schema_input_type=Day | list[Day])] = Field(
        DAYS, description="The days on which something becomes due and goes out.", json_schema_extra=_NOT_EMPTY
    )
    shift: Shift | None = Field(
        None, description="Where a reminder goes that would fall outside. Default: earlier before a date, later after."
    )
    max_lateness: Duration = Field(Duration(hours=6), description="How long after its time a reminder may still go.")
    when_several_are_due: Literal["closest", "all"] = Field(
        "closest", description="Whether only the closest of several goes out to the same people about the same date."
    )
    skip_if_automated_reminders: bool = Field(
        False, description="Whether sessions are left alone that have 360Learning's own reminders."
    )
    rules: tuple[ReminderRule, ...] = Field(description="The rules.", json_schema_extra=_NOT_EMPTY)

    @field_validator("time_zone")
    @classmethod
    def _check_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            # Some names are no zones but folders of them.
            close = did_you_mean(name, available_timezones())
            raise ValueError(f"it is no IANA time zone, such as Europe/Paris{close}") from None
        return name

    @field_validator("working_days", "rules")
    @classmethod
    def _check_that_there_are_some(cls, items: tuple[Any, ...]) -> tuple[Any, ...]:
        if not items:
            raise ValueError("the list is empty; it needs at least one")
        return items

    @field_validator("max_lateness")
    @classmethod
    def _check_lateness(cls, lateness: Duration) -> Duration:
        if lateness.total < SHORTEST_LATENESS:
            raise ValueError("must be 30 minutes or more, longer than the time between two sweeps")
        return lateness

    @model_validator(mode="after")
    def _check(self) -> ReminderPolicy:
        # Databases differ in whether "A" is "a", and names end up in keys.
        names = [rule.name.lower() for rule in self.rules]
        twice = next((rule.name for rule in self.rules if names.count(rule.name.lower()) > 1), None)
        if twice is not None:
            raise ValueError(f"rules: two have the name {twice!r}; each needs its own")
        if len({rule.settle for rule in self.rules if rule.on}) > 1:
            raise ValueError("settle: must be the same in all rules with `on: date_changed`")
        return self

    @cached_property
    def zone(self) -> ZoneInfo:
        """The zone whose wall clock counts."""
        return ZoneInfo(self.time_zone)

    @classmethod
    def read(cls, source: ReminderPolicy | Mapping[str, Any] | str | PathLike[str]) -> ReminderPolicy:
        """
        Return the policy that a file, a text or a mapping holds.

        :param source: A mapping; YAML or JSON text; or the path of a file with such a text. A text of one line that
            does not begin with `{` is a path.
        :raises FixArgumentError: It cannot be read, or is no policy; names rule, field, what was given and what may be.
        """
        if isinstance(source, ReminderPolicy):
            return source
        data, label = read_source(source)
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            problems = problems_of(error, data, MODELS)
        raise FixArgumentError(f"{label}: {problems}")

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Return the JSON Schema of a policy. Source: JSON Schema 2020-12."""
        schema = _without_code(cls.model_json_schema(by_alias=True))
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}

    def rule(self, name: str) -> ReminderRule:
        """
        Return the rule of that name.

        :param name: Name of a rule.
        :raises FixArgumentError: There is none.
        """
        known = {rule.name: rule for rule in self.rules}
        if name in known:
            return known[name]
        close = get_close_matches(name, known, 1)
        raise FixArgumentError(
            f"Reminder policy {self.name!r} has no rule {name!r}"
            + (f"; did you mean {close[0]!r}?" if close else ".")
            + f" It has: {', '.join(known)}."
        )


# Under which field which model is: where an error is, says what could have been written there.
MODELS: dict[str, type[BaseModel]] = {
    "": ReminderPolicy,
    "rules": ReminderRule,
    "quiet_hours": QuietHours,
    **dict.fromkeys(("before", "after", "every", "settle", "max_lateness"), Duration),
}


def _without_code(schema: Any) -> Any:
    """Return a schema without the docstrings of the classes, which speak to people who read code."""
    if isinstance(schema, Mapping):
        is_model = "properties" in schema and "additionalProperties" in schema
        kept = {key: value for key, value in schema.items() if not (is_model and key == "description")}
        return {key: _without_code(value) for key, value in kept.items()}
    if isinstance(schema, Sequence) and not isinstance(schema, str):
        return [_without_code(one) for one in schema]
    return schema
