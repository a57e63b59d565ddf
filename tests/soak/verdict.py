"""Compare the edits with what events and runs report of them."""

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
    """A change as an event or a run reports it: modified after `since`, most recently at `until`."""

    session_id: str
    since: datetime
    until: datetime


@dataclass(frozen=True)
class Report:
    """
    What the events of an asset, or the runs of a DAG, report of some edits.

    :param edits: Edits of the watched sessions, all after the first watermarks.
    :param reported: The spans of each event, or of each run, in order.
    """

    edits: Sequence[Edit]
    reported: Sequence[Sequence[Span]]

    @property
    def lost(self) -> list[Edit]:
        """Edits that no span contains."""
        return [edit for edit in self.edits if not self._is_reported(edit)]

    @property
    def repeating(self) -> int:
        """Number of events or runs that repeat a span: the same session, until the same moment."""
        seen: set[tuple[str, datetime]] = set()
        count = 0
        for spans in self.reported:
            marks = {(span.session_id, span.until) for span in spans}
            count += bool(marks & seen)
            seen |= marks
        return count

    @property
    def overlapping(self) -> int:
        """Number of events or runs with a span that begins before an earlier one of the same session ended."""
        until: dict[str, datetime] = {}
        count = 0
        for spans in self.reported:
            count += any(span.session_id in until and span.since < until[span.session_id] for span in spans)
            until |= {span.session_id: max(span.until, until.get(span.session_id, span.until)) for span in spans}
        return count

    @property
    def repeated(self) -> int:
        """Number of repeated spans: the same session, until the same moment."""
        marks = Counter((span.session_id, span.until) for spans in self.reported for span in spans)
        return sum(count - 1 for count in marks.values())

    def latest_is_reported(self) -> bool:
        """Whether the last edit of each session was reported."""
        latest = {edit.session_id: edit for edit in sorted(self.edits, key=lambda edit: edit.moment)}
        return all(self._is_reported(edit) for edit in latest.values())

    def _is_reported(self, edit: Edit) -> bool:
        return any(
            span.session_id == edit.session_id and span.since < edit.moment <= span.until
            for spans in self.reported
            for span in spans
        )


def spans_of(entries: Iterable[Mapping[str, Any]]) -> list[Span]:
    """Return the spans of the modified sessions in an event's payload, or in a task's result."""
    return [
        Span(one["_id"], moment_of(one["modifiedAt"]["from"]), moment_of(one["modifiedAt"]["to"]))
        for one in entries
        if one["kind"] == "modified"
    ]


def moment_of(text: str) -> datetime:
    """Parse a time as 360Learning writes it."""
    return datetime.fromisoformat(text)
