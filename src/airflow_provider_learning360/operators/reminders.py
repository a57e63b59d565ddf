"""Operators that plan reminders of program sessions, and send them."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSkipException, BaseHook, BaseOperator

from airflow_provider_learning360 import DEFAULT_CONN_ID
from airflow_provider_learning360.api.endpoints import session_id_of
from airflow_provider_learning360.api.errors import FixArgumentError, NotFoundError, TryAgainError
from airflow_provider_learning360.policies.retry import failing_fast, with_retry_policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from email.message import EmailMessage

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_learning360.api.models import ProgramSession, SessionStatistics
    from airflow_provider_learning360.hooks.learning import LearningHook
    from airflow_provider_learning360.reminders.delivery import DeliveryResult
    from airflow_provider_learning360.reminders.policy import ReminderPolicy, ReminderRule
    from airflow_provider_learning360.reminders.recipients import Recipient, Recipients
    from airflow_provider_learning360.reminders.reminder import DueReminder


class PlanSessionRemindersOperator(BaseOperator):
    """
    Return the reminders that are due now, one item for each delivery run.

    Give the result to a mapped `TriggerDagRunOperator` with `skip_when_already_exists=True`. The ID of a delivery run
    is the key of its reminder: Airflow's database refuses a second run of it, however often the reminder is planned.
    Run this every quarter of an hour, with `max_active_runs=1`.

    :param policy: The reminder policy: a mapping, YAML or JSON text, or the path of a file.
    :param sessions: IDs of sessions, or documents of them, as `ListProgramSessionsOperator` returns them. Default: all
        of the platform.
    :param learning_conn_id: ID of the Airflow connection; default `learning360_default`.
    :returns: A list of `trigger_run_id` and `conf`; no person's data is in it.

    Source: 360Learning API v1, `GET /api/v1/programs/sessions` and `.../stats`; Airflow's `TriggerDagRunOperator`.
    """

    template_fields: Sequence[str] = ("policy", "sessions", "learning_conn_id")
    ui_color = "#e8f3f1"

    def __init__(
        self,
        *,
        policy: str | dict[str, Any],
        sessions: list[str | dict[str, Any]] | None = None,
        learning_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**with_retry_policy(kwargs))
        self.policy = policy
        self.sessions = sessions
        self.learning_conn_id = learning_conn_id
        check_policy(policy)

    @cached_property
    def hook(self) -> LearningHook:
        """The hook that the operator talks through."""
        from airflow_provider_learning360.hooks.learning import LearningHook

        return LearningHook(self.learning_conn_id)

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Plan, remember which dates were announced, and return what is due."""
        from airflow_provider_learning360.reminders.announced import AnnouncedDates
        from airflow_provider_learning360.reminders.planner import plan
        from airflow_provider_learning360.reminders.policy import ReminderPolicy

        with failing_fast():
            policy = ReminderPolicy.read(self.policy)
            announced = AnnouncedDates(policy)
            memory, sessions, now = announced.load(), self._sessions(), datetime.now(tz=UTC)
            planned = plan(sessions, policy, now, memory=memory)
            # One request a session, so only for those of which it matters who has finished.
            unfinished = sorted({due.session_id for due in planned.due if "not_completed" in due.audience})
            if unfinished:
                statistics = {one: self.hook.get_program_session_stats(one) for one in unfinished}
                planned = plan(sessions, policy, now, memory=memory, statistics=statistics)
            # Before anything is triggered: what was announced stays due for a while, under the same key.
            announced.save(planned.memory, {session.id for session in sessions})
            self.log.info("%d reminders of %d sessions are due.", len(planned.due), len(sessions))
            return [{"trigger_run_id": due.key, "conf": due.to_conf()} for due in planned.due]

    def _sessions(self) -> list[ProgramSession]:
        if self.sessions is None:
            return self.hook.list_program_sessions()
        found = []
        for one in self.sessions:
            try:
                # Read anew: a document from another task may be older than a date that was moved, and lacks fields.
                found.append(self.hook.get_program_session(session_id_of(one)))
            except NotFoundError as error:
                self.log.warning("No reminders of a session that is gone: %s", error)
        return found


