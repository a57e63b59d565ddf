"""Change fields of a program session on API v1: one PATCH with the fields that differ."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from airflow_provider_learning360.api.confirmed_update import carry_out
from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.api.messages import Call, Request
from airflow_provider_learning360.api.people import require_found
from airflow_provider_learning360.api.session_update import format_time, merge_custom_fields, read_session
from airflow_provider_learning360.api.v1 import calls
from airflow_provider_learning360.api.v1.users import find_users

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_learning360.api.models import ProgramSession
    from airflow_provider_learning360.api.people import Person
    from airflow_provider_learning360.api.platform import Plan
    from airflow_provider_learning360.api.session_update import SessionUpdate, UpdateResult, Values

# Older routes of API v1 take no JSON.
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def update_session(session: ProgramSession, update: SessionUpdate) -> Plan[UpdateResult]:
    """
    Plan to change fields of a session.

    :param session: The session, with all its keys.
    :param update: The fields and their new values.
    :returns: The plan of what it changed.
    :raises FixArgumentError: A tutor is unknown, or API v1 cannot clear a field; nothing was written.
    """
    if update.values.get("endDate", ...) is None:
        raise FixArgumentError(
            "set.endDate: API v1 cannot clear the end of a program session. Write a date, or use API v2 "
            "(`api_version: v2` in the extra of the connection)."
        )
    current, wanted = _read(session), dict(update.values)
    if "tutors" in wanted:
        wanted["tutors"] = yield from _find_mails(wanted["tutors"], current["tutors"])
    write = partial(_write, session.id, current, wanted)
    return (yield from carry_out(session.id, update, current, wanted, write, partial(_read_again, session.id)))


def _read(session: ProgramSession) -> Values:
    fields = session.custom_fields or []
    pairs = [(one.get("_id") or one.get("customFieldId"), one.get("value")) for one in fields]
    return {
        **read_session(session),
        "tutors": _sort(session.tutors or []),
        "customFields": {key.lower(): None if value in (None, "") else str(value) for key, value in pairs if key},
    }


def _read_again(session_id: str) -> Plan[Values]:
    session = yield calls.get_program_session(session_id)
    return _read(session)


def _sort(mails: Sequence[str]) -> tuple[str, ...]:
    """Return mail addresses in a form that can be compared: API v1 gives tutors no order."""
    return tuple(sorted({one.lower() for one in mails}))


def _find_mails(tutors: Sequence[Person], present: Sequence[str]) -> Plan[tuple[str, ...]]:
    """Plan to find the mail addresses of tutors: API v1 names tutors by them."""
    outside = [one for one in tutors if one.lookup not in present]
    users = (yield from find_users(outside)) if outside else {}
    unknown = [one for one in outside if not users.get(one.lookup, {}).get("mail")]
    require_found(unknown, len(tutors), "unknown to the company of the connection", "set.tutors")
    return _sort([users.get(one.lookup, {"mail": one.key})["mail"] for one in tutors])


def _write(session_id: str, current: Values, wanted: Values, names: list[str]) -> Plan[None]:
    values = {name: wanted[name] for name in names}
    if "customFields" in values:
        values["customFields"] = merge_custom_fields(current["customFields"], values["customFields"])
    path = calls.build_session_path(session_id).rstrip("/")
    body = urlencode([pair for name, value in values.items() for pair in _encode(name, value)]).encode()
    # The same values again do no harm.
    yield Call(Request("PATCH", path, headers=_FORM, body=body, repeatable=True), lambda _: None)


def _encode(name: str, value: Any) -> list[tuple[str, str]]:
    """Return the pairs of a form for a field."""
    if name == "tutors":
        return [("tutors[]", one) for one in value]
    if name == "customFields":
        rows: Mapping[str, Any] = value
        return [
            pair
            for number, (key, one) in enumerate(rows.items())
            for pair in ((f"customFields[{number}][_id]", key), (f"customFields[{number}][value]", one or ""))
        ]
    if value is None:
        return [(name, "")]
    return [(name, format_time(value) if isinstance(value, datetime) else str(value))]
