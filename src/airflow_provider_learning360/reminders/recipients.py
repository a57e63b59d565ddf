"""Who gets a reminder, and which of them have no mail address."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.api.models import has_completed
from airflow_provider_learning360.api.progress import find_due_date, is_late
from airflow_provider_learning360.reminders.addresses import is_mailable, normalize_address

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from datetime import datetime

    from airflow_provider_learning360.api.models import Learner, LearnerStatistics, ProgramSession, SessionStatistics
    from airflow_provider_learning360.reminders.policy import ReminderRule

Role = Literal["learner", "tutor", "fixed"]


def build_recipient_key(mail: str, secret: str | bytes) -> str:
    """
    Return a keyed hash of an address, for logs and stores: 32 hexadecimal characters.

    :param mail: The address. Its case and the spelling of its domain do not matter.
    :param secret: A secret of this installation, so that nobody can find an address by hashing guesses.
    :raises FixArgumentError: The secret is empty.
    """
    if not secret:
        raise FixArgumentError("secret: it is empty. Without one, addresses can be guessed from their hashes.")
    key = secret.encode() if isinstance(secret, str) else secret
    return hmac.new(key, normalize_address(mail).encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Recipient:
    """
    A person or address that gets a reminder.

    :param mail: The address, or a login that is not an address; empty if 360Learning has neither.
    :param first_name: First name, if the API has it.
    :param last_name: Last name, if the API has it.
    :param user_id: ID of the user, if the API has it.
    :param role: `learner`, `tutor`, or `fixed` for an address of the policy.
    """

    mail: str
    first_name: str | None = None
    last_name: str | None = None
    user_id: str | None = None
    role: Role = "learner"


@dataclass(frozen=True, slots=True)
class Recipients:
    """
    All recipients of a reminder.

    :param mailable: Those with a mail address; no address twice, regardless of case and spelling of its domain.
    :param unmailable: Those without one.
    """

    mailable: tuple[Recipient, ...] = ()
    unmailable: tuple[Recipient, ...] = ()


def find_recipients(
    rule: ReminderRule,
    session: ProgramSession,
    statistics: SessionStatistics | None = None,
    users: Iterable[Learner] | None = None,
    *,
    audience: Collection[str] | None = None,
    now: datetime | None = None,
    due_date: datetime | None = None,
) -> Recipients:
    """
    Return who gets a reminder.

    :param rule: The rule of the reminder.
    :param session: The session as it is now.
    :param statistics: The progress of its learners; needed for `not_completed`, for `late`, and for a due date.
    :param users: Its learners with their names; default those that the session lists.
    :param audience: The audience of the reminder, if it was escalated; default that of the rule.
    :param now: The time, which decides who is late; needed for `late`.
    :param due_date: Of the learners, only those with this due date who have not completed; default all.
    :raises FixArgumentError: The audience needs statistics or the time, and there are none.
    """
    learners = [_build_learner(one) for one in (session.users or [] if users is None else users)]
    selection = _Selection(session, statistics, now, due_date)
    found: list[Recipient] = []
    for part in rule.audience if audience is None else audience:
        if part == "tutors":
            found += [Recipient(mail or "", role="tutor") for mail in session.tutors or []]
        else:
            found += selection.choose(part, learners)
    found += [Recipient(mail, role="fixed") for mail in rule.to]
    everybody = list(_drop_duplicates(found))
    return Recipients(
        tuple(one for one in everybody if is_mailable(one.mail)),
        tuple(one for one in everybody if not is_mailable(one.mail)),
    )


def _build_learner(user: Learner) -> Recipient:
    return Recipient(user.get("mail") or "", user.get("firstName"), user.get("lastName"), user.get("_id"))


class _Selection:
    """Which learners of a session are meant, by their progress."""

    def __init__(
        self,
        session: ProgramSession,
        statistics: SessionStatistics | None,
        now: datetime | None,
        due_date: datetime | None,
    ) -> None:
        self._session = session
        self._statistics = statistics
        self._now = now
        self._due_date = due_date

    def choose(self, part: str, learners: Iterable[Recipient]) -> Iterator[Recipient]:
        """Yield the learners that a part of an audience means, with the names from the statistics."""
        if part == "learners" and self._due_date is None:
            yield from learners
            return
        for one in learners:
            items = self._progress.find(one)
            left = [item for item in items if not (item.get("deleted") or has_completed(item))]
            # Statistics lack some learners and list some who have left. So: those enrolled, except who has finished.
            if (left or not items) and self._is_meant(part, left or [{}]):
                yield _add_name(one, left[0] if left else {})

    def _is_meant(self, part: str, items: list[LearnerStatistics]) -> bool:
        if self._due_date is not None and self._due_date not in map(find_due_date, items):
            return False
        return part != "late" or any(self._is_late(item) for item in items)

    def _is_late(self, item: LearnerStatistics) -> bool:
        if self._now is None:
            raise FixArgumentError("now: it is missing. Without the time, it is not known who is late.")
        return is_late(item, self._now, self._session.end_date)

    @cached_property
    def _progress(self) -> _Progress:
        if self._statistics is None:
            raise FixArgumentError(
                f"The statistics of program session {self._session.id} are missing, so it is not known who has "
                "finished. Read them with get_program_session_stats first."
            )
        return _Progress(self._statistics)


class _Progress:
    """The statistics of learners, found by user ID where both sides have one, and by mail otherwise."""

    def __init__(self, statistics: SessionStatistics) -> None:
        self._by_id: dict[str, list[LearnerStatistics]] = {}
        self._by_mail: dict[str, list[LearnerStatistics]] = {}
        for item in statistics.users_stats or []:
            if user_id := item.get("userId"):
                self._by_id.setdefault(user_id, []).append(item)
            if mail := item.get("mail"):
                self._by_mail.setdefault(normalize_address(mail), []).append(item)

    def find(self, learner: Recipient) -> list[LearnerStatistics]:
        """Return the statistics of a learner; none if they lack the learner."""
        same_mail = self._by_mail.get(normalize_address(learner.mail), [])
        if not learner.user_id:
            return same_mail
        return self._by_id.get(learner.user_id, []) + [item for item in same_mail if not item.get("userId")]


def _add_name(learner: Recipient, known: LearnerStatistics) -> Recipient:
    """Return a learner, with the name from the statistics if it has none."""
    first, last = learner.first_name or known.get("firstName"), learner.last_name or known.get("lastName")
    return replace(learner, first_name=first, last_name=last)


def _drop_duplicates(people: Iterable[Recipient]) -> Iterator[Recipient]:
    seen: set[str] = set()
    for one in people:
        # People without any address are different people, unless their ID is the same.
        key = normalize_address(one.mail) or one.user_id
        if not key or key not in seen:
            yield one
            seen.add(key or "")
