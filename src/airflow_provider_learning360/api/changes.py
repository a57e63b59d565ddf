"""
What "modified" means: the one definition for sensors, triggers and watchers.

A session was modified if its `modifiedAt` is later than that of the watermark and, if fields to watch are given, at
least one of them differs from the watermark. Where `modifiedAt` does not cover a watched field, as API v2's does not
cover the path of a session, a different value is enough.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

from airflow_provider_learning360.api.api_version import FIRST_VERSION
from airflow_provider_learning360.api.errors import ContractError, FixArgumentError, contains_mail_address, redact
from airflow_provider_learning360.api.sanitizer import printable, sanitize

if TYPE_CHECKING:
    from airflow_provider_learning360.api.api_version import ApiVersion
    from airflow_provider_learning360.api.models import ProgramSession

log = logging.getLogger(__name__)

# Fields that name people, or may. Their values are compared, but never stored or shown.
PEOPLE_FIELDS = frozenset(
    {"author", "tutors", "users", "customFields"}
    # Of API v2: IDs of people.
    | {"mainInstructorId", "instructorIds", "authorId", "coAuthorIds", "translations"}
)
# Their values mean the same in both versions of the API. All others may differ although nobody edited the session.
SAME_IN_BOTH_VERSIONS = frozenset(
    {"_id", "name", "startDate", "endDate", "hasUserLimit", "userLimit", "modifiedAt", "sessionCustom"}
)
# Characters. A longer value is stored as a fingerprint: watermarks are kept in the database.
MAX_VALUE_LENGTH = 500

_ABSENT = object()

# Stored and sent: the value of one field before and after a modification, as the document has it or as a fingerprint.
FieldChange = TypedDict("FieldChange", {"from": Any, "to": Any}, total=False)


class Fingerprint(TypedDict):
    """Stands for a value that names people or is long."""

    sha256: str
    items: NotRequired[int]  # of a list


class StoredWatermark(TypedDict):
    """A watermark as JSON: in a trigger's arguments, and in state stores."""

    session_id: str
    modified_at: str
    watched: dict[str, Any]
    watch: list[str]
    version: NotRequired[ApiVersion | None]  # absent where it is v1; earlier versions of the provider wrote none


@dataclass(frozen=True)
class Watermark:
    """
    The state of a session with which later states are compared.

    :param session_id: ID of the session.
    :param modified_at: Its `modifiedAt`.
    :param watched: Values of the watched fields, without those that the API did not send; default none.
    :param watch: Names of the watched fields; default all of the session.
    :param version: The version of the API that sent them; None if a document does not show it. Default `v1`.
    """

    session_id: str
    modified_at: datetime
    watched: Mapping[str, Any] = field(default_factory=dict)
    watch: tuple[str, ...] = ()
    version: ApiVersion | None = field(default=FIRST_VERSION, compare=False)

    def __post_init__(self) -> None:
        # It may come from an earlier version or from a foreign document, with a NaN that never equals itself.
        object.__setattr__(self, "watched", sanitize(self.watched))

    @classmethod
    def of(cls, session: ProgramSession, watch: Sequence[str] = ()) -> Watermark:
        """
        Take the watermark of a session.

        :param session: The session as it is now.
        :param watch: Names of the fields to watch; default all of the session.
        :returns: The watermark.
        :raises ContractError: The session has no `modifiedAt`.
        """
        watched, version = _watched(session, watch), session.coverage.version
        return cls(session.id, modified_at(session), watched, tuple(watch), version)

    def to_dict(self) -> StoredWatermark:
        """
        Return the watermark as JSON.

        :returns: What `from_dict` reads.
        """
        stored = StoredWatermark(
            session_id=self.session_id,
            modified_at=self.modified_at.isoformat(),
            watched=dict(self.watched),
            watch=list(self.watch),
        )
        if self.version != FIRST_VERSION:
            stored["version"] = self.version
        return stored

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Watermark:
        """
        Return the watermark that `to_dict` wrote.

        :param data: The watermark as JSON.
        :returns: The watermark.
        :raises KeyError: Something is missing; `TypeError` or `ValueError` if it has another type.
        """
        moment = datetime.fromisoformat(data["modified_at"])
        version = data.get("version", FIRST_VERSION)
        return cls(data["session_id"], moment, dict(data["watched"]), tuple(data["watch"]), version)

    def fits(self, session_id: str, watch: Sequence[str]) -> bool:
        """
        Whether this is the watermark of a session with these watched fields.

        :param session_id: ID of the session.
        :param watch: Names of the watched fields.
        """
        return self.session_id == session_id and self.watch == tuple(watch)

    def extends(self, other: Watermark) -> bool:
        """
        Whether this watermark is another one with values added to it, or carried over to another version of the API.

        :param other: The other watermark.
        """
        if not self.fits(other.session_id, other.watch):
            return False
        if None not in (self.version, other.version) and self.version != other.version:
            return self.modified_at <= other.modified_at
        return self.modified_at == other.modified_at and {**self.watched, **other.watched} == dict(self.watched)


