"""The program sessions of the simulator as they are now, and their learners."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.simulator.enrolments import Enrolment, make_enrolments, merge_enrolments
from airflow_provider_learning360.simulator.filters import read_moment
from airflow_provider_learning360.simulator.path_views import OWN_KEYS, read_creation_date, read_custom_fields
from airflow_provider_learning360.simulator.paths import PATH_KEYS, Paths
from airflow_provider_learning360.simulator.people import People, derive_id
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
    from collections.abc import Callable, Iterable

    from airflow_provider_learning360.simulator.path_views import PathSession
    from airflow_provider_learning360.simulator.paths import Path

_MILLISECOND = timedelta(milliseconds=1)


UNTIMED_KEYS = {*PATH_KEYS, "users", "groups", "customFields", "requirements", "skills", "validateRegistrations"}
"""Keys of a v1 session that do not move ``modifiedAt`` of the session on v2."""

_IDLE: Document = {"score": 0, "deleted": False}


@dataclass(slots=True)
class Record:
    """A session, and what is known of it.

    :param number: its place in the list; never used twice.
    :param document: the session as v1 has it, with keys that only v2 shows.
    :param learners: those whom v1 lists.
    :param guests: learners whom only v2 lists.
    :param created_at: when it was created.
    :param modified_at: v2's own, which edits of the path do not move; None for none.
    """

    number: int
    document: Document
    learners: list[Document]
    guests: list[Document]
    created_at: str
    modified_at: Any
    # Encoding a session of 20,000 learners takes longer than sending it, so it is done once per edit.
    body: bytes | None = None
    items: dict[str, Document] | None = None  # statistics by mail, generated when first requested
    enrolments: dict[str, Enrolment] | None = None  # by user ID, made when first requested
    view: PathSession | None = None  # as v2 shows it
    latest_completion: float | None = None
    leavers: list[Document] = field(default_factory=list)


class Sessions:
    """Program sessions by ID, in the order of the list route.

    :param sample_data: the sessions to start with.
    :param count: how many of them.
    :param legacy: how many of them, the oldest, lack the fields that came in 2021.
    :param now: the clock.
    :param users: how many users the platform has who are in no session.
    """

    def __init__(
        self, sample_data: SampleData, count: int, legacy: int, now: Callable[[], datetime], users: int = 0
    ) -> None:
        self._now = now
        self._started = now()
        former = [self._make_former_learner(place) for place in (1, 2)]
        everybody = (sample_data.directory, sample_data.staff, sample_data.guests, former)
        self._people = {person["_id"]: person for person in sample_data.directory}
        self.people = People(person for group in everybody for person in group)
        for person in sample_data.platform_users(users):
            self.people.add(person)
        self.paths = Paths()
        self.custom_fields = {one["_id"]: one for one in sample_data.custom_field_definitions()}
        self._records: dict[str, Record] = {}
        self._numbers = itertools.count()
        for position in range(count):
            document = sample_data.document(position, legacy=position < legacy)
            learners, guests = sample_data.learners(position), sample_data.guests_of(position)
            record = self._make_record(document, learners, guests)
            record.leavers = sample_data.leavers_of(position)
            self._records[document["_id"]] = record

    def _make_former_learner(self, place: int) -> Document:
        mail, deleted_at = f"former.learner{place}@example.com", format_date(self._started)
        return {"_id": derive_id("user", mail), "mail": mail, "status": "deleted", "deletedAt": [deleted_at]}

    def _make_record(self, document: Document, learners: list[Document], guests: list[Document]) -> Record:
        created_at = document.get("createdAt") or read_creation_date(document["_id"], self._started)
        modified_at = document.get("modifiedAt", created_at)
        self.paths.require(document, created_at)
        return Record(next(self._numbers), document, learners, guests, created_at, modified_at)

    def __contains__(self, session_id: str) -> bool:
        return session_id in self._records

    def record(self, session_id: str) -> Record:
        """Return what is known of a session.

        :raises KeyError: there is no such session.
        """
        if session_id not in self._records:
            raise KeyError(f"no program session {session_id!r} in the simulator")
        return self._records[session_id]

    def records(self) -> Iterable[Record]:
        """Return all sessions, in the order of the list route."""
        return self._records.values()

    def ids(self) -> list[str]:
        """Return all IDs, in the order of the list route."""
        return list(self._records)

    def body(self, session_id: str) -> bytes:
        """Return a session as v1 shows it, as JSON."""
        record = self.record(session_id)
        if record.body is None:
            record.body = to_json({key: value for key, value in record.document.items() if key not in OWN_KEYS})
        return record.body

    def list_body(self) -> bytes:
        """Return all sessions as a JSON array."""
        return b"[" + b",".join(map(self.body, self._records)) + b"]"

    def document(self, session_id: str) -> Document:
        """Return a copy of a session, with the keys that only v2 shows."""
        document = self.record(session_id).document
        own = {key: document[key] for key in OWN_KEYS if key in document}
        return dict(json.loads(self.body(session_id)) | json.loads(to_json(own)))

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
        if session_id not in self:
            record = self._records[session_id] = self._make_record(document, [], [])
            self._learn(record)
            self._set_learners(record, {})
            return
        record = self._records[session_id]
        before = record.document
        changed = {key for key in before.keys() | document.keys() if before.get(key) != document.get(key)}
        timed = changed - {"modifiedAt"}
        is_session_edit = bool(changed) and (not timed or bool(timed - UNTIMED_KEYS))
        self._replace(record, document, changed, "modifiedAt" in document, is_session_edit)

    def delete(self, session_id: str) -> None:
        """Delete a session."""
        self.record(session_id)
        del self._records[session_id]

    def edit(self, session_id: str, fields: dict[str, Any]) -> Document:
        """Change fields, and return a copy of the session. The value ``...`` removes a field.

        ``modifiedAt`` always becomes later, unless it is among the fields, or the session has none. On v2 that is the
        path's for keys of the path, and no ``modifiedAt`` at all for people, groups and custom fields.
        """
        record = self.record(session_id)
        document = record.document | fields
        if "modifiedAt" in record.document and "modifiedAt" not in fields:
            document["modifiedAt"] = self._next_modified_at(record.document["modifiedAt"])
        document = {key: value for key, value in document.items() if value is not ...}
        document = json.loads(to_json(document))  # before anything changes: a value that is not JSON changes nothing
        is_session_edit = not fields or not fields.keys() <= UNTIMED_KEYS
        self._replace(record, document, set(fields), "modifiedAt" in fields, is_session_edit)
        return self.document(session_id)

    def _replace(
        self, record: Record, document: Document, changed: set[str], is_dated: bool, is_session_edit: bool
    ) -> None:
        """Put another document in place of a record's.

        :param changed: the keys that the caller sets.
        :param is_dated: whether the caller sets ``modifiedAt``, or removes it.
        :param is_session_edit: whether v2's ``modifiedAt`` of the session moves.
        """
        before: dict[str, Document] = {}
        if "users" in changed:
            before = self._statistics_by_mail(document["_id"])
            self.enrolments(record)
        record.document, record.body, record.view = document, None, None
        if is_session_edit:
            has_date = is_dated or "modifiedAt" in document
            record.modified_at = document.get("modifiedAt") if has_date else self._next_modified_at(record.modified_at)
        path, path_keys = self._learn(record), changed & set(PATH_KEYS)
        if path is not None and path_keys:
            moment = document.get("modifiedAt") if is_dated else None
            self.paths.edit(path, document, path_keys, moment or self._find_path_date(path, document))
        if "users" in changed:
            self._set_learners(record, before)

    def _find_path_date(self, path: Path, document: Document) -> Any:
        """Return the ``modifiedAt`` of a path after an edit: that of the session, unless it is not later."""
        after, before = (read_moment(one) for one in (document.get("modifiedAt"), path.modified_at))
        if after is not None and (before is None or after > before):
            return document["modifiedAt"]
        return self._next_modified_at(path.modified_at)

    def _learn(self, record: Record) -> Path | None:
        """Add what a document names and the simulator does not know yet: people, a path, custom fields."""
        self.people.learn(record.document)
        for field_id, item in read_custom_fields(record.document):
            name = item.get("name") or f"Custom field {field_id[:6]}"
            definition = {"_id": field_id, "name": name, "targetType": "contents", "type": "string"}
            self.custom_fields.setdefault(field_id, definition)
        return self.paths.require(record.document, record.created_at)

    def _set_learners(self, record: Record, before: dict[str, Document]) -> None:
        """Read the learners of a new document; ``before`` holds the statistics until now."""
        users = record.document.get("users")
        users = users if isinstance(users, list) else []
        record.learners = self._read_learners(record.document)
        record.guests = [
            user for user in users if isinstance(user, dict) and "mail" not in user and isinstance(user.get("_id"), str)
        ]
        record.items = _merge_statistics(record.learners, before)
        old, record.enrolments = record.enrolments, None
        if old is not None:
            record.enrolments = merge_enrolments(old, self.enrolments(record), format_date(self._now()))
        record.latest_completion = None

    def enrolments(self, record: Record) -> dict[str, Enrolment]:
        """Return who is or was enrolled in a session, by user ID."""
        if record.enrolments is None:
            items = self._statistics_by_mail(record.document["_id"])
            learners = [(self.people.learn_user(one), items[one["mail"]]) for one in record.learners]
            learners += [(guest["_id"], dict(_IDLE)) for guest in record.guests]
            record.enrolments = make_enrolments(learners, record.created_at, record.document.get("users"))
            left = [(self.people.id_of(mail), item) for mail, item in items.items() if item["deleted"]]
            left += [(person["_id"], dict(_IDLE)) for person in record.leavers]
            for user_id, item in left:
                leaver = Enrolment(user_id, 0, record.created_at, item, format_date(self._started))
                record.enrolments.setdefault(user_id, leaver)
        return record.enrolments

    def latest_completion(self, record: Record) -> float:
        """Return when somebody last completed a session, in seconds since 1970; 0 for never."""
        if record.latest_completion is None:
            moments = [read_moment(one.completed_at) or 0 for one in self.enrolments(record).values()]
            record.latest_completion = max(moments, default=0)
        return record.latest_completion

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
        return self.record(session_id).learners

    def _statistics_by_mail(self, session_id: str) -> dict[str, Document]:
        record = self.record(session_id)
        if record.items is None:
            # As it was at the start, whenever the first request for it comes: only ``finish`` completes anything later.
            start = _start_of(record.document, self._started)
            items = make_user_statistics(record.learners, start, session_id, self._started)
            record.items = {item["mail"]: item for item in items}
        return record.items

    def statistics(self, session_id: str) -> Document:
        """Return the counters of a session, and an item for each learner."""
        name = self.record(session_id).document.get("name", "")
        return make_statistics(name, self._statistics_by_mail(session_id).values())

    def user_statistics(self, session_id: str, mail_or_id: str) -> Document | None:
        """Return the item of one learner, or None if the person is not enrolled."""
        mails = {person.get("_id"): person["mail"] for person in self.learners(session_id)}
        return self._statistics_by_mail(session_id).get(mails.get(mail_or_id, mail_or_id))

    def finish(self, session_id: str, mail_or_id: str) -> None:
        """Mark a learner as finished, now.

        :raises KeyError: no learner has this address.
        """
        item = self._statistics_by_mail(session_id).get(mail_or_id)
        record = self.record(session_id)
        enrolment = None if item else self.enrolments(record).get(mail_or_id)
        item = enrolment.item if enrolment else item
        if item is None:
            raise KeyError(f"nobody with the mail {mail_or_id!r} is enrolled in {session_id}")
        record.latest_completion = None
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
