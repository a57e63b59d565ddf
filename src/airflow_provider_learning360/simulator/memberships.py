"""Who is in a session on API v1: people and groups come and go one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.simulator import responses

if TYPE_CHECKING:
    from airflow_provider_learning360.simulator.people import People
    from airflow_provider_learning360.simulator.responses import Response
    from airflow_provider_learning360.simulator.sample_data import Document
    from airflow_provider_learning360.simulator.sessions import Sessions


def enrol_user(sessions: Sessions, session_id: str, mail_or_id: str) -> Response:
    """Enrol a user; one who is enrolled stays so."""
    person = find_person(sessions.people, mail_or_id)
    if person is None:
        return responses.error_response(404, "user_not_found")
    users = _users(sessions, session_id)
    if all(user.get("_id") != person["_id"] for user in users):
        listed = {key: person[key] for key in ("_id", "mail") if key in person}
        sessions.edit(session_id, {"users": [*users, listed]})
    return responses.json_response({})


def unenrol_user(sessions: Sessions, session_id: str, mail_or_id: str) -> Response:
    """Unenrol a user. Which code one has who is not enrolled, is not documented for this route."""
    person = find_person(sessions.people, mail_or_id)
    if person is None:
        return responses.error_response(404, "user_not_found")
    users = _users(sessions, session_id)
    left = [user for user in users if user.get("_id") != person["_id"]]
    if len(left) == len(users):
        return responses.error_response(404, "user_not_enrolled")
    sessions.edit(session_id, {"users": left})
    return responses.Response(204)


def add_group(sessions: Sessions, session_id: str, group_id: str) -> Response:
    """Add a group; one that is there stays."""
    groups = sessions.document(session_id).get("groups") or []
    if group_id not in groups:
        sessions.edit(session_id, {"groups": [*groups, group_id]})
    return responses.json_response({})


def remove_group(sessions: Sessions, session_id: str, group_id: str) -> Response:
    """Remove a group."""
    groups = sessions.document(session_id).get("groups") or []
    if group_id not in groups:
        return responses.error_response(404, "group_not_found")
    sessions.edit(session_id, {"groups": [one for one in groups if one != group_id]})
    return responses.json_response({})


def make_user(person: Document) -> Document:
    """Return a user as v1 lists one."""
    return {key: person[key] for key in ("_id", "mail", "firstName", "lastName") if key in person}


def find_person(people: People, mail_or_id: str) -> Document | None:
    """Return the user with a mail or an ID; none who is deleted."""
    wanted = mail_or_id.lower()
    for person in people.all():
        if wanted in (person["_id"].lower(), str(person.get("mail", "")).lower()):
            return None if person.get("status") == "deleted" else person
    return None


def _users(sessions: Sessions, session_id: str) -> list[Any]:
    users = sessions.document(session_id).get("users")
    return [user for user in users if isinstance(user, dict)] if isinstance(users, list) else []
