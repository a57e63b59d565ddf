"""What the mails of one reminder are made of: template, values, sender and recipient."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.reminders.mail import build_mail, parse_mailbox
from airflow_provider_learning360.reminders.mail_templates import build_values, render
from airflow_provider_learning360.reminders.recipients import build_recipient_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import tzinfo
    from email.message import EmailMessage

    from airflow_provider_learning360.api.models import ProgramSession, SessionStatistics
    from airflow_provider_learning360.reminders.recipients import Recipient
    from airflow_provider_learning360.reminders.reminder import DueReminder


@dataclass(frozen=True)
class MailComposer:
    """
    Composes the mails of one reminder.

    :param reminder: The reminder.
    :param session: The session as it is now.
    :param zone: Zone of the dates in the mails.
    :param statistics: The progress of the learners; None if the mails do not show it.
    :param sender: Who the mails are from.
    :param reply_to: Where replies go; None for the sender.
    :param templates: Folder with the author's templates; None for none.
    :param secret: Secret of this installation, for the keys of the recipients.
    """

    reminder: DueReminder
    session: ProgramSession
    zone: tzinfo
    statistics: SessionStatistics | None
    sender: str
    reply_to: str | None
    templates: str | None
    secret: str

    def compose(self, recipients: Iterable[Recipient]) -> Iterator[tuple[str, Callable[[], EmailMessage]]]:
        """
        Yield for each recipient the key, and a function that builds the mail.

        :param recipients: The recipients.
        """
        for one in recipients:
            key = build_recipient_key(one.mail, self.secret)
            yield key, partial(self.build, one, key)

    def build(self, recipient: Recipient, key: str) -> EmailMessage:
        """
        Return the mail to a recipient.

        :param recipient: The recipient.
        :param key: Key of the recipient.
        """
        values = {**self._values, "recipient": {"first_name": recipient.first_name}}
        template = find_template(self.reminder, recipient.role)
        text = render(template, self.session.lang, values, directory=self.templates)
        name = " ".join(filter(None, (recipient.first_name, recipient.last_name)))
        to = parse_mailbox(recipient.mail, name)
        mail_key = f"{self.reminder.key}:{key}"
        return build_mail(text, sender=self.sender, recipient=to, key=mail_key, reply_to=self.reply_to)

    @cached_property
    def _values(self) -> dict[str, Any]:
        # Once for all recipients: a digest counts all learners.
        change = find_changed_dates(self.reminder)
        return build_values(
            self.session,
            self.zone,
            rule=self.reminder.rule,
            change=change,
            statistics=self.statistics,
            due_date=self.reminder.due_date,
        )


def find_template(reminder: DueReminder, role: str) -> str:
    """
    Return the name of the template for a recipient: that of the rule, or the built-in one.

    :param reminder: The reminder.
    :param role: Role of the recipient: `learner`, `tutor` or `fixed`.
    """
    if reminder.template:
        return reminder.template
    if reminder.change is not None:
        return "date_changed"
    if reminder.message == "digest":
        return "tutors_digest"
    if reminder.anchor == "startDate":
        return "before_start"
    if role != "learner":
        return "tutors_digest"  # "you have not finished" would be wrong for a tutor
    return "before_end" if datetime.fromisoformat(reminder.anchor_at or "") > reminder.due else "overdue"


def find_changed_dates(reminder: DueReminder) -> dict[str, tuple[datetime | None, datetime | None]]:
    """
    Return the changed dates in a reminder: for `start` and `end`, the date before and after.

    :param reminder: The reminder.
    """
    change = reminder.change
    if change is None:
        return {}
    before, after = change["from"], change["to"]
    both = {
        "start": (_parse(before["startDate"]), _parse(after["startDate"])),
        "end": (_parse(before["endDate"]), _parse(after["endDate"])),
    }
    return {name: (old, new) for name, (old, new) in both.items() if old != new}


def _parse(date: str | None) -> datetime | None:
    return None if date is None else datetime.fromisoformat(date)
