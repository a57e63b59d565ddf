"""
What "modified" means: the one definition that every way of waiting calls.

A session was modified when its `modifiedAt` is later than the watermark and, where fields to watch are named, one of
them differs from what it was at the watermark.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypedDict

from airflow_provider_learning360.api.errors import ContractError, FixArgumentError, contains_mail_address, redact
from airflow_provider_learning360.api.sanitizer import printable, sanitize

if TYPE_CHECKING:
    from airflow_provider_learning360.api.models import ProgramSession

log = logging.getLogger(__name__)

# Fields that name people, or may; what they hold is compared, but never stored or shown.
PEOPLE_FIELDS = frozenset({"author", "tutors", "users", "customFields"})
# Longer values are compared by their fingerprint too: a watermark travels through the database.
MAX_VALUE_LENGTH = 500

_ABSENT = object()


class StoredWatermark(TypedDict):
    """A watermark as JSON: `modified_at` is an ISO time, `watched` holds the watched fields as they were."""

    session_id: str
    modified_at: str
    watched: dict[str, Any]
    watch: list[str]


@dataclass(frozen=True)
class Watermark:
    """
    What was last known of a session.

    :param session_id: ID of the session.
    :param modified_at: Its `modifiedAt`.
    :param watched: The watched fields as they were; a missing key is a field that was not sent.
    :param watch: Names of the watched fields; empty to watch all of the session.
    """

    session_id: str
    modified_at: datetime
    watched: Mapping[str, Any] = field(default_factory=dict)
    watch: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # Stored by an earlier version, or made of somebody else's document: NaN would differ from itself for ever.
        object.__setattr__(self, "watched", sanitize(self.watched))

    @classmethod
    def of(cls, session: ProgramSession, watch: Sequence[str] = ()) -> Watermark:
        """
        Return the watermark that a session sets.

        :param session: The session as it is now.
        :param watch: Names of the fields to watch; by default none in particular.
        :raises ContractError: The session has no `modifiedAt`.
        """
        return cls(session.id, modified_at(session), _watched(session, watch), tuple(watch))

    def to_dict(self) -> StoredWatermark:
        """Return the watermark as JSON."""
        return {
            "session_id": self.session_id,
            "modified_at": self.modified_at.isoformat(),
            "watched": dict(self.watched),
            "watch": list(self.watch),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Watermark:
        """Return the watermark that `to_dict` wrote."""
        moment = datetime.fromisoformat(data["modified_at"])
        return cls(data["session_id"], moment, dict(data["watched"]), tuple(data["watch"]))

    def fits(self, session_id: str, watch: Sequence[str]) -> bool:
        """Whether this is a watermark of that session, with those fields watched."""
        return self.session_id == session_id and self.watch == tuple(watch)


@dataclass(frozen=True)
class Change:
    """
    A modification that was found.

    :param session_id: ID of the session.
    :param fields: For `modifiedAt` and each watched field that differs: its value `from` and `to`.
    """

    session_id: str
    fields: Mapping[str, Mapping[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """Return the change as JSON: for each field its value `from` and `to`."""
        return {name: dict(values) for name, values in self.fields.items()}

    def __str__(self) -> str:
        return printable(
            ", ".join(
                f"{name}: {_shown(values['from'])} -> {_shown(values['to'])}" for name, values in self.fields.items()
            )
        )


def watermark_since(since: Any, session_id: str, watch: Sequence[str]) -> Watermark:
    """
    Return the watermark that a user names.

    :param since: A time (datetime, or ISO text), or an earlier document of the session (also as JSON text).
    :param session_id: ID of the session.
    :param watch: Names of the fields to watch.
    :raises FixArgumentError: It is neither, or of another session, or does not say what it must.
    """
    if isinstance(since, str) and since.lstrip().startswith("{"):
        since = _json(since)
    if isinstance(since, Mapping):
        return _watermark_of_document(since, session_id, watch)
    moment = parse_datetime(since, "since")
    if watch:
        raise FixArgumentError(
            "since: a time does not say what the watched fields were. Give an earlier document of the session "
            "(since=get_session.output), or leave since out to start from the first look."
        )
    return Watermark(session_id, moment)


def _watermark_of_document(since: Mapping[str, Any], session_id: str, watch: Sequence[str]) -> Watermark:
    from airflow_provider_learning360.api.models import ProgramSession

    document = {"_id": session_id, **since}
    if document["_id"] != session_id:
        raise FixArgumentError(
            f"since: this is a document of session {document['_id']}, but the sensor waits for {session_id}."
        )
    try:
        session = ProgramSession.model_validate(document)
    except ValueError:
        session = None
    if session is None or session.modified_at is None:
        raise FixArgumentError(
            "since: the document holds no modifiedAt. Give a document of the session as the operator pushed it, "
            "with modifiedAt and the watched fields among its `fields`."
        )
    return Watermark.of(session, watch)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise FixArgumentError(
            "since: this text is no JSON document. Pass the operator's result itself (since=get_session.output), "
            "not a template that prints it."
        ) from None


def parse_datetime(value: Any, argument: str) -> datetime:
    """
    Return the time that an argument names; one without a zone is taken as UTC, and the log says so.

    :param value: A datetime, or ISO text.
    :param argument: Name of the argument, for messages.
    :raises FixArgumentError: It is no time.
    """
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value.strip())
    except (ValueError, AttributeError):
        raise FixArgumentError(
            f"{argument}: {redact(repr(value))} is no time. Give one such as 2026-03-01T08:00:00Z."
        ) from None
    if moment.tzinfo is None:
        log.warning("%s: %s has no time zone; UTC is assumed.", argument, moment.isoformat())
        return moment.replace(tzinfo=UTC)
    return moment


def find_change(session: ProgramSession, watermark: Watermark) -> Change | None:
    """
    Return what changed since the watermark, or None if that is nothing.

    :param session: The session as it is now.
    :param watermark: What was last known.
    :raises ContractError: The session has no `modifiedAt`.
    """
    from airflow_provider_learning360.api.models import format_date

    now = modified_at(session)
    if now <= watermark.modified_at:
        return None
    current = _watched(session, watermark.watch)
    differing = {
        name: {"from": watermark.watched.get(name), "to": current.get(name)}
        for name in watermark.watch
        if watermark.watched.get(name, _ABSENT) != current.get(name, _ABSENT)
    }
    if watermark.watch and not differing:
        return None
    moved = {"from": format_date(watermark.modified_at), "to": format_date(now)}
    return Change(session.id, {"modifiedAt": moved, **differing})


def modified_at(session: ProgramSession) -> datetime:
    """
    Return when a session was last modified.

    :raises ContractError: The API did not say.
    """
    if session.modified_at is None:
        raise ContractError(
            f"Program session {session.id} has no modifiedAt, so no change of it can be noticed. "
            "Older platforms do not send it; ask 360Learning's support."
        )
    return session.modified_at


def _watched(session: ProgramSession, watch: Sequence[str]) -> dict[str, Any]:
    document = session.document(fields=watch) if watch else {}
    return {name: _storable(name, sanitize(value)) for name, value in document.items()}


def _storable(name: str, value: Any) -> Any:
    """Return a value, or its fingerprint where it names people, holds a mail address, or is long."""
    text = json.dumps(value, sort_keys=True)
    if (name in PEOPLE_FIELDS and value is not None) or len(text) > MAX_VALUE_LENGTH or contains_mail_address(text):
        digest = hashlib.sha256(text.encode()).hexdigest()
        return {"sha256": digest, **({"items": len(value)} if isinstance(value, list) else {})}
    return value


def _shown(value: Any) -> str:
    if isinstance(value, dict) and "sha256" in value:
        items = f"{value['items']} entries, " if "items" in value else ""
        return f"({items}fingerprint {value['sha256'][:8]})"
    return redact(json.dumps(value, ensure_ascii=False))
