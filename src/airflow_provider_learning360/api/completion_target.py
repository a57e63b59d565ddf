"""How many learners must have completed a session."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypedDict

from airflow_provider_learning360.api.errors import FixArgumentError, redact

if TYPE_CHECKING:
    from airflow_provider_learning360.api.platform import CompletionCount


class CompletionCounts(TypedDict):
    """The counts that end a wait, as a sensor pushes them: how many are enrolled, completed, and were needed."""

    learners: int
    completed: int
    needed: int


@dataclass(frozen=True)
class CompletionTarget:
    """
    How many learners must have completed a session.

    :param share: The share of its learners, above 0 and up to 1; used if `count` is None. Default 1: all.
    :param count: The number of learners instead, 1 or more; default None.
    """

    share: float = 1.0
    count: int | None = None

    @classmethod
    def read(cls, share: Any, count: Any) -> CompletionTarget:
        """
        Read the arguments of a sensor; a template may have given texts.

        :param share: The share; None for the default, 1.
        :param count: The number; None for none.
        :returns: The target.
        :raises FixArgumentError: Both are given, or one is not valid.
        """
        if share is not None and count is not None:
            raise FixArgumentError(
                "share, count: both are given. Give one of them, or neither to wait for all learners."
            )
        if count is not None:
            return cls(count=_read_count(count))
        return cls() if share is None else cls(_read_share(share))

    def needed(self, learners: int) -> int:
        """
        Return how many learners must have completed.

        :param learners: How many are enrolled.
        """
        if self.count is not None:
            return self.count
        # Decimal as it was written: the binary 0.1 of 30 learners would be 4.
        return math.ceil(Fraction(str(self.share)) * learners)

    def is_reached(self, counts: CompletionCount) -> bool:
        """
        Whether enough learners have completed. While nobody is enrolled, no share of them is reached.

        :param counts: The counts as they are now.
        """
        return counts.completed >= max(1, self.needed(counts.learners))

    def __str__(self) -> str:
        if self.count is not None:
            return f"{self.count} learner{'s' * (self.count != 1)} to complete it"
        if self.share == 1:
            return "all learners to complete it"
        return f"{self.share * 100:g} % of the learners to complete it"

    def describe_counts(self, counts: CompletionCount) -> str:
        """
        Return the sentence for the log that says how far the learners are.

        :param counts: The counts as they are now.
        """
        if not counts.learners:
            return "It has no learners, so the wait continues."
        needed = self.needed(counts.learners)
        text = f"{counts.completed} of {counts.learners} learners have completed; waiting for {needed}."
        return text + " Fewer are enrolled." * (needed > counts.learners)


def _read_share(value: Any) -> float:
    try:
        share = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        share = math.nan
    if not 0 < share <= 1:
        raise FixArgumentError(
            f"share: {redact(repr(value))} is not a share of the learners; "
            "write a number above 0 and up to 1, such as 0.8."
        )
    return share


def _read_count(value: Any) -> int:
    text = str(value).strip()
    is_whole = not isinstance(value, bool) and isinstance(value, int | str) and text.isascii() and text.isdigit()
    if not is_whole or len(text) > 9 or int(text) < 1:
        raise FixArgumentError(
            f"count: {redact(repr(value))} is not a number of learners; write a whole number, 1 or more."
        )
    return int(text)
