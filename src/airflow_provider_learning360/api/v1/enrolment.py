"""Enrol and unenrol on API v1: one request for each person and group that is not as wanted yet."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_provider_learning360.api.enrolment import WRITE_INTERVAL, EnrolmentResult, build_diff
from airflow_provider_learning360.api.errors import LearningError, NotFoundError
from airflow_provider_learning360.api.messages import Call, Request
from airflow_provider_learning360.api.people import require_found
from airflow_provider_learning360.api.platform import Pause
from airflow_provider_learning360.api.v1 import calls
from airflow_provider_learning360.api.v1.users import find_users, keys_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_learning360.api.enrolment import EnrolmentChange
    from airflow_provider_learning360.api.messages import Response
    from airflow_provider_learning360.api.models import Learner, ProgramSession
    from airflow_provider_learning360.api.platform import Plan

log = logging.getLogger(__name__)

# A DELETE with one of these has nothing left to do.
_GONE = frozenset({"user_not_found", "user_not_enrolled", "group_not_found"})
PROGRESS_STEP = 100  # writes after which the log says how many are done


def change_enrolment(session: ProgramSession, change: EnrolmentChange) -> Plan[EnrolmentResult]:
    """
    Plan to enrol or unenrol people and groups.

    :param session: The session.
    :param change: What is wanted.
    :returns: The plan of what it changed.
    :raises FixArgumentError: A person is unknown; nothing was written.
    """
    learners = (yield calls.get_program_session_users(session.id)) if change.people else []
    enrolled = _index(learners)
    users = yield from _resolve(change, enrolled)
    people = [one for one in users if (one in enrolled) != change.enrols]
    groups = _find_changing_groups(session, change)
    if not change.dry_run:
        yield from _write_all(session.id, change, groups, people)
    result = EnrolmentResult(build_diff(session.id, change, people, groups, len(users)))
    if people and not change.dry_run:
        result.notes += yield from _check(session.id, change, people)
    return result


def _index(learners: Iterable[Learner]) -> dict[str, str]:
    """Return the key by which to write each learner, by ID and by mail address in lower case."""
    return {key: keys[0] for one in learners if (keys := keys_of(one)) for key in keys}


def _resolve(change: EnrolmentChange, enrolled: dict[str, str]) -> Plan[list[str]]:
    """Plan to find the users, each once: by ID, or by mail address if API v1 sends no ID of a learner."""
    outside = [one for one in change.people if one.lookup not in enrolled]
    # To unenrol an ID that is not enrolled needs no look-up; a mail address may be misspelt.
    doubtful = [one for one in outside if change.enrols or not one.is_id]
    found = (yield from find_users(doubtful)) if doubtful else {}
    unknown = [one for one in doubtful if one.lookup not in found]
    require_found(unknown, len(change.people), "unknown to the company of the connection")
    users = {lookup: user["_id"].lower() for lookup, user in found.items()}
    return list(dict.fromkeys(enrolled.get(one.lookup) or users.get(one.lookup, one.lookup) for one in change.people))


def _find_changing_groups(session: ProgramSession, change: EnrolmentChange) -> list[str]:
    if session.groups is None:  # older sessions do not show them
        return list(change.groups)
    present = {one.lower() for one in session.groups}
    return [one for one in change.groups if (one in present) != change.enrols]


def _write_all(session_id: str, change: EnrolmentChange, groups: list[str], people: list[str]) -> Plan[None]:
    method = "PUT" if change.enrols else "DELETE"
    # Groups first: an unknown one fails before anybody is enrolled.
    targets = [("groups", one) for one in groups] + [("users", one) for one in people]
    for done, (kind, target) in enumerate(targets):
        if done:
            yield Pause(WRITE_INTERVAL)
        if done and done % PROGRESS_STEP == 0:
            log.info("%d of %d people and groups are written.", done, len(targets))
        try:
            yield from _write(Request(method, calls.build_session_path(session_id, kind, target)))
        except LearningError as error:
            if not done:
                raise
            note = f"Before that, {done} of {len(targets)} people and groups were written. A retry writes the others."
            raise error.with_note(note) from None


def _write(request: Request) -> Plan[None]:
    try:
        yield Call(request, _ignore)
    except NotFoundError as error:
        if request.method != "DELETE" or error.code not in _GONE:
            raise


def _ignore(response: Response) -> None:
    """Read nothing: a success has an empty body, or an empty object."""


def _check(session_id: str, change: EnrolmentChange, people: list[str]) -> Plan[list[str]]:
    """Plan to read the learners again; return what is to be said if not all are as wanted."""
    enrolled = _index((yield calls.get_program_session_users(session_id)))
    left = sum((one in enrolled) != change.enrols for one in people)
    if not left:
        return []
    if change.enrols:
        return [f"360Learning accepted all enrolments, but does not list {left} of the people as learners yet."]
    note = (
        f"{left} of the people are still learners: they are probably in a group of the session. "
        "Remove the group from the session, or the people from the group."
    )
    return [note]
