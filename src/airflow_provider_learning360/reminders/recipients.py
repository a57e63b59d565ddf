"""Who gets a reminder, and who of them cannot be reached by mail."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.reminders.mail import UnmailableError, mailbox, same_address

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from airflow_provider_learning360.api.models import Learner, LearnerStatistics, ProgramSession, SessionStatistics
    from airflow_provider_learning360.reminders.policy import ReminderRule

Role = Literal["learner", "tutor", "fixed"]

# What separates addresses, quotes or comments in a mail header has no place in an address of ours; and "#" marks a
# login, which looks like an address and is none.
_ADDRESS = re.compile(r"[^\s@#,;:<>()\[\]\\\"]{1,64}@[^\s@#,;:<>()\[\]\\\"]+")
_LONGEST = 254


def is_mailable(address: str | None) -> bool:
    """
    Return whether a mail can be sent to an address.

    :param address: What 360Learning calls a mail; sometimes a login such as `first.last#company@example.com`.
    """
    text = address or ""
    if len(text) > _LONGEST or not text.isprintable() or _ADDRESS.fullmatch(text) is None:
        return False
    try:
        mailbox(text, "")
    except UnmailableError:
        return False
    return True


def recipient_key(mail: str, secret: str | bytes) -> str:
    """
    Return what stands for an address where no address may be: 32 hexadecimal characters.

    :param mail: The address; neither its case nor the spelling of its domain matters.
    :param secret: A secret of this installation: without it, addresses could be guessed back.
    :raises FixArgumentError: The secret is empty.
    """
    if not secret:
        raise FixArgumentError("secret: it is empty, so that anybody could guess addresses from their keys.")
    key = secret.encode() if isinstance(secret, str) else secret
    return hmac.new(key, same_address(mail).encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Recipient:
    """
    Somebody who is to get a reminder.

    :param mail: The address, or the login that is none; empty if 360Learning names neither.
    :param first_name: First name, where the API has it.
    :param last_name: Last name, where the API has it.
    :param user_id: ID of the user, where the API has it.
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
    All who are to get a reminder.

    :param mailable: Who can be reached by mail; no address twice, in whatever case and spelling of its domain.
    :param unmailable: Who cannot.
    """

    mailable: tuple[Recipient, ...] = ()
    unmailable: tuple[Recipient, ...] = ()


def recipients_of(
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
    :param statistics: How far its learners are; needed for `not_completed`.
    :param users: Its learners with their names; default those that the session names.
    :param audience: The audience of the reminder, where it was escalated; default that of the rule.
    :raises FixArgumentError: `not_completed` is asked for, and there are no statistics.
    """
    learners = [_learner(one) for one in (session.users or [] if users is None else users)]
    found: list[Recipient] = []
    for part in rule.audience if audience is None else audience:
        if part == "learners":
            found += learners
        elif part == "not_completed":
            found += _not_completed(session, statistics, learners)
        else:
            found += [Recipient(mail or "", role="tutor") for mail in session.tutors or []]
    found += [Recipient(mail, role="fixed") for mail in rule.to]
    everybody = list(_each_once(found))
    return Recipients(
        tuple(one for one in everybody if is_mailable(one.mail)),
        tuple(one for one in everybody if not is_mailable(one.mail)),
    )


def _learner(user: Learner) -> Recipient:
    return Recipient(user.get("mail") or "", user.get("firstName"), user.get("lastName"), user.get("_id"))


def _not_completed(
    session: ProgramSession, statistics: SessionStatistics | None, learners: Iterable[Recipient]
) -> Iterator[Recipient]:
    if statistics is None:
        raise FixArgumentError(
            f"Who has not finished program session {session.id} is not known: its statistics are missing. "
            "Read them with get_program_session_stats first."
        )
    items = {same_address(item.get("mail") or ""): item for item in statistics.users_stats or []}
    done = items.keys() - {same_address(item.get("mail") or "") for item in statistics.not_completed()}
    # Who is enrolled and not known to have finished: statistics are sparse, and name some who have left.
    enrolled = ((one, same_address(one.mail)) for one in learners)
    return (_joined(one, items.get(address)) for one, address in enrolled if address not in done)


def _joined(learner: Recipient, item: LearnerStatistics | None) -> Recipient:
    """Return a learner, with the name that only the statistics know."""
    known = item or {}
    first, last = learner.first_name or known.get("firstName"), learner.last_name or known.get("lastName")
    return replace(learner, first_name=first, last_name=last)


def _each_once(people: Iterable[Recipient]) -> Iterator[Recipient]:
    seen: set[str] = set()
    for one in people:
        address = same_address(one.mail)
        # Those of whom no address is known at all may be several.
        if not address or address not in seen:
            yield one
        seen.add(address)
