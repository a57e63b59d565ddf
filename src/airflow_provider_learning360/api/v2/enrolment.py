"""Enrol and unenrol on API v2: the audience is read, merged, written as a whole, and read again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.enrolment import WRITE_INTERVAL, EnrolmentResult, build_diff
from airflow_provider_learning360.api.errors import NotFoundError, TryAgainError
from airflow_provider_learning360.api.messages import Call, Request
from airflow_provider_learning360.api.platform import Pause
from airflow_provider_learning360.api.v2 import calls
from airflow_provider_learning360.api.v2.audience import (
    EXCLUDED,
    GROUPS,
    USERS,
    Audience,
    read_audience,
    write_audience,
)
from airflow_provider_learning360.api.v2.directory import find_user_ids
from airflow_provider_learning360.api.v2.refusals import advising
from airflow_provider_learning360.api.v2.scopes import needing
from airflow_provider_learning360.api.v2.sessions import read_once

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_learning360.api.enrolment import EnrolmentChange
    from airflow_provider_learning360.api.models import ProgramSession
    from airflow_provider_learning360.api.platform import Plan
    from airflow_provider_learning360.api.v2.sessions import SessionReader

# Two writers may write at once, and the API cannot tell them apart: so what was lost is written a second time.
MAX_WRITES = 2


@dataclass(frozen=True)
class _Merge:
    """What is to be changed in an audience."""

    users: tuple[str, ...]
    groups: tuple[str, ...]
    enrols: bool
    excluded: frozenset[str] = frozenset()

    def apply(self, audience: Audience) -> Audience:
        """Return the audience with it; the same one if nothing is to be changed."""
        if self.enrols:
            changed = audience.change(USERS, added=self.users).change(EXCLUDED, removed=self.users)
            return changed.change(GROUPS, added=self.groups)
        changed = audience.change(USERS, removed=self.users).change(GROUPS, removed=self.groups)
        return changed.change(EXCLUDED, added=[one for one in self.users if one in self.excluded])


def change_enrolment(reader: SessionReader, session: ProgramSession, change: EnrolmentChange) -> Plan[EnrolmentResult]:
    """
    Plan to enrol or unenrol people and groups.

    :param reader: Finds the path of the session, and users.
    :param session: The session.
    :param change: What is wanted.
    :returns: The plan of what it changed.
    :raises FixArgumentError: A person is unknown, or the session has no audience; nothing was written.
    :raises TryAgainError: Somebody else replaced the audience at the same time.
    """
    path_id = yield from reader.find_path(session.id)
    path = calls.build_path("paths", path_id, "sessions", session.id)
    audience = yield from read_audience(f"{path}/audiences")
    users = yield from find_user_ids(
        reader, change.people, must_be_present=change.enrols, known=audience.ids(USERS) - audience.ids(EXCLUDED)
    )
    # Whoever is enrolled, and whether by themselves; needed only to unenrol.
    enrolled = {} if change.enrols or not users else (yield from _read_enrolled(reader, path_id, session.id))
    merge = _Merge(tuple(users), change.groups, change.enrols, _find_excluded(audience, change, enrolled))
    leavers = [one for one in users if enrolled.get(one)]
    wanted = merge.apply(audience)
    wanted.require_size()
    if not change.dry_run:
        yield from _end_self_enrolments(path, leavers)
        yield from _write(f"{path}/audiences", audience, merge)
    result = _build_result(session, change, audience, merge, leavers)
    if not change.dry_run and (people := result.diff["added"] + result.diff["removed"]):
        enrolled = yield from _read_enrolled(reader, path_id, session.id)
        result.notes += _describe_delay(change, audience, sum((one in enrolled) != change.enrols for one in people))
    return result


def _describe_delay(change: EnrolmentChange, audience: Audience, count: int) -> list[str]:
    if not count:
        return []
    state = "not enrolled yet" if change.enrols else "still enrolled"
    advice = "360Learning may need a moment; if this continues, check the audience in 360Learning"
    return [f"{count} of the people are {state}. {advice} (its mode is {audience.mode})."]


def _read_enrolled(reader: SessionReader, path_id: str, session_id: str) -> Plan[dict[str, bool]]:
    """Plan to read who is enrolled, by ID of the user: whether the learner enrolled without an audience."""
    path = calls.build_path("paths", path_id, "enrollments")
    query = calls.build_filter(sessionId={"eq": session_id}, status={"eq": "published"})
    listed = reader.read_list("a list of enrolments", path, _pick_enrolment, query)
    return dict((yield from needing("paths:read", listed, purpose="who is enrolled")))


def _pick_enrolment(item: Mapping[str, Any]) -> tuple[str, bool] | None:
    user_id = item.get("userId")
    return (user_id.lower(), item.get("isSelfEnrolled") is True) if calls.is_id(user_id) else None


def _find_excluded(audience: Audience, change: EnrolmentChange, enrolled: Mapping[str, bool]) -> frozenset[str]:
    """Return who must be excluded, because a group would enrol them again, or has enrolled them."""
    users = audience.ids(USERS)
    by_group = {one for one, is_self_enrolled in enrolled.items() if one not in users and not is_self_enrolled}
    # Nobody knows cheaply who is in a group as well.
    return frozenset(by_group | users if audience.ids(GROUPS).difference(change.groups) else by_group)


def _end_self_enrolments(path: str, leavers: list[str]) -> Plan[None]:
    for done, user_id in enumerate(leavers):
        if done:
            yield Pause(WRITE_INTERVAL)
        call = Call(Request("DELETE", f"{path}/self-enrollments/{user_id}"), lambda _: None)
        try:
            yield from advising(needing("paths:write", read_once(call), purpose="who is enrolled"))
        except NotFoundError as error:
            if error.code != "learnerNotEnrolled":
                raise


def _write(path: str, audience: Audience, merge: _Merge) -> Plan[None]:
    """Plan to write the audience until it has what is wanted; nothing if it has that already."""
    for _ in range(MAX_WRITES):
        wanted = merge.apply(audience)
        if wanted is audience:
            return
        wanted.require_size()
        yield from write_audience(path, wanted)
        audience = yield from read_audience(path)
    if merge.apply(audience) is not audience:
        raise TryAgainError(
            f"PUT {path} was accepted {MAX_WRITES} times, but the audience does not have all that was written. "
            "Somebody else seems to replace it at the same time. Run the task again when nobody else changes it."
        )


def _build_result(
    session: ProgramSession, change: EnrolmentChange, audience: Audience, merge: _Merge, leavers: list[str]
) -> EnrolmentResult:
    wanted, notes = merge.apply(audience), []
    changed = (audience.ids(USERS) ^ wanted.ids(USERS)) | (audience.ids(EXCLUDED) ^ wanted.ids(EXCLUDED)) | {*leavers}
    people = [one for one in merge.users if one in changed]
    groups = audience.ids(GROUPS) ^ wanted.ids(GROUPS)
    if count := len(wanted.ids(EXCLUDED) - audience.ids(EXCLUDED)):
        notes.append(
            f"{count} of the people are excluded from now on, so that no group enrols them again. "
            "EnrolLearnersOperator ends that."
        )
    diff = build_diff(session.id, change, people, [one for one in change.groups if one in groups], len(merge.users))
    return EnrolmentResult(diff, notes)
