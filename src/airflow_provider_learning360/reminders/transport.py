"""The way to a mail server: Airflow's SMTP provider opens the connection, and mails go through it one by one."""

from __future__ import annotations

import smtplib
import ssl
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException

from airflow_provider_learning360.api.errors import (
    FixArgumentError,
    FixConnectionError,
    LearningError,
    SettingsError,
    TimedOutError,
    TryAgainError,
    UnreachableError,
)
from airflow_provider_learning360.reminders.delivery import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from email.message import EmailMessage

CLOSING = 421  # the server's reply before it closes the connection, whatever it was asked


class SmtpTransport:
    """
    The mail server of an Airflow connection.

    :param smtp_conn_id: ID of a connection of type `smtp`; default `smtp_default`.

    Source: `SmtpHook` of Airflow's SMTP provider.
    """

    def __init__(self, smtp_conn_id: str = "smtp_default") -> None:
        self.smtp_conn_id = smtp_conn_id

    @contextmanager
    def connect(self) -> Iterator[SmtpLine]:
        """
        Open a connection and log in, for as long as a block takes.

        :raises FixArgumentError: The SMTP provider is not installed.
        :raises FixConnectionError: The connection is missing or wrong, or the login was refused.
        :raises TryAgainError: The server is away.
        """
        hook = self._hook()
        try:
            yield SmtpLine(self._opened(hook), self.smtp_conn_id)
            # Politely, as some servers hold it against a client otherwise. All mails are accepted by now.
            with suppress(smtplib.SMTPException, OSError):
                hook._smtp_client.quit()
        finally:
            # The hook itself would leave a connection open whose login was refused.
            if hook._smtp_client is not None:
                hook._smtp_client.close()

    def _hook(self) -> Any:
        try:
            from airflow.providers.smtp.hooks.smtp import SmtpHook
        except ImportError:
            pass
        else:
            return SmtpHook(smtp_conn_id=self.smtp_conn_id)
        raise FixArgumentError(
            "Mails need Airflow's SMTP provider: install apache-airflow-providers-smtp 3.0 or later."
        )

    def _opened(self, hook: Any) -> smtplib.SMTP:
        try:
            client = hook.get_conn()._smtp_client
        except AirflowException as problem:
            error = self._not_opened(hook, isinstance(problem.__context__, smtplib.SMTPServerDisconnected))
        except (smtplib.SMTPException, OSError) as problem:
            error = trouble(problem, self.smtp_conn_id)
        else:
            if isinstance(client, smtplib.SMTP):
                return client
            error = self._not_opened(hook, closed=False)
        raise error

    def _not_opened(self, hook: Any, closed: bool) -> LearningError:
        """Return what the hook's own errors mean; they have no types of theirs."""
        if hook.smtp_connection is None:
            return SettingsError(f"There is no Airflow connection {self.smtp_conn_id!r}. Add one of type smtp.")
        if closed:
            return UnreachableError(f"The mail server of connection {self.smtp_conn_id!r} closes every connection.")
        return SettingsError(
            f"The connection {self.smtp_conn_id!r} is not complete. Check its extras and OAuth2 settings."
        )


class SmtpLine:
    """
    An open connection, through which mails go one by one.

    :param client: The client, logged in.
    :param smtp_conn_id: ID of its Airflow connection, for errors.
    """

    def __init__(self, client: smtplib.SMTP, smtp_conn_id: str) -> None:
        self._client = client
        self._conn_id = smtp_conn_id
        self._content = b""

    def offer(self, mail: EmailMessage, content: bytes) -> None:
        """
        Name sender and recipient of a mail; nothing of it is sent yet.

        :param mail: The mail.
        :param content: The same as it is sent.
        :raises RefusedError: The server does not take mail to this recipient.
        :raises FixConnectionError: The server does not take mail from this sender.
        :raises TryAgainError: The connection broke, or the server is in trouble.
        """
        self._content = content
        self._tried(lambda: self._offer(mail))

    def hand_over(self) -> None:
        """
        Send the mail that was offered; when this returns, the server has accepted it.

        :raises RefusedError: The server does not take this mail.
        :raises TryAgainError: The connection broke; whether the server has accepted the mail is not known.
        """
        self._tried(self._hand_over)

    def _tried(self, step: Callable[[], None]) -> None:
        try:
            return step()
        except (smtplib.SMTPException, OSError) as problem:
            error = trouble(problem, self._conn_id)
        # Outside of the handler: what smtplib raises may hold addresses.
        raise error

    def _offer(self, mail: EmailMessage) -> None:
        self._client.ehlo_or_helo_if_needed()
        options = [f"size={len(self._content)}"] if self._client.has_extn("size") else []
        code, _ = self._client.mail(mail["From"].addresses[0].addr_spec, options)
        if code != 250:
            raise smtplib.SMTPSenderRefused(code, b"", "")
        code, _ = self._client.rcpt(mail["To"].addresses[0].addr_spec)
        if code not in (250, 251):
            self._refuse(code)

    def _hand_over(self) -> None:
        try:
            code, _ = self._client.data(self._content)
        except smtplib.SMTPDataError as error:
            code = error.smtp_code
        if code != 250:
            self._refuse(code)

    def _refuse(self, code: int) -> None:
        if code < 400:
            raise smtplib.SMTPServerDisconnected("no reply that SMTP knows")
        if code == CLOSING:
            self._client.close()
        else:
            self._client.rset()  # the server forgets this mail, and takes the next
        raise RefusedError(code)


def trouble(problem: smtplib.SMTPException | OSError, conn_id: str) -> LearningError:
    """
    Return what to do about a failure; without what the server said, which may repeat addresses.

    :param problem: What `smtplib` raised.
    :param conn_id: ID of the Airflow connection.
    """
    where = f"the mail server of connection {conn_id!r}"
    if isinstance(problem, ssl.SSLError):
        return FixConnectionError(
            f"No encrypted connection to {where} ({problem.reason or type(problem).__name__}). "
            "Check port, certificate and the extras disable_ssl and disable_tls."
        )
    if isinstance(problem, smtplib.SMTPNotSupportedError):
        return FixConnectionError(f"Login or STARTTLS is more than {where} offers. Check the extras and the login.")
    if isinstance(problem, smtplib.SMTPResponseException):
        return _by_code(problem, where)
    if isinstance(problem, TimeoutError) or isinstance(problem.__context__, TimeoutError):
        return TimedOutError(f"No answer in time from {where}.")
    return UnreachableError(f"No connection to {where}, or it broke off ({type(problem).__name__}).")


def _by_code(problem: smtplib.SMTPResponseException, where: str) -> LearningError:
    """Return what a reply code means: 4xx passes, 5xx stays."""
    what, fix = "refused", "Check host and port"
    if isinstance(problem, smtplib.SMTPAuthenticationError):
        what, fix = "refused the login", "Check login and password"
    elif isinstance(problem, smtplib.SMTPSenderRefused):
        what, fix = "refused the sender", "Check that this login may send as this sender"
    code = problem.smtp_code
    if code >= 500:
        return FixConnectionError(f"It {what} ({code}): {where}. {fix}.")
    return TryAgainError(f"It {what} for now ({code}): {where}.")
