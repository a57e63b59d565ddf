"""The step that sends a mail, through the mail server of an Airflow connection."""

from __future__ import annotations

import logging
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict
from zoneinfo import ZoneInfo

from airflow.providers.common.compat.sdk import AirflowSkipException, conf

from airflow_provider_learning360.api.errors import FixArgumentError, FixConnectionError, TryAgainError
from airflow_provider_learning360.dag_yaml.action import ActionOperator
from airflow_provider_learning360.memory.task_store import find_task_store
from airflow_provider_learning360.reminders.addresses import is_mailable, normalize_address
from airflow_provider_learning360.reminders.delivery import DeliveryResult, deliver
from airflow_provider_learning360.reminders.ledger import TaskDeliveryLedger
from airflow_provider_learning360.reminders.mail import build_mail
from airflow_provider_learning360.reminders.mail_templates import MailText
from airflow_provider_learning360.reminders.recipients import build_recipient_key
from airflow_provider_learning360.reminders.transport import SmtpTransport
from airflow_provider_learning360.step_outputs import find_part, flatten, format_value, is_missing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.providers.common.compat.sdk import Context

log = logging.getLogger(__name__)

MAX_RECIPIENTS = 20_000
MAX_ROWS = 5_000  # of the table in a mail


class MailCounts(TypedDict):
    """What a mail step pushes to XCom: how many mails were sent, had been sent before, were refused, had no address."""

    sent: int
    already: int
    refused: int
    unmailable: int


