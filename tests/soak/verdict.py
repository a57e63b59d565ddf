"""What became of the edits: which of them no event, or no run, tells of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple


class Edit(NamedTuple):
    """An edit of a session."""

    session_id: str
    moment: datetime  # its `modifiedAt`
    at: datetime  # when it was made


class Span(NamedTuple):
    """A change as an event or a run tells it: the session was modified after `since`, at last at `until`."""

    session_id: str
    since: datetime
    until: datetime


@dataclass(frozen=True)
class Account:
    """
    What was told of some edits, each telling (an event, or a run) with its spans, in order.

    :param edits: Edits of the sessions that were watched, all made after the watch began.
    :param told: What was told.
    """

    edits: Sequence[Edit]
    told: Sequence[Sequence[Span]]

    @property
    def lost(self) -> list[Edit]:
        """Edits that nothing tells of."""
        return [edit for edit in self.edits if not self._is_told(edit)]

    @property
    def repeating(self) -> int:
        """How many tellings repeat something: the same session, until the same moment."""
        seen: set[tuple[str, datetime]] = set()
        count = 0
        for spans in self.told:
            marks = {(span.session_id, span.until) for span in spans}
            count += bool(marks & seen)
            seen |= marks
        return count

    @property
    def overlapping(self) -> int:
        """How many tellings begin before an earlier one of the same session ended: they repeat it, or go beyond it."""
        until: dict[str, datetime] = {}
        count = 0
        for spans in self.told:
            count += any(span.session_id in until and span.since < until[span.session_id] for span in spans)
            until |= {span.session_id: max(span.until, until.get(span.session_id, span.until)) for span in spans}
        return count

    @property
    def repeated(self) -> int:
        """How many changes were told once more: the same session, until the same moment."""
        marks = Counter((span.session_id, span.until) for spans in self.told for span in spans)
        return sum(count - 1 for count in marks.values())

    def latest_is_told(self) -> bool:
        """Whether the last edit of each session was told."""
        latest = {edit.session_id: edit for edit in sorted(self.edits, key=lambda edit: edit.moment)}
        return all(self._is_told(edit) for edit in latest.values())

    def _is_told(self, edit: Edit) -> bool:
        return any(
            span.session_id == edit.session_id and span.since < edit.moment <= span.until
            for spans in self.told
            for span in spans
        )


def spans_of(entries: Iterable[Mapping[str, Any]]) -> list[Span]:
    """Return what an event's payload, or a task's result, tells of modified sessions."""
    return [
        Span(one["_id"], moment_of(one["modifiedAt"]["from"]), moment_of(one["modifiedAt"]["to"]))
        for one in entries
        if one["kind"] == "modified"
    ]


def moment_of(text: str) -> datetime:
    """Return a moment as the vendor writes it."""
    return datetime.fromisoformat(text)
