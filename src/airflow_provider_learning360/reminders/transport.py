"""The mail server: Airflow's SMTP provider opens connections, and mails are sent over each one by one."""

from __future__ import annotations

import smtplib
import ssl
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow.providers.common.compat.sdk import AirflowException, AirflowNotFoundException, BaseHook

from airflow_provider_learning360.api.errors import (
    FixArgumentError,
    FixConnectionError,
    LearningError,
    SettingsError,
    TimedOutError,
    TryAgainError,
    UnreachableError,
)
from airflow_provider_learning360.reminders import INSTALL_COMMAND
from airflow_provider_learning360.reminders.mail_server import MailRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from email.message import EmailMessage

CLOSING = 421  # the reply of a server that closes the connection; it may follow any command


class ConnectionSettings(NamedTuple):
    """
    An Airflow connection as plain values, which any thread may read.

    Airflow's own object tells the supervisor which values are secret each time its extras are read. Below Airflow 3.2,
    only the main thread may talk to the supervisor.
    """

    host: str | None
    port: int | None
    login: str | None
    password: str | None
    extra_dejson: dict[str, Any]
    schema: str | None


class SmtpTransport:
    """
    The mail server of an Airflow connection.

    :param smtp_conn_id: ID of a connection of type `smtp`; default `smtp_default`.

    Source: `SmtpHook` of Airflow's SMTP provider.
    """

    def __init__(self, smtp_conn_id: str = "smtp_default") -> None:
        self.smtp_conn_id = smtp_conn_id
        self._settings: ConnectionSettings | None = None

    def prepare(self) -> None:
        """
        Read the Airflow connection. The main thread calls this, before any other thread connects.

        :raises FixArgumentError: The SMTP provider is not installed.
        :raises FixConnectionError: The Airflow connection is missing.
        """
        self._build_hook()
        try:
            found = BaseHook.get_connection(self.smtp_conn_id)
        except AirflowNotFoundException:
            found = None
        if found is None:
            raise SettingsError(f"Airflow connection {self.smtp_conn_id!r} does not exist. Add one of type smtp.")
        self._settings = ConnectionSettings(
            found.host, found.port, found.login, found.password, dict(found.extra_dejson), found.schema
        )

    @contextmanager
    def connect(self) -> Iterator[SmtpConnection]:
        """
        Open a connection and log in, for the duration of a block.

        :raises FixConnectionError: The Airflow connection is not valid, or the login was refused.
        :raises TryAgainError: The server is unavailable.
        """
        if self._settings is None:
            self.prepare()
        hook = self._build_hook()
        hook.get_connection = lambda _: self._settings
        try:
            yield SmtpConnection(self._open(hook), self.smtp_conn_id)
            # Some servers penalize clients that do not quit. All mails are accepted already, so errors do not matter.
            with suppress(smtplib.SMTPException, OSError):
                hook._smtp_client.quit()
        finally:
            # The hook does not close a connection whose login was refused.
            if hook._smtp_client is not None:
                hook._smtp_client.close()

    def _build_hook(self) -> Any:
        try:
            from airflow.providers.smtp.hooks.smtp import SmtpHook
        except ImportError:
            pass
        else:
            return SmtpHook(smtp_conn_id=self.smtp_conn_id)
        raise FixArgumentError(
            "Airflow's SMTP provider (apache-airflow-providers-smtp 3.0 or later) is not installed. Reminders need it. "
            f"Run: {INSTALL_COMMAND}"
        )

    def _open(self, hook: Any) -> smtplib.SMTP:
        try:
            client = hook.get_conn()._smtp_client
        except AirflowException as problem:
            error = self._explain_not_opened(isinstance(problem.__context__, smtplib.SMTPServerDisconnected))
        except (smtplib.SMTPException, OSError) as problem:
            error = error_from_smtp(problem, self.smtp_conn_id)
        else:
            if isinstance(client, smtplib.SMTP):
                return client
            error = self._explain_not_opened(closed=False)
        raise error

    def _explain_not_opened(self, closed: bool) -> LearningError:
        """Return the error for a failure of the hook, which raises the same type for all of them."""
        if closed:
            return UnreachableError(
                f"The mail server of connection {self.smtp_conn_id!r} closes every connection. "
                "Check host, port and TLS settings."
            )
        return SettingsError(
            f"Airflow connection {self.smtp_conn_id!r} is incomplete. Check its extras and OAuth2 settings."
        )


