"""Who gets a reminder, and which of them have no mail address."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.reminders.addresses import is_mailable, normalize_address

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

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
) -> Recipients:
    """
    Return who gets a reminder.

    :param rule: The rule of the reminder.
    :param session: The session as it is now.
    :param statistics: The progress of its learners; needed for `not_completed`.
    :param users: Its learners with their names; default those that the session lists.
    :param audience: The audience of the reminder, if it was escalated; default that of the rule.
    :raises FixArgumentError: The audience includes `not_completed`, and there are no statistics.
    """
    learners = [_build_learner(one) for one in (session.users or [] if users is None else users)]
    found: list[Recipient] = []
    for part in rule.audience if audience is None else audience:
        if part == "learners":
            found += learners
        elif part == "not_completed":
            found += _find_not_completed(session, statistics, learners)
        else:
            found += [Recipient(mail or "", role="tutor") for mail in session.tutors or []]
    found += [Recipient(mail, role="fixed") for mail in rule.to]
    everybody = list(_drop_duplicates(found))
    return Recipients(
        tuple(one for one in everybody if is_mailable(one.mail)),
        tuple(one for one in everybody if not is_mailable(one.mail)),
    )


def _build_learner(user: Learner) -> Recipient:
    return Recipient(user.get("mail") or "", user.get("firstName"), user.get("lastName"), user.get("_id"))


def _find_not_completed(
    session: ProgramSession, statistics: SessionStatistics | None, learners: Iterable[Recipient]
) -> Iterator[Recipient]:
    if statistics is None:
        raise FixArgumentError(
            f"The statistics of program session {session.id} are missing, so it is not known who has finished. "
            "Read them with get_program_session_stats first."
        )
    items = {normalize_address(item.get("mail") or ""): item for item in statistics.users_stats or []}
    done = items.keys() - {normalize_address(item.get("mail") or "") for item in statistics.not_completed()}
    # Statistics lack some learners and list some who have left. So: those enrolled, except who has finished.
    enrolled = ((one, normalize_address(one.mail)) for one in learners)
    return (_add_name(one, items.get(address)) for one, address in enrolled if address not in done)


def _add_name(learner: Recipient, item: LearnerStatistics | None) -> Recipient:
    """Return a learner, with the name from the statistics if it has none."""
    known = item or {}
    first, last = learner.first_name or known.get("firstName"), learner.last_name or known.get("lastName")
    return replace(learner, first_name=first, last_name=last)


def _drop_duplicates(people: Iterable[Recipient]) -> Iterator[Recipient]:
    seen: set[str] = set()
    for one in people:
        address = normalize_address(one.mail)
        # People without any address are different people.
        if not address or address not in seen:
            yield one
        seen.add(address)
