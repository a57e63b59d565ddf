"""The program sessions that the simulator holds now, and the learners in them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.simulator.answers import encoded
from airflow_provider_learning360.simulator.catalogue import (
    Catalogue,
    Document,
    learner_statistics,
    overview,
    session_items,
    stamp,
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
    items: dict[str, Document] | None = None  # statistics by mail, made when somebody first asks


class Sessions:
    """Program sessions by ID, in the order of the list route.

    :param catalogue: where the first ones come from.
    :param count: how many of them.
    :param legacy: how many of these, the oldest, lack the fields that came in 2021.
    :param now: the clock.
    """

    def __init__(self, catalogue: Catalogue, count: int, legacy: int, now: Callable[[], datetime]) -> None:
        self._now = now
        self._people = {person["_id"]: person for person in catalogue.directory}
        self._records: dict[str, _Record] = {}
        for position in range(count):
            document = catalogue.document(position, legacy=position < legacy)
            self._records[document["_id"]] = _Record(document, catalogue.learners(position))

    def __contains__(self, session_id: str) -> bool:
        return session_id in self._records

    def _record(self, session_id: str) -> _Record:
        if session_id not in self._records:
            raise KeyError(f"no program session {session_id!r} in the simulator")
        return self._records[session_id]

    def ids(self) -> list[str]:
        """All IDs, in the order of the list route."""
        return list(self._records)

    def body(self, session_id: str) -> bytes:
        """One session as JSON."""
        record = self._record(session_id)
        if record.body is None:
            record.body = encoded(record.document)
        return record.body

    def bodies(self) -> bytes:
        """All sessions as one JSON array."""
        return b"[" + b",".join(map(self.body, self._records)) + b"]"

    def document(self, session_id: str) -> Document:
        """A copy of one session."""
        return dict(json.loads(self.body(session_id)))

    def add(self, document: Document) -> str:
        """Takes in a new session, in which nobody has begun yet; returns its ID.

        :raises ValueError: no ``_id``, or one that is taken.
        """
        session_id = document.get("_id")
        if not isinstance(session_id, str) or session_id in self._records:
            raise ValueError(f"a new session needs an _id of its own, not {session_id!r}")
        self.put(document)
        return session_id

    def put(self, document: Document) -> None:
        """Takes in a session as it stands, in place of the one with its ``_id`` if there is one."""
        document = json.loads(encoded(document))
        session_id = document["_id"]
        before = self._items(session_id) if session_id in self else {}
        learners = self._enrolled(document)
        self._records[session_id] = _Record(document, learners, items=_items(learners, before))

    def delete(self, session_id: str) -> None:
        """Removes a session."""
        self._record(session_id)
        del self._records[session_id]

    def edit(self, session_id: str, fields: dict[str, Any]) -> Document:
        """Changes fields; a value of ``...`` removes one. Returns a copy of the session as it is then.

        ``modifiedAt`` moves strictly ahead, unless it is among the fields, or the session has none.
        """
        record = self._record(session_id)
        document = record.document | fields
        if "modifiedAt" in record.document and "modifiedAt" not in fields:
            document["modifiedAt"] = self._later(record.document["modifiedAt"])
        document = {key: value for key, value in document.items() if value is not ...}
        body = encoded(document)  # before anything changes: a value that is not JSON leaves no trace
        record.document, record.body = json.loads(body), body
        if "users" in fields:
            before = self._items(session_id)
            record.learners = self._enrolled(record.document)
            record.items = _items(record.learners, before)
        return self.document(session_id)

    def _later(self, before: object) -> str:
        now = self._now()
        try:
            earlier = datetime.fromisoformat(str(before))
        except ValueError:
            return stamp(now)
        if earlier.tzinfo is None:
            earlier = earlier.replace(tzinfo=UTC)
        return stamp(max(now, earlier + _MILLISECOND))

    def _enrolled(self, document: Document) -> list[Document]:
        users = document.get("users")
        # A test may put anything there; who has no mail has no place in the other answers.
        users = [user for user in users if isinstance(user, dict) and "mail" in user] if isinstance(users, list) else []
        return [self._people.get(user.get("_id"), user) for user in users]

    def learners(self, session_id: str) -> list[Document]:
        """Who is enrolled, with names where they are known."""
        return self._record(session_id).learners

    def _items(self, session_id: str) -> dict[str, Document]:
        record = self._record(session_id)
        if record.items is None:
            now = self._now()
            items = session_items(record.learners, _start_of(record.document, now), session_id, now)
            record.items = {item["mail"]: item for item in items}
        return record.items

    def statistics(self, session_id: str) -> Document:
        """Counters of a session, and one item per learner."""
        name = self._record(session_id).document.get("name", "")
        return overview(name, self._items(session_id).values())

    def learner_statistics(self, session_id: str, mail_or_id: str) -> Document | None:
        """The item of one learner, or nothing for somebody who is not enrolled."""
        mails = {person.get("_id"): person["mail"] for person in self.learners(session_id)}
        return self._items(session_id).get(mails.get(mail_or_id, mail_or_id))

    def finish(self, session_id: str, mail: str) -> None:
        """Marks a learner as finished, now.

        :raises KeyError: nobody with this mail is enrolled.
        """
        item = self._items(session_id).get(mail)
        if item is None:
            raise KeyError(f"nobody with the mail {mail!r} is enrolled in {session_id}")
        now = stamp(self._now())
        item |= {"progress": 100, "score": 100, "startTime": item.get("startTime") or now, "endTime": now}

    def knows(self, mail_or_id: str) -> bool:
        """Whether anybody in the company has this mail or ID."""
        return mail_or_id in self._people or any(person["mail"] == mail_or_id for person in self._people.values())


def _start_of(document: Document, otherwise: datetime) -> datetime:
    """When a session starts; a test may put anything there."""
    try:
        start = datetime.fromisoformat(document["startDate"])
    except (KeyError, TypeError, ValueError):
        return otherwise
    return start if start.tzinfo else start.replace(tzinfo=UTC)


def _items(learners: list[Document], before: dict[str, Document]) -> dict[str, Document]:
    """Statistics of these learners: what is known of them, idle for the rest; the deleted stay."""
    deleted = {mail: item for mail, item in before.items() if item["deleted"]}
    mails = [person["mail"] for person in learners]
    fresh = [
        before.get(mail) or learner_statistics(person, "idle", datetime.now(UTC), Random(mail))
        for mail, person in zip(mails, learners, strict=True)
    ]
    return dict(zip(mails, fresh, strict=True)) | deleted