class SmtpConnection:
    """
    An open connection, over which mails are sent one by one.

    :param client: The client, logged in.
    :param smtp_conn_id: ID of its Airflow connection, for errors.
    """

    def __init__(self, client: smtplib.SMTP, smtp_conn_id: str) -> None:
        self._client = client
        self._conn_id = smtp_conn_id
        self._content = b""

    def send_envelope(self, mail: EmailMessage, content: bytes) -> None:
        """
        Name sender and recipient of a mail; its content is not sent yet.

        :param mail: The mail.
        :param content: The mail as bytes.
        :raises MailRefusedError: The server does not accept mail to this recipient.
        :raises FixConnectionError: The server does not accept mail from this sender.
        :raises TryAgainError: The connection broke, or the server refuses the sender temporarily.
        """
        self._content = content
        self._run(lambda: self._send_envelope(mail))

    def send_data(self) -> None:
        """
        Send the mail itself. When this returns, the server has accepted it.

        :raises MailRefusedError: The server does not accept this mail.
        :raises TryAgainError: The connection broke; whether the server accepted the mail is not known.
        """
        self._run(self._send_data)

    def _run(self, step: Callable[[], None]) -> None:
        try:
            return step()
        except (smtplib.SMTPException, OSError) as problem:
            error = error_from_smtp(problem, self._conn_id)
        # Raised outside of the handler: the chained exception of smtplib may contain addresses.
        raise error

    def _send_envelope(self, mail: EmailMessage) -> None:
        self._client.ehlo_or_helo_if_needed()
        options = [f"size={len(self._content)}"] if self._client.has_extn("size") else []
        code, _ = self._client.mail(mail["From"].addresses[0].addr_spec, options)
        if code != 250:
            raise smtplib.SMTPSenderRefused(code, b"", "")
        code, _ = self._client.rcpt(mail["To"].addresses[0].addr_spec)
        if code not in (250, 251):
            self._refuse(code)

    def _send_data(self) -> None:
        try:
            code, _ = self._client.data(self._content)
        except smtplib.SMTPDataError as error:
            code = error.smtp_code
        if code != 250:
            self._refuse(code)

    def _refuse(self, code: int) -> None:
        if code < 400:
            raise smtplib.SMTPServerDisconnected("not an SMTP reply")
        if code == CLOSING:
            self._client.close()
        else:
            self._client.rset()  # the server drops this mail and accepts the next
        raise MailRefusedError(code)


def error_from_smtp(problem: smtplib.SMTPException | OSError, conn_id: str) -> LearningError:
    """
    Return the error for an exception of `smtplib`; without the server's text, which may contain addresses.

    :param problem: The exception.
    :param conn_id: ID of the Airflow connection.
    """
    where = f"the mail server of connection {conn_id!r}"
    if isinstance(problem, ssl.SSLError):
        return FixConnectionError(
            f"No encrypted connection to {where} ({problem.reason or type(problem).__name__}). "
            "Check port, certificate and the extras disable_ssl and disable_tls."
        )
    if isinstance(problem, smtplib.SMTPNotSupportedError):
        return FixConnectionError(f"Login or STARTTLS is not supported by {where}. Check the extras and the login.")
    if isinstance(problem, smtplib.SMTPResponseException):
        return _error_from_code(problem, where)
    if isinstance(problem, TimeoutError) or isinstance(problem.__context__, TimeoutError):
        return TimedOutError(f"No response in time from {where}. A retry tries again; check host and port.")
    return UnreachableError(
        f"No connection to {where}, or it broke off ({type(problem).__name__}). "
        "A retry tries again; check host and port."
    )


def _error_from_code(problem: smtplib.SMTPResponseException, where: str) -> LearningError:
    """Return the error for a reply code: 4xx is temporary, 5xx permanent."""
    subject = where[0].upper() + where[1:]
    what, fix = "refused the connection", "Check host and port"
    if isinstance(problem, smtplib.SMTPAuthenticationError):
        what, fix = "refused the login", "Check login and password"
    elif isinstance(problem, smtplib.SMTPSenderRefused):
        what, fix = "refused the sender", "Check that this login may send as this sender"
    code = problem.smtp_code
    if code >= 500:
        return FixConnectionError(f"{subject} {what} ({code}). {fix}.")
    return TryAgainError(f"{subject} {what} for now ({code}). A retry tries again.")
