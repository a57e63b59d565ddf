"""The reminder policy that an author writes: its rules, and when mails may go out."""

from __future__ import annotations

__all__ = ["Duration", "QuietHours", "ReminderPolicy", "ReminderRule"]

import re
import warnings
from collections.abc import Mapping, Sequence
from datetime import time, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.api.input_errors import find_closest
from airflow_provider_learning360.reminders.addresses import is_mailable
from airflow_provider_learning360.reminders.duration import STRICT_MODEL, Duration
from airflow_provider_learning360.reminders.problems import list_problems, problems_of
from airflow_provider_learning360.reminders.reminder import OLD_GUARANTEES, Audience, DeliveryGuarantee
from airflow_provider_learning360.reminders.schedule import EMPTY_BEFORE, Anchor, Schedule, TimeZone
from airflow_provider_learning360.reminders.sources import read_source

if TYPE_CHECKING:
    from os import PathLike

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Shift = Literal["earlier", "later"]

DAYS: tuple[Day, ...] = get_args(Day)
# A reminder that is shifted ahead of quiet hours is due so much before they begin. A sweep every quarter of an hour
# then still finds it in time.
LEAD_BEFORE_QUIET_HOURS = timedelta(minutes=15)
_MIN_AWAKE = timedelta(hours=1)
MIN_LATENESS = timedelta(minutes=30)

# Words joined by single signs. In a key, two underscores separate, and three stand for a "-".
_NAME = r"[A-Za-z0-9]+([_-][A-Za-z0-9]+)*"
_MAX_NAME_LENGTH = 32
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]"


def _check_name(name: str) -> str:
    if len(name) <= _MAX_NAME_LENGTH and re.fullmatch(_NAME, name):
        return name
    raise ValueError(
        f"a name is words of letters and digits, joined by one '_' or '-', of at most {_MAX_NAME_LENGTH} characters"
    )


def _read_time(value: Any) -> Any:
    if isinstance(value, time) or (isinstance(value, str) and re.fullmatch(_TIME, value)):
        return value
    # Some YAML readers read 20:00 as a number.
    raise ValueError('a time is written as "20:00", in quotes')


def _to_list(value: Any) -> Any:
    """Return one word as a list of it. Lists become immutable tuples."""
    return (value,) if isinstance(value, str) else value


Name = Annotated[
    str,
    AfterValidator(_check_name),
    WithJsonSchema({"type": "string", "pattern": f"^{_NAME}$", "maxLength": _MAX_NAME_LENGTH}),
]
Time = Annotated[
    time,
    BeforeValidator(_read_time),
    PlainSerializer(lambda value: f"{value:%H:%M}", when_used="json"),
    WithJsonSchema({"type": "string", "pattern": f"^{_TIME}$"}),
]
# Only in the schema. As a constraint, pydantic would also report it for a list with an invalid item.
_NOT_EMPTY: dict[str, Any] = {"minItems": 1}


class _PolicyModel(BaseModel):
    model_config = STRICT_MODEL


class QuietHours(_PolicyModel):
    """
    The part of a day in which no reminder becomes due or goes out.

    :param start: `from`: first quiet minute, on the wall clock.
    :param end: `to`: first minute after the quiet hours; earlier than `from` for a night.
    :param when_late: What to do with a reminder that cannot wait for the end of quiet hours or days off: `skip`
        (default) or `send`.
    """

    start: Time = Field(alias="from", description="First quiet minute.")
    end: Time = Field(alias="to", description="First minute after the quiet hours.")
    when_late: Literal["skip", "send"] = Field(
        "skip", description="What to do with a reminder that would be too late when quiet hours or days off end."
    )

    @model_validator(mode="after")
    def _check_awake_time(self) -> QuietHours:
        awake = (_since_midnight(self.start) - _since_midnight(self.end)) % timedelta(days=1)
        if awake < _MIN_AWAKE:
            raise ValueError("quiet hours must leave at least one hour of the day")
        return self

    def __contains__(self, moment: time) -> bool:
        if self.start < self.end:
            return self.start <= moment < self.end
        return moment >= self.start or moment < self.end


def _since_midnight(moment: time) -> timedelta:
    return timedelta(hours=moment.hour, minutes=moment.minute)