class MailOperator(ActionOperator):
    """
    Send a mail to each of some addresses: plain text and HTML, with a table if there is one.

    A retry mails only those who have no mail yet. A crash repeats at most one mail for each connection.

    :param to: The addresses: a list, or a text that refers to one.
    :param subject: The subject.
    :param text: The text.
    :param table: A list of objects, shown as a table below the text; default none.
    :param columns: The fields that the table shows, each with its title; default all.
    :param empty: What to do if the table has no rows: `send` (default) or `skip`.
    :param sender: Who the mail is from; default the `from_email` of the connection.
    :param smtp_conn_id: ID of the Airflow connection to the mail server; default `smtp_default`.

    Source: `SmtpHook` of Airflow's SMTP provider.
    """

    texts: ClassVar[tuple[str, ...]] = ("to", "subject", "text", "table")

    def __init__(
        self,
        *,
        to: list[str] | str,
        subject: str,
        text: str,
        table: Any = None,
        columns: Mapping[str, str] | None = None,
        empty: str = "send",
        sender: str | None = None,
        smtp_conn_id: str = "smtp_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.to = to
        self.subject = subject
        self.text = text
        self.table = table
        self.columns = columns
        self.empty = empty
        self.sender = sender
        self.smtp_conn_id = smtp_conn_id

    def act(self, context: Context, texts: dict[str, Any]) -> MailCounts:
        """
        Send the mails.

        :param context: Airflow's task context.
        :param texts: The rendered arguments.
        """
        rows = flatten(texts["table"])
        if self.table is not None and not rows and self.empty == "skip":
            raise AirflowSkipException("Nothing is sent: the table has no rows (empty is 'skip').")
        addresses, unmailable = find_addresses(texts["to"])
        if not addresses:
            raise AirflowSkipException("Nothing is sent: nobody with a mail address is left.")
        for name in self.columns or ():
            if rows and is_missing([find_part(one, name) for one in rows]):
                log.warning("Column %s is empty: no row of the table has this field.", name)
        text = build_text(str(texts["subject"]), str(texts["text"]), rows, self.columns, ZoneInfo(self.time_zone))
        result = self._deliver(context, addresses, text)
        return self._summarize(result, unmailable + result.unmailable)

    def _deliver(self, context: Context, addresses: list[str], text: MailText) -> DeliveryResult:
        sender = self.sender or self._read_sender()
        run = f"{self.dag_id}:{self.task_id}:{context['run_id']}:{getattr(context['ti'], 'map_index', -1)}"
        mails = [
            (key, partial(build_mail, text, sender=sender, recipient=one, key=f"{run}:{key}"))
            for one in addresses
            for key in [build_recipient_key(one, conf.get("core", "fernet_key", fallback="") or run)]
        ]
        ledger = TaskDeliveryLedger(find_task_store(context))
        transport = SmtpTransport(self.smtp_conn_id)
        return deliver(self.task_id, mails, ledger=ledger, transport=transport, delivery="at_least_once")

    def _read_sender(self) -> str:
        sender = self.find_connection(self.smtp_conn_id, "smtp").extra_dejson.get("from_email")
        if not sender:
            raise FixArgumentError(
                f"sender: it is not given, and connection {self.smtp_conn_id!r} has no from_email. Set one of them."
            )
        return str(sender)

    def _summarize(self, result: DeliveryResult, unmailable: int) -> MailCounts:
        refused = len(result.refused)
        self.log.info(
            "Mails: %d sent now, %d sent before, %d refused, %d without a mail address.",
            *(result.sent, result.already, refused, unmailable),
        )
        if result.failed:
            raise TryAgainError(
                f"The mail server refused {_count_mails(len(result.failed))} for now; a retry sends what is left."
            )
        if refused and not (result.sent or result.already):
            raise FixConnectionError(
                f"The mail server refused {_count_mails(refused)} and took none. Check which senders and "
                f"recipients it allows the login of connection {self.smtp_conn_id!r}."
            )
        return {"sent": result.sent, "already": result.already, "refused": refused, "unmailable": unmailable}


def _count_mails(number: int) -> str:
    return f"{number:,} {'mail' if number == 1 else 'mails'}"


def find_addresses(to: Any) -> tuple[list[str], int]:
    """
    Return the mail addresses in a value, each once, and how many texts and objects have none.

    :param to: Addresses, or objects with a `mail`, in lists or separated by commas.
    """
    mails = [one.get("mail") if isinstance(one, dict) else one for one in flatten(to)]
    parts = [part.strip() for mail in mails for part in (mail.split(",") if isinstance(mail, str) else [""])]
    found: dict[str, str] = {}
    for one in filter(is_mailable, parts):
        found.setdefault(normalize_address(one), one)
    if len(found) > MAX_RECIPIENTS:
        raise FixArgumentError(f"to: there are {len(found):,} addresses; a mail goes to {MAX_RECIPIENTS:,} at most.")
    return list(found.values()), sum(not is_mailable(one) for one in parts)


def build_text(subject: str, text: str, rows: list[Any], columns: Mapping[str, str] | None, zone: ZoneInfo) -> MailText:
    """
    Return what a mail says.

    :param subject: The subject.
    :param text: The text.
    :param rows: The rows of its table; empty for none.
    :param columns: The fields that the table shows, each with its title; None for all.
    :param zone: Time zone in which times are written.
    """
    html = f"<p>{escape(text.strip()).replace(chr(10), '<br>')}</p>"
    if not rows:
        return MailText(subject, text.strip() + "\n", html)
    shown = columns or {name: name for row in rows if isinstance(row, dict) for name in row}
    kept = [[format_value(find_part(row, name), zone) for name in shown] for row in rows[:MAX_ROWS]]
    lines = [" | ".join(cells) for cells in ([*shown.values()], *kept)]
    more = f"... and {len(rows) - MAX_ROWS:,} more" if len(rows) > MAX_ROWS else ""
    return MailText(
        subject,
        "\n".join(filter(None, [text.strip(), "", *lines, more])) + "\n",
        html + _build_table([*shown.values()], kept) + (f"<p>{more}</p>" if more else ""),
    )


def _build_table(titles: list[str], rows: list[list[str]]) -> str:
    head = "".join(f'<th align="left">{escape(one)}</th>' for one in titles)
    body = "".join("<tr>" + "".join(f"<td>{escape(one)}</td>" for one in row) + "</tr>" for row in rows)
    return f'<table cellpadding="6"><tr>{head}</tr>{body}</table>'
