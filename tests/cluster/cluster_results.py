"""Compare the edits with what sensors, watched assets and deliveries made of them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sessions import CONNECTIONS, KINDS, RECIPIENTS
from verdict import Edit, Report, Span, spans_of

ENDED = ("success", "failed", "skipped", "upstream_failed")


class Wait(NamedTuple):
    """What became of a sensor."""

    mode: str
    session_id: str
    state: str
    noticed: str | None  # `modifiedAt` of the document that it returned
    retries: int


class Delivery(NamedTuple):
    """What became of a delivery."""

    kind: str
    session_id: str
    state: str  # of its run; "none" if there is no run
    retries: int
    mails: Mapping[str, int]  # by recipient

    @property
    def lost(self) -> int:
        """Number of recipients without a mail."""
        return RECIPIENTS - len(self.mails)

    @property
    def repeated(self) -> int:
        """Number of mails that a recipient had already."""
        return sum(self.mails.values()) - len(self.mails)


@dataclass(frozen=True)
class Results:
    """
    All that is counted.

    :param edits: The edits, in order.
    :param waits: One for each sensor.
    :param events: Reports of the events by asset.
    :param runs: Reports of the runs by asset.
    :param deliveries: One for each delivery.
    """

    edits: Sequence[Edit]
    waits: Sequence[Wait]
    events: Mapping[str, Report]
    runs: Mapping[str, Report]
    deliveries: Sequence[Delivery]

    def lost_waits(self) -> list[Wait]:
        """Return the sensors that ended without the change made for them, or did not end."""
        moments = {edit.session_id: edit.moment for edit in self.edits}
        return [
            wait
            for wait in self.waits
            if wait.state != "success"
            or wait.noticed is None
            or datetime.fromisoformat(wait.noticed) != moments.get(wait.session_id)
        ]

    def find_faults(self) -> Iterator[str]:
        """Yield a line for each broken promise."""
        for wait in self.lost_waits():
            how = f"{wait.state}, {wait.noticed}, {wait.retries} retries"
            yield f"LOST: sensor ({wait.mode}) of {wait.session_id}: {how}"
        for what, reports in (("event", self.events), ("run", self.runs)):
            for asset, report in reports.items():
                for edit in report.lost:
                    yield f"LOST: no {what} of {asset} for {edit.session_id}, edited {edit.at:%H:%M:%S}"
        for asset, report in self.runs.items():
            if report.repeated:
                yield f"REPEATED: {report.repeated} changes of {asset}"
        for one in self.deliveries:
            in_doubt = one.retries * CONNECTIONS  # one mail for each, of a try that was cut off
            repeats, losses = (in_doubt, 0) if one.kind == "at_least_once" else (0, in_doubt)
            if one.repeated > repeats or one.lost > losses or one.state != "success":
                yield (
                    f"MAILS: {one.kind} of {one.session_id}: {one.state}, {one.retries} retries, "
                    f"{one.lost} lost, {one.repeated} repeated"
                )

    def table(self) -> str:
        """Return the numbers as a table."""
        rows: list[tuple[object, ...]] = []
        for mode in dict.fromkeys(wait.mode for wait in self.waits):
            count = sum(wait.mode == mode for wait in self.waits)
            lost = sum(wait.mode == mode for wait in self.lost_waits())
            retries = sum(wait.retries for wait in self.waits if wait.mode == mode)
            rows.append((f"sensors, {mode}", count, f"{count - lost} noticed", lost, "-", retries))
        for what, reports in (("events of watched assets", self.events), ("changes acted on", self.runs)):
            all_of = list(reports.values())
            repeated = sum(one.repeating if what.startswith("events") else one.repeated for one in all_of)
            edits = sum(len(one.edits) for one in all_of)
            count = sum(sum(map(len, one.reported)) for one in all_of)
            rows.append((what, f"{edits} edits", count, sum(len(one.lost) for one in all_of), repeated, "-"))
        for kind in KINDS:
            these = [one for one in self.deliveries if one.kind == kind]
            mails = sum(sum(one.mails.values()) for one in these)
            lost_mails, repeated = sum(one.lost for one in these), sum(one.repeated for one in these)
            tried_again = sum(one.retries for one in these)
            rows.append((f"deliveries, {kind}", len(these), f"{mails} mails", lost_mails, repeated, tried_again))
        head = ("what", "made", "came of it", "lost", "repeated", "retries")
        lines = [f"| {' | '.join(map(str, row))} |" for row in (head, ("---",) * len(head), *rows)]
        return "\n".join(lines)


def decoded(value: Any) -> Any:
    """Return a stored value; Airflow stores some as JSON in JSON."""
    while isinstance(value, str):
        value = json.loads(value)
    return value


def spans_for(values: Sequence[Any], session_ids: Sequence[str]) -> list[list[Span]]:
    """Return the spans of some sessions in each of the values."""
    return [[span for span in spans_of(value) if span.session_id in session_ids] for value in values]


def count_mails(mails: Sequence[Mapping[str, Any]]) -> dict[int, Counter[str]]:
    """Return how many mails each recipient got, by the number of the session."""
    counted: dict[int, Counter[str]] = {}
    for mail in mails:
        for recipient in mail["recipients"]:
            match = re.match(r"s(\d+)\.", recipient)
            assert match, f"mail to {recipient}"
            counted.setdefault(int(match[1]), Counter())[recipient] += 1
    return counted
