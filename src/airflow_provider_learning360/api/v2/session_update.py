"""Change fields of a session on API v2: one PATCH with the fields that differ, and one PUT of all custom fields."""

from __future__ import annotations

import json
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.confirmed_update import carry_out
from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.api.messages import Call, Request
from airflow_provider_learning360.api.platform import SESSION_KEYS_ONLY
from airflow_provider_learning360.api.session_update import format_time, merge_custom_fields, read_session
from airflow_provider_learning360.api.v2 import calls
from airflow_provider_learning360.api.v2.directory import find_user_ids
from airflow_provider_learning360.api.v2.refusals import advising
from airflow_provider_learning360.api.v2.scopes import needing
from airflow_provider_learning360.api.v2.sessions import read_once

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_learning360.api.models import ProgramSession
    from airflow_provider_learning360.api.platform import Plan
    from airflow_provider_learning360.api.session_update import SessionUpdate, UpdateResult, Values
    from airflow_provider_learning360.api.v2.sessions import SessionReader

_PURPOSE = "changes of sessions"


def update_session(reader: SessionReader, session: ProgramSession, update: SessionUpdate) -> Plan[UpdateResult]:
    """
    Plan to change fields of a session.

    :param reader: Reads sessions and users.
    :param session: The session.
    :param update: The fields and their new values.
    :returns: The plan of what it changed.
    :raises FixArgumentError: A tutor is unknown, or the session does not allow it.
    """
    return (yield from _Update(reader, session, update, (yield from reader.find_path(session.id))).run())


class _Update:
    """
    One update.

    :param reader: Reads sessions and users.
    :param session: The session.
    :param update: The fields and their new values.
    :param path_id: ID of its path.
    """

    def __init__(self, reader: SessionReader, session: ProgramSession, update: SessionUpdate, path_id: str) -> None:
        self._reader = reader
        self._session = session
        self._update = update
        self._path = calls.build_path("paths", path_id, "sessions", session.id)
        self._types: dict[str, str] = {}  # of custom fields, by ID

    def run(self) -> Plan[UpdateResult]:
        """Plan the update."""
        current, wanted = (yield from self._read(self._session)), dict(self._update.values)
        if "tutors" in wanted:
            ids = yield from find_user_ids(self._reader, wanted["tutors"], argument="set.tutors")
            wanted["tutors"] = (ids[0], *sorted(ids[1:]))
        if "customFields" in wanted:
            yield from self._require_types(wanted["customFields"])
        write = partial(self._write, current, wanted)
        return (yield from carry_out(self._session.id, self._update, current, wanted, write, self._read_again))

    def _read(self, session: ProgramSession) -> Plan[Values]:
        values = {**read_session(session), "tutors": _read_tutors(session)}
        if "customFields" in self._update.values:
            values["customFields"] = yield from self._read_custom_fields()
        return values

    def _read_again(self) -> Plan[Values]:
        session = yield from self._reader.read(self._session.id, SESSION_KEYS_ONLY)
        return (yield from self._read(session))

    def _read_custom_fields(self) -> Plan[dict[str, str]]:
        listed = self._reader.read_list("values of custom fields", self._values_path, _pick_value)
        rows: list[tuple[str, str, str]] = yield from needing("paths:read", listed, purpose=_PURPOSE)
        self._types |= {key: kind for key, kind, _ in rows}
        return {key: value for key, _, value in rows}

    @property
    def _values_path(self) -> str:
        return f"{self._path}/custom-fields/values"

    def _require_types(self, wanted: Mapping[str, str | None]) -> Plan[None]:
        """Plan to find the types of fields that have no value yet: they are written with the value."""
        if not {key for key, value in wanted.items() if value is not None} - self._types.keys():
            return
        listed = self._reader.read_list("a list of custom fields", calls.CUSTOM_FIELDS, _pick_type)
        self._types |= dict((yield from needing("customFields:read", listed, purpose="types of custom fields")))
        if unknown := [key for key, value in wanted.items() if value is not None and key not in self._types]:
            raise FixArgumentError(
                f"set.customFields: {', '.join(unknown)} {'is' if len(unknown) == 1 else 'are'} not among the custom "
                "fields of the company. Nothing was written. Operation list-custom-fields lists their IDs."
            )

    def _write(self, current: Values, wanted: Values, names: list[str]) -> Plan[None]:
        merged = merge_custom_fields(current["customFields"], wanted["customFields"]) if "customFields" in names else {}
        if body := _build_body({name: wanted[name] for name in names if name != "customFields"}):
            yield from self._send("PATCH", self._path, body)
        if "customFields" in names:
            items = [
                {"customFieldId": key, "type": self._types[key], "value": value}
                for key, value in merged.items()
                if value is not None
            ]
            yield from self._send("PUT", self._values_path, {"customValues": items})

    def _send(self, method: str, path: str, body: Mapping[str, Any]) -> Plan[None]:
        headers = {"Content-Type": "application/json"}
        # The same values again do no harm.
        request = Request(method, path, headers=headers, body=json.dumps(body).encode(), repeatable=True)
        yield from advising(needing("paths:write", read_once(Call(request, lambda _: None)), purpose=_PURPOSE))


def _read_tutors(session: ProgramSession) -> tuple[str, ...]:
    """Return the IDs of the instructors in lower case: the main one, then the others, which have no order."""
    own = session.model_extra or {}
    main, others = own.get("mainInstructorId"), own.get("instructorIds")
    ids = [one.lower() for one in (others if isinstance(others, list) else []) if calls.is_id(one)]
    return (main.lower() if calls.is_id(main) else "", *sorted(ids))


def _build_body(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of the PATCH: the names of API v2, and null for what is cleared."""
    body: dict[str, Any] = {}
    for name, value in values.items():
        if name == "tutors":
            body |= {"mainInstructorId": value[0], "instructorIds": list(value[1:])}
        elif name == "sessionCustom":
            body["additionalInformation"] = value or None
        else:
            body[name] = format_time(value) if isinstance(value, datetime) else value
    return body


def _pick_value(item: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """Return field, type and value; no value of a session may be lost, so one that cannot be read is an error."""
    field_id, kind, value = item.get("customFieldId"), item.get("type"), item.get("value")
    if not calls.is_id(field_id) or not isinstance(kind, str) or not isinstance(value, str):
        raise ValueError("a value of a custom field cannot be read, and writing the others would lose it")
    return field_id.lower(), kind, value


def _pick_type(item: Mapping[str, Any]) -> tuple[str, str] | None:
    field_id, kind = item.get("_id"), item.get("type")
    return (field_id.lower(), kind) if calls.is_id(field_id) and isinstance(kind, str) else None
