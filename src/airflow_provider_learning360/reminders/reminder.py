"""A reminder that is due, and its unique key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypedDict

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.api.models import format_date

MAX_KEY_LENGTH = 250  # characters that Airflow allows in the ID of a run
MAX_SHOWN_LENGTH = 80

Audience = Literal["learners", "not_completed", "late", "tutors"]
DeliveryGuarantee = Literal["at_least_once", "at_most_once"]
# What version 0.1 called them; runs that it planned, and policies that were written for it, are still read.
OLD_GUARANTEES: dict[str, DeliveryGuarantee] = {"record_after": "at_least_once", "claim_before": "at_most_once"}


class SessionDates(TypedDict):
    """The dates of a session as the API writes them, or None."""

    startDate: str | None
    endDate: str | None


# Functional, since `from` is a keyword.
DateChange = TypedDict("DateChange", {"from": SessionDates, "to": SessionDates})


class ReminderConf(TypedDict):
    """The `conf` of a delivery run: one reminder, as `DueReminder.to_conf` writes it. It holds no personal data."""

    key: str
    policy: str
    rule: str
    session_id: str
    due: str
    audience: list[str]
    anchor: str | None
    anchor_at: str | None
    occurrence: int | None
    change: DateChange | None
    message: str
    delivery: str
    template: str | None


class PlannedDelivery(TypedDict):
    """What starts one delivery run: the arguments of a mapped `TriggerDagRunOperator`."""

    trigger_run_id: str
    conf: ReminderConf


def _require_date(text: str) -> str:
    """Return a text that is a date with a time zone, within the years 1 to 9999 in UTC."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("it has no time zone")
    try:
        moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("it is beyond the years 1 to 9999") from None
    return text


_DateText = Annotated[str, AfterValidator(_require_date)]


class _Dates(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)

    startDate: _DateText | None
    endDate: _DateText | None


class _Change(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)

    before: _Dates = Field(alias="from")
    after: _Dates = Field(alias="to")


class _Conf(BaseModel):
    """A `ReminderConf`, checked; other fields are ignored."""

    model_config = ConfigDict(strict=True, hide_input_in_errors=True)

    key: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$", max_length=MAX_KEY_LENGTH)]
    policy: str
    rule: str
    session_id: Annotated[str, Field(pattern=r"^[0-9a-f]{24}$")]
    due: Annotated[_DateText, AfterValidator(lambda text: datetime.fromisoformat(text).astimezone(UTC))]
    audience: Annotated[list[Audience], AfterValidator(tuple)]
    anchor: Literal["startDate", "endDate", "dueDate"] | None
    anchor_at: _DateText | None
    occurrence: Annotated[int, Field(ge=0)] | None
    change: Annotated[_Change, AfterValidator(lambda change: change.model_dump(by_alias=True))] | None
    message: Literal["each", "digest"]
    delivery: DeliveryGuarantee
    template: str | None

    @model_validator(mode="before")
    @classmethod
    def _read_old_name(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and "once" in data and "delivery" not in data:
            once = data["once"]
            return {**data, "delivery": OLD_GUARANTEES.get(once, once) if isinstance(once, str) else once}
        return data

    @model_validator(mode="after")
    def _check_subject(self) -> _Conf:
        if (self.change is None) != (self.anchor is not None) or (self.anchor is None) != (self.anchor_at is None):
            raise ValueError("it is about a date, or about a change of dates")
        return self


@dataclass(frozen=True, slots=True)
class DueReminder:
    """
    A reminder that is due. It is the same in every sweep that finds it.

    :param key: Unique key of letters, digits and underscores: the ID of the delivery run.
    :param policy: Name of the policy.
    :param rule: Name of the rule.
    :param session_id: ID of the session.
    :param due: When it became due, in UTC.
    :param audience: Recipients that 360Learning knows; includes the tutors after an escalation.
    :param to: Fixed addresses that get it as well; not in `to_conf`.
    :param anchor: Name of the date that it is about, or None for a change of dates.
    :param anchor_at: That date, as the API writes it.
    :param occurrence: Number of the repetition, from 0 on; None for a rule without `every`.
    :param change: For a change of dates: the dates `from` and `to`.
    :param message: `each` or `digest`.
    :param delivery: `at_least_once` or `at_most_once`.
    :param template: Name of the mail template, or None for a built-in one.
    """

    key: str
    policy: str
    rule: str
    session_id: str
    due: datetime
    audience: tuple[str, ...] = ()
    to: tuple[str, ...] = ()
    anchor: str | None = None
    anchor_at: str | None = None
    occurrence: int | None = None
    change: DateChange | None = None
    message: str = "each"
    delivery: str = "at_least_once"
    template: str | None = None

    @property
    def due_date(self) -> datetime | None:
        """The due date of the learners whom it is about; None if it is about a date of the session."""
        if self.anchor != "dueDate" or self.anchor_at is None:
            return None
        return datetime.fromisoformat(self.anchor_at)

    def to_conf(self) -> ReminderConf:
        """Return it as JSON, for the `conf` of a DAG run."""
        # Fixed addresses stay in the policy, where the delivery finds them by the name of the rule.
        return {
            "key": self.key,
            "policy": self.policy,
            "rule": self.rule,
            "session_id": self.session_id,
            "due": format_date(self.due),
            "audience": list(self.audience),
            "anchor": self.anchor,
            "anchor_at": self.anchor_at,
            "occurrence": self.occurrence,
            "change": None if self.change is None else {"from": self.change["from"], "to": self.change["to"]},
            "message": self.message,
            "delivery": self.delivery,
            "template": self.template,
        }

    @classmethod
    def from_conf(cls, conf: Mapping[str, Any]) -> DueReminder:
        """
        Return the reminder that `to_conf` wrote; without its fixed addresses.

        :param conf: What it wrote.
        :raises FixArgumentError: It is something else.
        """
        try:
            return cls(**dict(_Conf.model_validate(conf)))
        except ValidationError as error:
            # The value is left out: a person may have written it.
            place = error.errors(include_input=False, include_url=False, include_context=False)[0]["loc"]
        where = f" (see {'.'.join(map(str, place))[:MAX_SHOWN_LENGTH]!r})" if place else ""
        raise FixArgumentError(
            f"The conf of this run is not a reminder{where}: the planner did not write it. "
            "Let the planning DAG start the delivery; do not start it by hand."
        )


def build_key(policy: str, rule: str, session_id: str, *parts: str) -> str:
    """
    Return the key of a reminder.

    :param policy: Name of the policy.
    :param rule: Name of the rule.
    :param session_id: ID of the session.
    :param parts: What else makes it unique, such as the date that it is about.
    """
    return "__".join(("reminder", _encode_name(policy), _encode_name(rule), session_id, *parts))


def _encode_name(name: str) -> str:
    # A name has single signs between words. So three underscores in a key are always a "-".
    return name.replace("-", "___")


def format_compact(moment: datetime) -> str:
    """
    Return a moment in UTC, in digits and letters only; with the fraction of a second if it has one.

    :param moment: The moment, with a time zone.
    """
    moment = moment.astimezone(UTC)
    micro = moment.microsecond
    fraction = "" if not micro else f"{micro:06d}" if micro % 1000 else f"{micro // 1000:03d}"
    return f"{moment.year:04d}{moment:%m%dT%H%M%S}{fraction}Z"


def format_compact_text(date: str | None) -> str:
    """
    Return the compact form of a date from the API; `none` for a missing date.

    :param date: The date, or None.
    """
    return "none" if date is None else format_compact(datetime.fromisoformat(date))
