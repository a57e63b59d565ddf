"""The rows of a list of program sessions: what the page shows of each, in little memory."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from sys import getsizeof
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.errors import InvalidIdError
from airflow_provider_learning360.api.models import format_date, parse_date
from airflow_provider_learning360.api.session_ids import require_session_id
from airflow_provider_learning360.ui.text import readable_name, redacted_name

if TYPE_CHECKING:
    from airflow_provider_learning360.ui.responses import SessionItem

MAX_NAME_CHARACTERS = 300  # of the name of a session, and of its template

_DATES = ("startDate", "endDate", "modifiedAt")
_ID_BYTES = 12
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NO_DATE = -(2**63)
# Of a row beside its texts: its ID, its dates, and places in lists, which grow ahead.
_ROW_BYTES = 70
_TEMPLATE_BYTES = 120  # of the place of a template in a dictionary


@dataclass(frozen=True, slots=True)
class SessionRow:
    """
    A session in the list.

    :param id: ID of the session.
    :param name: Its name, on one line, without mail addresses.
    :param template: ID of its program template.
    :param start: `startDate`, UTC.
    :param end: `endDate`, UTC.
    :param modified: `modifiedAt`, UTC.
    """

    id: str
    name: str
    template: str | None
    start: str | None
    end: str | None
    modified: str | None

    @classmethod
    def from_entry(cls, entry: Any) -> SessionRow | None:
        """
        Return the row of an entry of the API's list; None if a field that is shown cannot be read.

        :param entry: The entry.
        """
        # The hook yields an ID without fields for an entry that it could not read.
        if not isinstance(entry, dict) or entry.keys() <= {"_id"}:
            return None
        name, template = entry.get("name"), entry.get("programTemplate")
        if not (isinstance(name, str | None) and isinstance(template, str | None)):
            return None
        try:
            return cls(
                _parse_id(entry.get("_id")),
                redacted_name(name or "", MAX_NAME_CHARACTERS),
                template if template is None else readable_name(template, MAX_NAME_CHARACTERS),
                *(_parse_date(entry.get(date)) for date in _DATES),
            )
        except (InvalidIdError, ValueError):
            return None

    def to_item(self) -> SessionItem:
        """Return the session as the page's routes send it."""
        return {
            "id": self.id,
            "name": self.name,
            "template": self.template,
            "start": self.start,
            "end": self.end,
            "modified": self.modified,
        }


class SessionRows:
    """Many rows; one is an object only while it is used. They may be read while another thread adds to them."""

    def __init__(self) -> None:
        # Bytes of memory that the rows occupy.
        self.size = 0
        self._ids = bytearray()
        self._names: list[str] = []
        self._templates: list[str | None] = []
        self._same_templates: dict[str, str] = {}  # many sessions have the same
        self._dates = array("q")  # microseconds since 1970
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> SessionRow:
        dates = self._dates[3 * index : 3 * index + 3]
        return SessionRow(
            self._ids[_ID_BYTES * index : _ID_BYTES * (index + 1)].hex(),
            self._names[index],
            self._templates[index],
            *map(_format_moment, dates),
        )

    def append(self, row: SessionRow) -> None:
        """
        Add a row.

        :param row: The row.
        """
        self._ids += bytes.fromhex(row.id)
        self._names.append(row.name)
        self._templates.append(row.template and self._share_template(row.template))
        self._dates.extend(map(_to_moment, (row.start, row.end, row.modified)))
        self.size += _ROW_BYTES + getsizeof(row.name)
        self._count += 1  # last: a reader takes no row that is not complete

    def _share_template(self, template: str) -> str:
        if template not in self._same_templates:
            self._same_templates[template] = template
            self.size += _TEMPLATE_BYTES + getsizeof(template)
        return self._same_templates[template]


def _parse_id(value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidIdError("The entry has no ID.")
    return require_session_id(value)


def _parse_date(value: Any) -> str | None:
    if value is None or value == "":
        return None
    moment = parse_date(value)
    if not isinstance(moment, datetime):
        raise ValueError("not a date")  # noqa: TRY004 - one kind of error for everything that is not a date
    return format_date(moment)


def _to_moment(date: str | None) -> int:
    return _NO_DATE if date is None else (datetime.fromisoformat(date) - _EPOCH) // _MICROSECOND


def _format_moment(moment: int) -> str | None:
    return None if moment == _NO_DATE else format_date(_EPOCH + moment * _MICROSECOND)
