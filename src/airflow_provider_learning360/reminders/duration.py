"""A length of time in a reminder policy, or before or after a date of a session."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

STRICT_MODEL = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
Amount = Annotated[int, Field(ge=0, le=100_000)]


class Duration(BaseModel):
    """
    A length of time. Days count on the wall clock, hours and minutes as they elapse.

    Python code may give a `timedelta` instead: its whole days count on the wall clock, too.

    :param days: Days, 0 or more; default 0.
    :param hours: Hours, 0 or more; default 0.
    :param minutes: Minutes, 0 or more; default 0.
    """

    model_config = STRICT_MODEL

    days: Amount = 0
    hours: Amount = 0
    minutes: Amount = 0

    @model_validator(mode="before")
    @classmethod
    def _read_timedelta(cls, value: Any) -> Any:
        return _split(value) if isinstance(value, timedelta) else value

    @property
    def elapsed(self) -> timedelta:
        """The hours and minutes."""
        return timedelta(hours=self.hours, minutes=self.minutes)

    @property
    def total(self) -> timedelta:
        """The whole length, with days of 24 hours."""
        return timedelta(days=self.days) + self.elapsed


def _split(value: timedelta) -> dict[str, Any]:
    if value < timedelta() or value % timedelta(minutes=1):
        raise ValueError("a timedelta must be 0 or more, in whole minutes")
    minutes = value.seconds // 60
    return {"days": value.days, "hours": minutes // 60, "minutes": minutes % 60}