class ReminderRule(_PolicyModel):
    """
    One kind of reminder: what it is about, when it is due, who gets it.

    :param name: Name of the rule; part of every key.
    :param anchor: The date that the reminder is about: of the session, or the `dueDate` of each learner (API v2).
    :param before: How long before the anchor it is due.
    :param after: How long after the anchor it is due.
    :param every: The time between repetitions; with `after` only.
    :param at_most: Total number of reminders, the first one included; 1 to 50.
    :param escalate_to_tutors_after: Number of reminders after which the tutors get the next ones too.
    :param on: `date_changed`: the reminder is a notice of changed dates, and not about an anchor.
    :param settle: How long a session must stay unmodified before its new dates are announced; default 10 minutes.
    :param audience: Recipients that 360Learning knows.
    :param to: Fixed addresses that get it as well.
    :param message: `each` (default): a mail about the recipient; `digest`: counts, and who has not finished.
    :param template: Name of the mail template; default a built-in one.
    :param delivery: What a crash during sending may do: repeat a mail (`at_least_once`, default) or lose it
        (`at_most_once`).
    """

    name: Name = Field(description="Name of the rule; part of every key.")
    anchor: Anchor | None = Field(
        None,
        description="The date that the reminder is about: of the session, or the dueDate of each learner (API v2).",
    )
    before: Duration | None = Field(None, description="How long before the anchor it is due.")
    after: Duration | None = Field(None, description="How long after the anchor it is due.")
    every: Duration | None = Field(None, description="The time between repetitions, for an overdue reminder.")
    at_most: int | None = Field(None, ge=1, le=50, description="Total number of reminders, the first one included.")
    escalate_to_tutors_after: int | None = Field(
        None, ge=1, description="Number of reminders after which the tutors get the next ones too."
    )
    on: Literal["date_changed"] | None = Field(None, description="The reminder is a notice of changed dates.")
    settle: Duration = Field(
        Duration(minutes=10), description="How long a session must stay unmodified before its new dates are announced."
    )
    audience: Annotated[
        tuple[Audience, ...], BeforeValidator(_to_list, json_schema_input_type=Audience | list[Audience])
    ] = Field((), description="Recipients that 360Learning knows.")
    to: Annotated[tuple[str, ...], BeforeValidator(_to_list, json_schema_input_type=str | list[str])] = Field(
        (), repr=False, description="Fixed addresses that get it as well."
    )
    message: Literal["each", "digest"] = Field(
        "each", description="A mail about the recipient, or a digest with counts."
    )
    template: str | None = Field(None, min_length=1, description="Name of the mail template.")
    delivery: DeliveryGuarantee = Field(
        "at_least_once",
        description="What a crash during sending may do: repeat a mail (at_least_once) or lose it (at_most_once).",
    )

    @model_validator(mode="before")
    @classmethod
    def _read_other_names(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        # YAML 1.1, which most YAML readers follow, reads `on` as true.
        if True in data and "on" not in data:
            data = {("on" if key is True else key): value for key, value in data.items()}
        return _rename_once(data) if "once" in data else data

    @field_validator("to")
    @classmethod
    def _check_addresses(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [str(place) for place, one in enumerate(addresses, 1) if not is_mailable(one)]
        if wrong:
            raise ValueError(f"not a mail address, at position {', '.join(wrong)}")
        return addresses

    @model_validator(mode="after")
    def _check(self) -> ReminderRule:
        for problem in (self._check_time(), self._check_repetition(), self._check_audience()):
            if problem:
                raise ValueError(problem)
        return self

    @cached_property
    def schedule(self) -> Schedule:
        """When a reminder is due. Raises ValueError for a notice of changed dates, which has no schedule."""
        if self.anchor is None:
            raise ValueError(f"Rule {self.name!r} has no anchor, so it has no schedule.")
        # The fields are checked already.
        return Schedule.model_construct(anchor=self.anchor, before=self.before, after=self.after, every=self.every)

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

    def find_audience(self, occurrence: int) -> tuple[Audience, ...]:
        """
        Return the recipients of one of the reminders that 360Learning knows.

        :param occurrence: Number of the repetition, from 0 on.
        """
        escalated = self.escalate_to_tutors_after is not None and occurrence >= self.escalate_to_tutors_after
        return (*self.audience, "tutors") if escalated and "tutors" not in self.audience else self.audience

    def needs_statistics(self, audience: Sequence[str]) -> bool:
        """
        Whether a mail shows who has finished, or goes to those who have not.

        :param audience: The audience of the reminder.
        """
        has_digest = self.anchor == "endDate" and ("tutors" in audience or bool(self.to))
        has_progress = self.anchor == "dueDate" or not {"not_completed", "late"}.isdisjoint(audience)
        return has_digest or has_progress or self.message == "digest"

    @property
    def has_only_late_learners(self) -> bool:
        """Whether its only learners are those who are late."""
        return "late" in self.audience and {"learners", "not_completed"}.isdisjoint(self.audience)

    @property
    def session_keys(self) -> frozenset[str]:
        """The keys of a session's document that its mails need, beside those of the session itself."""
        has_tutors = "tutors" in self.audience or self.escalate_to_tutors_after is not None
        # Without statistics, an own template may show how many learners there are.
        needed = {"lang": True, "tutors": has_tutors, "users": self.template is not None}
        return frozenset(key for key, is_needed in needed.items() if is_needed)

    def _check_time(self) -> str | None:
        given = [one for one in ("anchor", "before", "after", "every", "at_most") if getattr(self, one) is not None]
        if self.on is not None:
            return f"{', '.join(given)}: cannot be used with `on: date_changed`" if given else None
        if self.anchor is None or (self.before is None) == (self.after is None):
            return (
                "a rule has an `anchor` (startDate, endDate or dueDate) with either `before` or `after`, "
                "or it has `on: date_changed`"
            )
        if "settle" in self.model_fields_set:
            return "settle: only for `on: date_changed`"
        if self.after is not None and self.anchor == "startDate" and self.template is None:
            return "template: is missing; there is no built-in template for `after` startDate"
        if self.before is not None and not self.before.total:
            return EMPTY_BEFORE
        return None

    def _check_repetition(self) -> str | None:
        if self.every is None:
            useless = [one for one in ("at_most", "escalate_to_tutors_after") if getattr(self, one) is not None]
            return f"{', '.join(useless)}: only for `every`" if useless else None
        if self.after is None:
            return "every: only for `after`"
        if not self.every.total:
            return "every: must be longer than 0"
        if self.at_most is None:
            return "at_most: is missing; with `every`, write a total of 1 to 50 reminders"
        if self.escalate_to_tutors_after is not None and self.escalate_to_tutors_after >= self.at_most:
            return "escalate_to_tutors_after: must be less than at_most; otherwise it would never happen"
        return None

    def _check_audience(self) -> str | None:
        if not self.audience and not self.to:
            return (
                f"audience: is missing; write one or several of {', '.join(get_args(Audience))}, or addresses in `to`"
            )
        if self.anchor == "dueDate" and self.before is not None and "late" in self.audience:
            return "audience: nobody is late before their dueDate; write not_completed"
        if self.message == "digest" and self.on is not None:
            return "message: a notice of changed dates has no digest"
        if self.message == "digest" and (set(self.audience) - {"tutors"} or self.escalate_to_tutors_after):
            # A digest names the learners who have not finished.
            return "message: a digest is for `audience: tutors` and for addresses in `to` only"
        return None


class ReminderPolicy(_PolicyModel):
    """
    Rules, and when their reminders may become due.

    :param name: Name of the policy; part of every key.
    :param time_zone: IANA name of the zone whose wall clock counts; default UTC.
    :param quiet_hours: The part of a day in which nothing becomes due or goes out; default none.
    :param working_days: The days on which something becomes due and goes out; default all.
    :param shift: Direction in which a reminder moves that would fall outside; default earlier before a date, later
        after it.
    :param max_lateness: How long after its time a reminder may still go out; default 6 hours.
    :param when_several_are_due: What to do with reminders to the same people about the same date: `closest` (default)
        sends only the closest of them, `all` sends all.
    :param skip_if_automated_reminders: Whether to skip sessions for which 360Learning's own reminders are on; default
        false.
    :param rules: The rules.
    """

    name: Name = Field(description="Name of the policy; part of every key.")
    time_zone: TimeZone = Field("UTC", description="IANA name of the zone whose wall clock counts.")
    quiet_hours: QuietHours | None = Field(
        None, description="The part of a day in which nothing becomes due or goes out."
    )
    working_days: Annotated[tuple[Day, ...], BeforeValidator(_to_list, json_schema_input_type=Day | list[Day])] = Field(
        DAYS, description="The days on which something becomes due and goes out.", json_schema_extra=_NOT_EMPTY
    )
    shift: Shift | None = Field(
        None,
        description="Direction in which a reminder moves that would fall outside. Default: earlier before a date, "
        "later after it.",
    )
    max_lateness: Duration = Field(Duration(hours=6), description="How long after its time a reminder may go out.")
    when_several_are_due: Literal["closest", "all"] = Field(
        "closest",
        description="Which of several reminders to the same people about the same date go out.",
    )
    skip_if_automated_reminders: bool = Field(
        False, description="Whether to skip sessions for which 360Learning's own reminders are on."
    )
    rules: tuple[ReminderRule, ...] = Field(description="The rules.", json_schema_extra=_NOT_EMPTY)

    @field_validator("working_days", "rules")
    @classmethod
    def _check_not_empty(cls, items: tuple[Any, ...]) -> tuple[Any, ...]:
        if not items:
            raise ValueError("the list is empty; it needs at least one")
        return items

    @field_validator("max_lateness")
    @classmethod
    def _check_lateness(cls, lateness: Duration) -> Duration:
        if lateness.total < MIN_LATENESS:
            raise ValueError("must be 30 minutes or more, longer than the time between two runs of the planning DAG")
        return lateness

    @model_validator(mode="after")
    def _check(self) -> ReminderPolicy:
        # Names become part of keys, and some databases treat "A" and "a" alike.
        names = [rule.name.lower() for rule in self.rules]
        twice = next((rule.name for rule in self.rules if names.count(rule.name.lower()) > 1), None)
        if twice is not None:
            raise ValueError(f"rules: two of them have the name {twice!r}; give each its own name")
        if len({rule.settle for rule in self.rules if rule.on}) > 1:
            raise ValueError("settle: must be the same in all rules with `on: date_changed`")
        return self

    @property
    def has_due_dates(self) -> bool:
        """Whether a rule is about the due dates of learners."""
        return any(rule.anchor == "dueDate" for rule in self.rules)

    @property
    def session_keys(self) -> frozenset[str]:
        """The keys of a session's document that a plan needs, beside those of the session itself."""
        return frozenset({"automatedReminders"} if self.skip_if_automated_reminders else ())

    @cached_property
    def zone(self) -> ZoneInfo:
        """The zone whose wall clock counts."""
        return ZoneInfo(self.time_zone)

    @classmethod
    def read(cls, source: ReminderPolicy | Mapping[str, Any] | str | PathLike[str]) -> ReminderPolicy:
        """
        Return the policy in a file, a text or a mapping.

        :param source: A mapping; YAML or JSON text; or the path of a file with such a text. A text of one line that
            does not begin with `{` is a path.
        :raises FixArgumentError: The source cannot be read, or is not a valid policy. The message names rule, field,
            what was given and what is allowed.
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
    def find_problems(cls, data: Mapping[str, Any]) -> list[tuple[str, str]]:
        """
        Return what is wrong with a policy, for a form.

        :param data: The policy.
        :returns: Place, such as `rules.0.before`, and text of each problem; empty if it is valid.
        """
        try:
            cls.model_validate(data)
        except ValidationError as error:
            return list_problems(error, MODELS)
        return []

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Return the JSON Schema of a policy. Source: JSON Schema 2020-12."""
        schema = _remove_docstrings(cls.model_json_schema(by_alias=True))
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}

    def find_delivery_keys(self, name: str) -> frozenset[str]:
        """
        Return the keys of a session's document that a delivery needs, beside those of the session itself.

        :param name: Name of the rule; of a rule that does not exist any more, no mail is sent.
        """
        rules = (rule for rule in self.rules if rule.name == name)
        return self.session_keys.union(*(rule.session_keys for rule in rules))

    def find_rule(self, name: str) -> ReminderRule:
        """
        Return the rule of that name.

        :param name: Name of a rule.
        :raises FixArgumentError: The policy has no such rule.
        """
        known = {rule.name: rule for rule in self.rules}
        if name in known:
            return known[name]
        close = find_closest(name, known)
        raise FixArgumentError(
            f"Reminder policy {self.name!r} has no rule {name!r}"
            + (f"; did you mean {close!r}?" if close else ".")
            + f" It has: {', '.join(known)}."
        )


# The model under each field: error messages list what is allowed there.
MODELS: dict[str, type[BaseModel]] = {
    "": ReminderPolicy,
    "rules": ReminderRule,
    "quiet_hours": QuietHours,
    **dict.fromkeys(("before", "after", "every", "settle", "max_lateness"), Duration),
}


def _rename_once(data: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return the fields of a rule with `once`, the former name of `delivery`, under its new name."""
    once = data["once"]
    if "delivery" in data or not isinstance(once, str) or once not in OLD_GUARANTEES:
        raise ValueError(
            "once: the field is now `delivery`; write only `delivery: at_least_once` (was record_after) "
            "or `delivery: at_most_once` (was claim_before)"
        )
    # Not at the top: planning imports no Airflow.
    from airflow.exceptions import AirflowProviderDeprecationWarning

    warnings.warn(
        "In reminder policies, `once` is now `delivery`. Write `delivery: at_least_once` instead of "
        "`once: record_after`, and `delivery: at_most_once` instead of `once: claim_before`.",
        AirflowProviderDeprecationWarning,
        stacklevel=2,
    )
    rest = {name: value for name, value in data.items() if name != "once"}
    return {**rest, "delivery": OLD_GUARANTEES[once]}


def _remove_docstrings(schema: Any) -> Any:
    """Return a schema without the docstrings of the classes, which are for readers of the code."""
    if isinstance(schema, Mapping):
        is_model = "properties" in schema and "additionalProperties" in schema
        kept = {key: value for key, value in schema.items() if not (is_model and key == "description")}
        return {key: _remove_docstrings(value) for key, value in kept.items()}
    if isinstance(schema, Sequence) and not isinstance(schema, str):
        return [_remove_docstrings(one) for one in schema]
    return schema