class SendSessionReminderOperator(BaseOperator):
    """
    Send the reminder that this DAG run is about, to each recipient once.

    The session is read again first: if its date has moved, if it is too late, or if nobody is left to remind, the task
    is skipped and says why. Each recipient has an entry in the task state store, where a retry or a cleared task finds
    it, and mails only who is left. Needs Airflow 3.3, and Airflow's SMTP provider.

    :param policy: The reminder policy that the reminder was planned with: a mapping, YAML or JSON text, or a path.
    :param reminder: The reminder, as `PlanSessionRemindersOperator` plans it; default the `conf` of the DAG run.
    :param learning_conn_id: ID of the connection to 360Learning; default `learning360_default`.
    :param smtp_conn_id: ID of the connection to the mail server; default `smtp_default`.
    :param sender: Who the mails are from, such as `Academy <academy@example.com>`; default `from_email` of the SMTP
        connection.
    :param reply_to: Where answers go; default to the sender.
    :param templates: Folder with templates of your own, looked at before the built-in ones; default none.
    :param rate: Mails per second at most; default no limit.
    :param batch_size: Mails over one connection to the mail server; default 100.
    :returns: Counts, and hashed keys of recipients who did not get their mail.

    Source: 360Learning API v1; Airflow's `SmtpHook` and `task_state_store` (AIP-103).
    """

    template_fields: Sequence[str] = (
        "policy",
        "reminder",
        "learning_conn_id",
        "smtp_conn_id",
        "sender",
        "reply_to",
        "templates",
    )
    ui_color = "#e8f3f1"

    def __init__(
        self,
        *,
        policy: str | dict[str, Any],
        reminder: dict[str, Any] | None = None,
        learning_conn_id: str = DEFAULT_CONN_ID,
        smtp_conn_id: str = "smtp_default",
        sender: str | None = None,
        reply_to: str | None = None,
        templates: str | None = None,
        rate: float | None = None,
        batch_size: int = 100,
        **kwargs: Any,
    ) -> None:
        super().__init__(**with_retry_policy(kwargs))
        self.policy = policy
        self.reminder = reminder
        self.learning_conn_id = learning_conn_id
        self.smtp_conn_id = smtp_conn_id
        self.sender = sender
        self.reply_to = reply_to
        self.templates = templates
        self.rate = rate
        self.batch_size = batch_size
        check_policy(policy)

    @cached_property
    def hook(self) -> LearningHook:
        """The hook that the operator talks to 360Learning through."""
        from airflow_provider_learning360.hooks.learning import LearningHook

        return LearningHook(self.learning_conn_id)

    def execute(self, context: Context) -> dict[str, Any]:
        """Read the session again, and mail who does not have this reminder yet."""
        from airflow_provider_learning360.reminders.delivery import deliver
        from airflow_provider_learning360.reminders.ledger import TaskLedger
        from airflow_provider_learning360.reminders.policy import ReminderPolicy
        from airflow_provider_learning360.reminders.reminder import DueReminder
        from airflow_provider_learning360.reminders.transport import SmtpTransport

        with failing_fast():
            policy = ReminderPolicy.read(self.policy)
            reminder = DueReminder.from_conf(self.reminder or context["dag_run"].conf or {})
            ledger = TaskLedger(context.get("task_state_store"))
            session = self._session(reminder, policy)
            rule = next(one for one in policy.rules if one.name == reminder.rule)
            statistics = self._statistics(reminder)
            recipients = self._recipients(rule, reminder, session, statistics)
            result = deliver(
                reminder.key,
                self._mails(policy, reminder, session, statistics, recipients),
                ledger=ledger,
                transport=SmtpTransport(self.smtp_conn_id),
                once=rule.once,
                rate=self.rate,
                batch_size=self.batch_size,
            )
            return self._told(reminder, recipients, result)

    def _session(self, reminder: DueReminder, policy: ReminderPolicy) -> ProgramSession:
        """Return the session as it is now, if the reminder is still right."""
        from airflow_provider_learning360.reminders.planner import still_valid

        now = datetime.now(tz=UTC)
        if now > reminder.due + policy.max_lateness.total:
            raise AirflowSkipException(f"It was due at {reminder.due.isoformat()}, and is too late by now.")
        try:
            session = self.hook.get_program_session(reminder.session_id)
        except NotFoundError as error:
            raise AirflowSkipException(f"The session is gone. {error}") from error
        reason = still_valid(reminder.to_conf(), session, policy, now=now)
        if reason is not None:
            raise AirflowSkipException(f"Nothing is sent: {reason}.")
        return session

    def _statistics(self, reminder: DueReminder) -> SessionStatistics | None:
        if "not_completed" in reminder.audience or reminder.message == "digest":
            return self.hook.get_program_session_stats(reminder.session_id)
        return None

    def _recipients(
        self,
        rule: ReminderRule,
        reminder: DueReminder,
        session: ProgramSession,
        statistics: SessionStatistics | None,
    ) -> Recipients:
        from airflow_provider_learning360.reminders.recipients import recipients_of

        # Only learners have names, which the session itself does not tell.
        for_learners = {"learners", "not_completed"} & set(reminder.audience)
        users = self.hook.get_program_session_users(session.id) if for_learners else None
        found = recipients_of(rule, session, statistics, users, audience=reminder.audience)
        if not found.mailable:
            raise AirflowSkipException(f"Nobody is left to remind ({len(found.unmailable)} have no mail address).")
        return found

    def _mails(
        self,
        policy: ReminderPolicy,
        reminder: DueReminder,
        session: ProgramSession,
        statistics: SessionStatistics | None,
        recipients: Recipients,
    ) -> Iterator[tuple[str, Callable[[], EmailMessage]]]:
        """Yield for each recipient the key, and what builds the mail; none is built before its turn."""
        from airflow_provider_learning360.reminders.mail import build, mailbox
        from airflow_provider_learning360.reminders.messages import render, values_of

        sender = self.sender or self._sender_of_connection()
        template = template_of(reminder, policy)
        change = changed_dates(reminder)
        # Once: a digest counts all learners.
        common = values_of(session, policy.zone, rule=reminder.rule, change=change, statistics=statistics)

        def mail(one: Recipient, key: str) -> EmailMessage:
            values = {**common, "recipient": {"first_name": one.first_name}}
            message = render(template, session.lang, values, directory=self.templates)
            name = " ".join(filter(None, (one.first_name, one.last_name)))
            to = mailbox(one.mail, name)
            return build(message, sender=sender, recipient=to, key=f"{reminder.key}:{key}", reply_to=self.reply_to)

        for one in recipients.mailable:
            key = self._key_of(one)
            yield key, lambda one=one, key=key: mail(one, key)  # type: ignore[misc]

    def _key_of(self, recipient: Recipient) -> str:
        from airflow_provider_learning360.reminders.recipients import recipient_key

        # The company ID is no password, but it is nothing that a stranger knows, and it never changes.
        return recipient_key(recipient.mail, self.hook.settings.company_id)

    def _sender_of_connection(self) -> str:
        # Not through the hook, which would open a connection to the mail server for it.
        sender = BaseHook.get_connection(self.smtp_conn_id).extra_dejson.get("from_email")
        if not sender:
            raise FixArgumentError(
                f"sender: there is none. Name one, or set from_email in connection {self.smtp_conn_id!r}."
            )
        return str(sender)

    def _told(self, reminder: DueReminder, recipients: Recipients, result: DeliveryResult) -> dict[str, Any]:
        """Return what became of it, without an address; raise if a retry may reach somebody."""
        unmailable = [self._key_of(one) for one in recipients.unmailable if one.mail]
        self.log.info(
            "%s: %d mails sent now, %d before; %d refused, %d without a mail address, %d not known to have arrived.",
            *(reminder.key, result.sent, result.already, len(result.refused)),
            *(len(recipients.unmailable) + result.unmailable, len(result.unknown)),
        )
        if result.failed:
            raise TryAgainError(
                f"{reminder.key}: the mail server refused {len(result.failed)} mails for now; a retry sends them."
            )
        return {
            "reminder": reminder.key,
            "sent": result.sent,
            "already": result.already,
            "refused": result.refused,
            "unknown": result.unknown,
            "unmailable": unmailable,
        }


