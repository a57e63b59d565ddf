"""The program sessions of the simulator as they are now, and their learners."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.simulator.responses import to_json
from airflow_provider_learning360.simulator.sample_data import (
    Document,
    SampleData,
    format_date,
    make_learner_statistics,
    make_statistics,
    make_user_statistics,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_MILLISECOND = timedelta(milliseconds=1)


@dataclass(slots=True)
class _Record:
    document: Document
    learners: list[Document]
    # Encoding a session of 20,000 learners takes longer than sending it, so it is done once per edit.
    body: bytes | None = None
    items: dict[str, Document] | None = None  # statistics by mail, generated when first requested


class Sessions:
    """Program sessions by ID, in the order of the list route.

    :param sample_data: the sessions to start with.
    :param count: how many of them.
    :param legacy: how many of them, the oldest, lack the fields that came in 2021.
    :param now: the clock.
    """

    def __init__(self, sample_data: SampleData, count: int, legacy: int, now: Callable[[], datetime]) -> None:
        self._now = now
        self._people = {person["_id"]: person for person in sample_data.directory}
        self._records: dict[str, _Record] = {}
        for position in range(count):
            document = sample_data.document(position, legacy=position < legacy)
            self._records[document["_id"]] = _Record(document, sample_data.learners(position))

    def __contains__(self, session_id: str) -> bool:
        return session_id in self._records

    def _record(self, session_id: str) -> _Record:
        if session_id not in self._records:
            raise KeyError(f"no program session {session_id!r} in the simulator")
        return self._records[session_id]

    def ids(self) -> list[str]:
        """Return all IDs, in the order of the list route."""
        return list(self._records)

    def body(self, session_id: str) -> bytes:
        """Return a session as JSON."""
        record = self._record(session_id)
        if record.body is None:
            record.body = to_json(record.document)
        return record.body

    def list_body(self) -> bytes:
        """Return all sessions as a JSON array."""
        return b"[" + b",".join(map(self.body, self._records)) + b"]"

    def document(self, session_id: str) -> Document:
        """Return a copy of a session."""
        return dict(json.loads(self.body(session_id)))

    def add(self, document: Document) -> str:
        """Add a session that nobody has started yet, and return its ID.

        :raises ValueError: ``_id`` is missing or in use.
        """
        session_id = document.get("_id")
        if not isinstance(session_id, str) or session_id in self._records:
            raise ValueError(f"a new session needs an _id of its own, not {session_id!r}")
        self.put(document)
        return session_id

    def put(self, document: Document) -> None:
        """Add a session as it is, or replace the one with its ``_id``."""
        document = json.loads(to_json(document))
        session_id = document["_id"]
        before = self._statistics_by_mail(session_id) if session_id in self else {}
        learners = self._read_learners(document)
        self._records[session_id] = _Record(document, learners, items=_merge_statistics(learners, before))

    def delete(self, session_id: str) -> None:
        """Delete a session."""
        self._record(session_id)
        del self._records[session_id]

    def edit(self, session_id: str, fields: dict[str, Any]) -> Document:
        """Change fields, and return a copy of the session. The value ``...`` removes a field.

        ``modifiedAt`` always becomes later, unless it is among the fields, or the session has none.
        """
        record = self._record(session_id)
        document = record.document | fields
        if "modifiedAt" in record.document and "modifiedAt" not in fields:
            document["modifiedAt"] = self._next_modified_at(record.document["modifiedAt"])
        document = {key: value for key, value in document.items() if value is not ...}
        body = to_json(document)  # before anything changes: a value that is not JSON changes nothing
        record.document, record.body = json.loads(body), body
        if "users" in fields:
            before = self._statistics_by_mail(session_id)
            record.learners = self._read_learners(record.document)
            record.items = _merge_statistics(record.learners, before)
        return self.document(session_id)

    def _next_modified_at(self, before: object) -> str:
        now = self._now()
        try:
            earlier = datetime.fromisoformat(str(before))
        except ValueError:
            return format_date(now)
        if earlier.tzinfo is None:
            earlier = earlier.replace(tzinfo=UTC)
        return format_date(max(now, earlier + _MILLISECOND))

    def _read_learners(self, document: Document) -> list[Document]:
        users = document.get("users")
        # A test may write anything there. Other routes list learners by mail, so those without one are left out.
        users = [user for user in users if isinstance(user, dict) and "mail" in user] if isinstance(users, list) else []
        return [self._people.get(user.get("_id"), user) for user in users]

    def learners(self, session_id: str) -> list[Document]:
        """Return the learners, with names where they are known."""
        return self._record(session_id).learners

    def _statistics_by_mail(self, session_id: str) -> dict[str, Document]:
        record = self._record(session_id)
        if record.items is None:
            now = self._now()
            items = make_user_statistics(record.learners, _start_of(record.document, now), session_id, now)
            record.items = {item["mail"]: item for item in items}
        return record.items

    def statistics(self, session_id: str) -> Document:
        """Return the counters of a session, and an item for each learner."""
        name = self._record(session_id).document.get("name", "")
        return make_statistics(name, self._statistics_by_mail(session_id).values())

    def user_statistics(self, session_id: str, mail_or_id: str) -> Document | None:
        """Return the item of one learner, or None if the person is not enrolled."""
        mails = {person.get("_id"): person["mail"] for person in self.learners(session_id)}
        return self._statistics_by_mail(session_id).get(mails.get(mail_or_id, mail_or_id))

    def finish(self, session_id: str, mail: str) -> None:
        """Mark a learner as finished, now.

        :raises KeyError: no learner has this address.
        """
        item = self._statistics_by_mail(session_id).get(mail)
        if item is None:
            raise KeyError(f"nobody with the mail {mail!r} is enrolled in {session_id}")
        now = format_date(self._now())
        item |= {"progress": 100, "score": 100, "startTime": item.get("startTime") or now, "endTime": now}

    def has_person(self, mail_or_id: str) -> bool:
        """Return whether anybody in the company has this address or ID."""
        return mail_or_id in self._people or any(person["mail"] == mail_or_id for person in self._people.values())


def _start_of(document: Document, otherwise: datetime) -> datetime:
    """Return when a session starts; a test may write anything there."""
    try:
        start = datetime.fromisoformat(document["startDate"])
    except (KeyError, TypeError, ValueError):
        return otherwise
    return start if start.tzinfo else start.replace(tzinfo=UTC)


def _merge_statistics(learners: list[Document], before: dict[str, Document]) -> dict[str, Document]:
    """Return the statistics of learners: known ones, idle ones for new learners, and those of deleted users."""
    deleted = {mail: item for mail, item in before.items() if item["deleted"]}
    mails = [person["mail"] for person in learners]
    fresh = [
        before.get(mail) or make_learner_statistics(person, "idle", datetime.now(UTC), Random(mail))
        for mail, person in zip(mails, learners, strict=True)
    ]
    return dict(zip(mails, fresh, strict=True)) | deleted