@dataclass(frozen=True)
class Change:
    """
    A modification of a session.

    :param session_id: ID of the session.
    :param fields: `modifiedAt` and each watched field that differs, each with its value `from` and `to`.
    """

    session_id: str
    fields: Mapping[str, FieldChange]

    @property
    def is_untimed(self) -> bool:
        """Whether `modifiedAt` did not move."""
        times = self.fields["modifiedAt"]
        return bool(times["from"] == times["to"])

    def to_dict(self) -> dict[str, FieldChange]:
        """
        Return the change as JSON.

        :returns: The changed fields by name.
        """
        return {name: values.copy() for name, values in self.fields.items()}

    def __str__(self) -> str:
        return printable(
            ", ".join(
                f"{name}: {_format_value(values['from'])} -> {_format_value(values['to'])}"
                for name, values in self.fields.items()
            )
        )


def watermark_since(since: Any, session_id: str, watch: Sequence[str]) -> Watermark:
    """
    Read the argument `since` of a sensor.

    :param since: A time (datetime or ISO text), or an earlier document of the session (also as JSON text).
    :param session_id: ID of the session.
    :param watch: Names of the fields to watch.
    :returns: The watermark.
    :raises FixArgumentError: It is neither, or of another session, or lacks a field that is needed.
    """
    if isinstance(since, str) and since.lstrip().startswith("{"):
        since = _parse_document(since)
    if isinstance(since, Mapping):
        return _watermark_of_document(since, session_id, watch)
    moment = parse_datetime(since, "since")
    if watch:
        raise FixArgumentError(
            "since: a time does not contain the earlier values of the watched fields. Give an earlier document of the "
            "session (since=get_session.output), or leave out since: the wait then starts with the first poll."
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
            "since: the document has no modifiedAt. Give the document that the operator pushed, "
            "with modifiedAt and the watched fields among its `fields`."
        )
    return replace(Watermark.of(session, watch), version=_version_of(since))


def _version_of(document: Mapping[str, Any]) -> ApiVersion | None:
    """Return which version of the API sent a document; None if it has only fields that both versions have."""
    from airflow_provider_learning360.api.fields import FIELDS_V1_ONLY, PATH_FIELDS_V2, SESSION_FIELDS_V2

    if not document.keys().isdisjoint((*SESSION_FIELDS_V2, *PATH_FIELDS_V2)):
        return "v2"
    return None if document.keys().isdisjoint(FIELDS_V1_ONLY) else "v1"


def _parse_document(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise FixArgumentError(
            "since: the text is not a JSON document. Give the result of the operator itself "
            "(since=get_session.output), not a template that prints it."
        ) from None


def parse_datetime(value: Any, argument: str, *, warn: bool = True) -> datetime:
    """
    Read a time that a user gave; a time without a zone is UTC, with a warning in the log.

    :param value: A datetime, or ISO text.
    :param argument: Name of the argument, for the error.
    :param warn: Whether to log the warning; default True.
    :returns: The time, with its zone.
    :raises FixArgumentError: It is not a time.
    """
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value.strip())
    except (ValueError, AttributeError):
        raise FixArgumentError(
            f"{argument}: {redact(repr(value))} is not a time. Write it like 2026-03-01T08:00:00Z."
        ) from None
    if moment.tzinfo is None:
        if warn:
            log.warning("%s: %s has no time zone; UTC is assumed.", argument, moment.isoformat())
        return moment.replace(tzinfo=UTC)
    return moment


