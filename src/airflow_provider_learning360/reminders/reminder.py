"""A reminder that is due, and the key that no other has."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.api.models import format_date

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_KEY = 250  # characters that Airflow allows in the ID of a run

LONGEST_PLACE = 80

Dates = dict[str, str | None]


def _required_date(text: str) -> str:
    """Return a text that is a date, with its zone and in a year that there is in UTC."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("it has no time zone")
    try:
        moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("it is in no year of the calendar") from None
    return text


_DateText = Annotated[str, AfterValidator(_required_date)]


class _Dates(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)

    startDate: _DateText | None
    endDate: _DateText | None


class _Change(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)

    before: _Dates = Field(alias="from")
    after: _Dates = Field(alias="to")


class _Conf(BaseModel):
    """What `DueReminder.to_conf` writes; more than that may be there."""

    model_config = ConfigDict(strict=True, hide_input_in_errors=True)

    key: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$", max_length=LONGEST_KEY)]
    policy: str
    rule: str
    session_id: Annotated[str, Field(pattern=r"^[0-9a-f]{24}$")]
    due: Annotated[_DateText, AfterValidator(lambda text: datetime.fromisoformat(text).astimezone(UTC))]
    audience: Annotated[list[Literal["learners", "not_completed", "tutors"]], AfterValidator(tuple)]
    anchor: Literal["startDate", "endDate"] | None
    anchor_at: _DateText | None
    occurrence: Annotated[int, Field(ge=0)] | None
    change: Annotated[_Change, AfterValidator(lambda change: change.model_dump(by_alias=True))] | None
    message: Literal["each", "digest"]
    once: Literal["record_after", "claim_before"]
    template: str | None

    @model_validator(mode="after")
    def _check_what_it_is_about(self) -> _Conf:
        if (self.change is None) != (self.anchor is not None) or (self.anchor is None) != (self.anchor_at is None):
            raise ValueError("it is about a date, or about a change of dates")
        return self


@dataclass(frozen=True, slots=True)
class DueReminder:
    """
    A reminder that is due: the same in every sweep that finds it.

    :param key: What makes it one; letters, digits and underscores only, to be the ID of a DAG run.
    :param policy: Name of the policy.
    :param rule: Name of the rule.
    :param session_id: ID of the session.
    :param due: When it became due, in UTC.
    :param audience: Who gets it, of those whom 360Learning knows; with the tutors, if it was escalated.
    :param to: Fixed addresses that get it as well; not in `to_conf`.
    :param anchor: Name of the date that it is about, or None for a change of dates.
    :param anchor_at: That date, as the API writes it.
    :param occurrence: Number of the repetition, from 0 on; None for a rule without `every`.
    :param change: For a change of dates: the dates `from` and `to`.
    :param message: `each` or `digest`.
    :param once: `record_after` or `claim_before`.
    :param template: Name or path of the message template, or None for a built-in one.
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
    change: Mapping[str, Dates] | None = None
    message: str = "each"
    once: str = "record_after"
    template: str | None = None

    def to_conf(self) -> dict[str, Any]:
        """Return it as JSON, for the `conf` of a DAG run: nothing in it is a person's."""
        # The fixed addresses stay in the policy, where the delivery finds them by the rule's name.
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
            "change": None if self.change is None else {side: dict(dates) for side, dates in self.change.items()},
            "message": self.message,
            "once": self.once,
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
            # Without the value, which a person may have written.
            place = error.errors(include_input=False, include_url=False, include_context=False)[0]["loc"]
        where = f" (see {'.'.join(map(str, place))[:LONGEST_PLACE]!r})" if place else ""
        raise FixArgumentError(
            f"This is no reminder: the conf of the run is not what the planner writes{where}. "
            "Let the planner start the delivery, and not a person."
        )


def key_of(policy: str, rule: str, session_id: str, *parts: str) -> str:
    """
    Return the key of a reminder.

    :param policy: Name of the policy.
    :param rule: Name of the rule.
    :param session_id: ID of the session.
    :param parts: What else makes it one, such as the date that it is about.
    """
    return "__".join(("reminder", _plain(policy), _plain(rule), session_id, *parts))


def _plain(name: str) -> str:
    # Names have single signs between words: two underscores are no part of one, and three can be nothing but this.
    return name.replace("-", "___")


def compact(moment: datetime) -> str:
    """Return a moment in UTC, in digits and letters, with the fraction of a second if it has one."""
    moment = moment.astimezone(UTC)
    micro = moment.microsecond
    fraction = "" if not micro else f"{micro:06d}" if micro % 1000 else f"{micro // 1000:03d}"
    return f"{moment.year:04d}{moment:%m%dT%H%M%S}{fraction}Z"


def compact_text(date: str | None) -> str:
    """Return the same of a date as the API writes it; `none` if there is none."""
    return "none" if date is None else compact(datetime.fromisoformat(date))