def check_policy(policy: str | dict[str, Any]) -> None:
    """
    Refuse a policy that is not valid when the DAG is parsed; templates are left for later.

    :param policy: The argument of an operator.
    :raises FixArgumentError: It is not valid; names rule and field.
    """
    from airflow_provider_learning360.reminders.policy import ReminderPolicy

    if "{{" not in str(policy):
        ReminderPolicy.read(policy)


def template_of(reminder: DueReminder, policy: ReminderPolicy) -> str:
    """
    Return the name of the template of a reminder: its own, or the built-in one of its kind.

    :param reminder: The reminder.
    :param policy: Its policy.
    :raises FixArgumentError: There is no built-in one of this kind.
    """
    if reminder.template:
        return reminder.template
    if reminder.change is not None:
        return "date_changed"
    if reminder.message == "digest":
        return "tutors_digest"
    rule = next(one for one in policy.rules if one.name == reminder.rule)
    if rule.before is not None:
        return "before_start" if reminder.anchor == "startDate" else "before_end"
    if reminder.anchor == "endDate":
        return "overdue"
    raise FixArgumentError(f"Rule {reminder.rule!r}: there is no built-in template for `after` startDate; name one.")


def changed_dates(reminder: DueReminder) -> dict[str, tuple[datetime | None, datetime | None]]:
    """
    Return the dates that a reminder says have changed: for `start` and `end`, the date before and after.

    :param reminder: The reminder.
    """
    if reminder.change is None:
        return {}

    def moment(side: str, name: str) -> datetime | None:
        text = (reminder.change or {})[side].get(name)
        return None if text is None else datetime.fromisoformat(text)

    both = {short: (moment("from", name), moment("to", name)) for short, name in _DATES.items()}
    return {short: (old, new) for short, (old, new) in both.items() if old != new}


_DATES = {"start": "startDate", "end": "endDate"}