def find_change(session: ProgramSession, watermark: Watermark) -> Change | None:
    """
    Compare a session with its watermark.

    :param session: The session as it is now.
    :param watermark: The state to compare with.
    :returns: The modification, or None if there is none.
    :raises ContractError: The session has no `modifiedAt`.
    """
    from airflow_provider_learning360.api.models import format_date

    now = modified_at(session)
    if now < watermark.modified_at:
        return None
    is_later = now > watermark.modified_at
    watch = watermark.watch if is_later else _comparable(watermark, session)
    if not (is_later or watch):
        return None
    current = _watched(session, watch)
    untimed = session.coverage.untimed
    changed: dict[str, FieldChange] = {
        name: {"from": watermark.watched.get(name), "to": current.get(name)}
        for name in watch
        if _earlier(watermark, name, untimed) != current.get(name, _ABSENT)
    }
    if watermark.watch and not changed:
        return None
    times: FieldChange = {"from": format_date(watermark.modified_at), "to": format_date(now)}
    return Change(session.id, {"modifiedAt": times, **changed})


def carry_over(watermark: Watermark, session: ProgramSession) -> Watermark:
    """
    Carry a watermark over to the version of the API that sends the session now.

    Values that differ by nature are those of the session as it is now, because a mere switch is no change.

    :param watermark: The watermark.
    :param session: The session as it is now.
    :returns: The watermark for the present version; the same one if it is that already, or if no fields are watched.
    :raises ContractError: The session has no `modifiedAt`.
    """
    version = session.coverage.version
    if not watermark.watch or watermark.version in (version, None):
        return watermark
    present = Watermark.of(session, watermark.watch)
    # Where nothing is set, one version sends null and the other nothing.
    kept = {name: one for name, one in watermark.watched.items() if name in SAME_IN_BOTH_VERSIONS and one is not None}
    new = {name: one for name, one in present.watched.items() if name not in SAME_IN_BOTH_VERSIONS or one is None}
    # API v2 does not move it for all that API v1 does. If it stayed later, changes would not be seen.
    moment = min(present.modified_at, watermark.modified_at)
    return replace(present, modified_at=moment, watched={**new, **kept})


def add_unknown(watermark: Watermark, session: ProgramSession) -> Watermark:
    """
    Add the present values of fields that a watermark does not know, such as that of a document of a list.

    It needs them for fields whose changes do not move `modifiedAt`, and if the session was not modified since.

    :param watermark: The watermark.
    :param session: The session as it is now.
    :returns: The watermark with these values; the same one if it knows all.
    """
    untimed = session.coverage.untimed.intersection(watermark.watch)
    unknown = [name for name in watermark.watch if name in untimed and name not in watermark.watched]
    if not unknown or session.modified_at != watermark.modified_at:
        return watermark
    return replace(watermark, watched={**watermark.watched, **_watched(session, unknown)})


def _comparable(watermark: Watermark, session: ProgramSession) -> list[str]:
    """Return the watched fields that can differ although `modifiedAt` is the same."""
    return [name for name in watermark.watch if name in session.coverage.untimed and name in watermark.watched]


def _earlier(watermark: Watermark, name: str, untimed: Collection[str]) -> Any:
    return watermark.watched.get(name, None if name in untimed else _ABSENT)


def modified_at(session: ProgramSession) -> datetime:
    """
    Return when a session was last modified.

    :param session: The session.
    :returns: Its `modifiedAt`.
    :raises ContractError: The API did not send it.
    """
    if session.modified_at is None:
        raise ContractError(
            f"Program session {session.id} has no modifiedAt, so its changes cannot be detected. "
            "Older platforms do not send it; ask 360Learning's support."
        )
    return session.modified_at


def _watched(session: ProgramSession, watch: Sequence[str]) -> dict[str, Any]:
    # Of these fields, a watermark tells one that was not sent from one that is not known.
    document: dict[str, Any] = {name: None for name in watch if name in session.coverage.untimed}
    document |= session.document(fields=watch) if watch else {}
    return {name: _value_or_fingerprint(name, sanitize(value)) for name, value in document.items()}


def _value_or_fingerprint(name: str, value: Any) -> Any:
    """Return a value, or its fingerprint if it names people, contains a mail address, or is long."""
    text = json.dumps(value, sort_keys=True)
    if (name in PEOPLE_FIELDS and value is not None) or len(text) > MAX_VALUE_LENGTH or contains_mail_address(text):
        fingerprint: Fingerprint = {"sha256": hashlib.sha256(text.encode()).hexdigest()}
        if isinstance(value, list):
            fingerprint["items"] = len(value)
        return fingerprint
    return value


def _format_value(value: Any) -> str:
    if isinstance(value, dict) and "sha256" in value:
        items = f"{value['items']} entries, " if "items" in value else ""
        return f"({items}fingerprint {value['sha256'][:8]})"
    return redact(json.dumps(value, ensure_ascii=False))
