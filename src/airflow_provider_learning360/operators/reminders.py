"""Operators that plan reminders of program sessions, and send them."""

from __future__ import annotations

__all__ = ["PlanSessionRemindersOperator", "SendSessionReminderOperator"]

import random
from dataclasses import replace
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    AirflowNotFoundException,
    AirflowSkipException,
    BaseHook,
    BaseOperator,
    conf,
)

from airflow_provider_learning360 import DEFAULT_CONN_ID
from airflow_provider_learning360.api.counts import count_of
from airflow_provider_learning360.api.errors import (
    ContractError,
    FixArgumentError,
    FixConnectionError,
    InvalidIdError,
    LearningError,
    NotFoundError,
    SettingsError,
    TryAgainError,
    redact,
)
from airflow_provider_learning360.api.platform import SESSION_KEYS_ONLY
from airflow_provider_learning360.api.session_ids import find_session_id
from airflow_provider_learning360.learning_operator import LearningOperator
from airflow_provider_learning360.operators.delivery_runs import has_run
from airflow_provider_learning360.operators.later_start import start_again_at
from airflow_provider_learning360.policies.retry import fail_fast, with_retry_policy
from airflow_provider_learning360.reminders import DEFAULT_CONNECTIONS, INSTALL_COMMAND
from airflow_provider_learning360.rendering import is_template

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_learning360.api.models import ProgramSession, SessionStatistics
    from airflow_provider_learning360.reminders.compose import MailComposer
    from airflow_provider_learning360.reminders.delivery import DeliveryResult, DeliverySummary
    from airflow_provider_learning360.reminders.ledger import TaskDeliveryLedger
    from airflow_provider_learning360.reminders.moves import AnnouncedRecord
    from airflow_provider_learning360.reminders.policy import ReminderPolicy, ReminderRule
    from airflow_provider_learning360.reminders.recipients import Recipients
    from airflow_provider_learning360.reminders.reminder import DueReminder, PlannedDelivery


MAX_KEYS = 100  # hashed keys in a result: thousands of them would be too large for XCom
MAX_LOGGED = 50  # reminders that a plan names in the log
# Requests in one sweep for sessions that the list lacks. The next sweeps check the others.
MAX_EXISTENCE_CHECKS = 20
# Failed readings of due dates in a row after which one sweep stops to try.
MAX_FAILURES = 3


class PlanSessionRemindersOperator(LearningOperator, BaseOperator):
    """
    Return the reminders that are due now, one item for each delivery run.

    Give the result to a mapped `TriggerDagRunOperator` with `skip_when_already_exists=True`. The key of a reminder is
    the ID of its delivery run: Airflow's database refuses a second run, however often the reminder is planned. Run
    this every quarter of an hour, with `max_active_runs=1`. Learners of a session who share a due date share a
    reminder about it.

    :param policy: The reminder policy: a mapping, YAML or JSON text, or the path of a file.
    :param delivery_dag_id: ID of the DAG that delivers; reminders that have a run of it are left out. Default: every
        sweep returns all that are due, and the mapped task skips those that have a run.
    :param sessions: IDs of sessions, or documents of them, as `ListProgramSessionsOperator` returns them. Default: all
        sessions of the platform.
    :param learning_conn_id: ID of the Airflow connection; default `learning360_default`.
    :returns: A list of `PlannedDelivery` (`trigger_run_id` and `conf`), the earliest first, no longer than Airflow can
        map over; without personal data.

    Source: 360Learning API v1, `GET /api/v1/programs/sessions` and `.../stats`; API v2, `GET /api/v2/paths/sessions`
    and `.../user-stats`; Airflow's `TriggerDagRunOperator`.
    """

    # Not the policy: Airflow shows rendered fields, and a policy may contain addresses.
    template_fields: Sequence[str] = ("sessions", "learning_conn_id")
    ui_color = "#e8f3f1"

    def __init__(
        self,
        *,
        policy: str | dict[str, Any],
        delivery_dag_id: str | None = None,
        sessions: list[str | dict[str, Any]] | None = None,
        learning_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        _refuse_conn_id(kwargs, "learning_conn_id")
        super().__init__(**with_retry_policy(kwargs))
        self.policy = policy
        self.delivery_dag_id = delivery_dag_id
        self.sessions = sessions
        self.learning_conn_id = learning_conn_id
        self.check_own_arguments()
        check_policy(policy)

    def execute(self, context: Context) -> list[PlannedDelivery]:
        """Plan, store which dates were announced, and return what is due."""
        from airflow_provider_learning360.reminders.announced_dates import AnnouncedDatesStore
        from airflow_provider_learning360.reminders.planner import plan

        with fail_fast():
            policy = check_policy(self.policy)
            if policy.has_due_dates:
                self.hook.platform.require_due_dates()
            store = AnnouncedDatesStore(policy, self.learning_conn_id)
            announced, now = store.load(), datetime.now(tz=UTC)
            sessions, count, deleted = self._read_sessions(policy, announced, now)
            statistics = self._read_due_dates(policy, sessions, now)
            planned = plan(sessions, policy, now, announced=announced, statistics=statistics)
            # One request or more for each session, so only where it matters who has finished.
            unfinished = {due.session_id for due in planned.due if _depends_on_progress(due)}
            if unfinished:
                statistics |= self._read_statistics([one for one in sessions if one.id in unfinished])
                planned = plan(sessions, policy, now, announced=announced, statistics=statistics)
            # Before anything is triggered: an announced change stays due for a while, under the same key.
            store.save(planned.announced, deleted)
            new = self._find_new(context, planned.due)
            self._log_plan(policy, sessions, count, planned.due, new)
            return self._build_deliveries(new)

    def _find_new(self, context: Context, due: list[DueReminder]) -> list[DueReminder]:
        return [one for one in sorted(due, key=lambda one: one.due) if not self._has_run(context, one)]

    def _has_run(self, context: Context, reminder: DueReminder) -> bool:
        """Whether a delivery run exists already. This only saves work: the database refuses a second one."""
        if self.delivery_dag_id is None:
            return False
        return has_run(context["ti"], self.delivery_dag_id, reminder.key)

    def _log_plan(
        self,
        policy: ReminderPolicy,
        sessions: Iterable[ProgramSession],
        count: int,
        due: list[DueReminder],
        new: list[DueReminder],
    ) -> None:
        """Log which reminders are new: the rule, the session and the time, but no people."""
        from airflow_provider_learning360.reminders.calendar import Calendar

        self.log.info("Reminders due: %d, of these new: %d. Sessions: %d.", len(due), len(new), count)
        logged = {one.session_id for one in new[:MAX_LOGGED]}
        titles = {session.id: session.title for session in sessions if session.id in logged}
        calendar = Calendar(policy)
        for one in new[:MAX_LOGGED]:
            due_at = calendar.format_moment(one.due)
            self.log.info("Reminder %s for %s, due since %s.", one.rule, titles[one.session_id], due_at)
        if len(new) > MAX_LOGGED:
            self.log.info("And %d more.", len(new) - MAX_LOGGED)

    def _build_deliveries(self, reminders: list[DueReminder]) -> list[PlannedDelivery]:
        limit = conf.getint("core", "max_map_length", fallback=1024)
        if len(reminders) > limit:
            rest = (
                "The next run returns the others" if self.delivery_dag_id else "Set delivery_dag_id to get the others"
            )
            self.log.warning(
                "Only the first %d reminders are returned, the limit of [core] max_map_length. %s.", limit, rest
            )
        return [{"trigger_run_id": one.key, "conf": one.to_conf()} for one in reminders[:limit]]

    def _read_statistics(self, sessions: list[ProgramSession]) -> dict[str, SessionStatistics]:
        """Return the statistics that can be read. Without them a reminder stays due, and its delivery reads them."""
        found = {}
        for session in sessions:
            try:
                found[session.id] = self.hook.get_program_session_stats(session.id, session)
            except LearningError as error:
                self.log.warning(
                    "Could not read the statistics of session %s, so its reminders stay due: %s", session.id, error
                )
        return found

    def _read_due_dates(
        self, policy: ReminderPolicy, sessions: Iterable[ProgramSession], now: datetime
    ) -> dict[str, SessionStatistics]:
        """Return the statistics of sessions whose learners may have a due date that counts now, as far as readable."""
        from airflow_provider_learning360.reminders.due_dates import may_remind_of_due_date

        found: dict[str, SessionStatistics] = {}
        failures = 0  # in a row
        for session in sessions:
            if not may_remind_of_due_date(policy, session, now):
                continue
            try:
                plan = self.hook.platform.get_statistics(session.id, with_people=False, session=session)
                found[session.id] = self.hook.run_plan(plan)
                failures = 0
            except FixConnectionError:
                raise  # it would fail for each session, in each sweep
            except LearningError as error:
                failures += error.retryable
                self.log.warning(
                    "Could not read the due dates in session %s. The next run tries again: %s", session.id, error
                )
                if failures >= MAX_FAILURES:
                    self.log.warning("Reading of due dates stopped after %d failures in a row.", failures)
                    break
        return found

    def _read_sessions(
        self, policy: ReminderPolicy, announced: Mapping[str, AnnouncedRecord], now: datetime
    ) -> tuple[Iterable[ProgramSession], int, set[str]]:
        """Return the sessions that matter now, how many there are in all, and which known ones no longer exist."""
        if self.sessions is None:
            return self._read_all(policy, announced, now)
        found, deleted = [], set()
        for one in self.sessions:
            try:
                # Read again: a document from another task may be outdated, and may lack fields.
                found.append(self.hook.get_program_session(find_session_id(one), policy.session_keys))
            except NotFoundError as error:
                deleted.add(find_session_id(one))
                self.log.warning("No reminders for a session that does not exist: %s", error)
            except ContractError as error:
                self.log.warning("No reminders for a session that cannot be read: %s", error)
        return found, len(found), deleted

    def _read_all(
        self, policy: ReminderPolicy, announced: Mapping[str, AnnouncedRecord], now: datetime
    ) -> tuple[Iterable[ProgramSession], int, set[str]]:
        from airflow_provider_learning360.api.document_list import DocumentChoice
        from airflow_provider_learning360.reminders.candidates import CandidateFilter, StoredSessions

        candidates = CandidateFilter(policy, now, announced)
        # What matters is chosen while the list arrives: a platform may have 100,000s of sessions.
        choice = DocumentChoice(candidates.fields, candidates.matches, with_drift=False, may_be_gone=True)
        listed = self.hook.list_documents(choice)
        return StoredSessions(listed.documents), listed.session_count, self._find_deleted(candidates.missing)

    def _find_deleted(self, missing: set[str]) -> set[str]:
        """Return which sessions no longer exist, of those missing in the list. It also lacks unreadable ones."""
        deleted = set()
        for session_id in random.sample(sorted(missing), min(len(missing), MAX_EXISTENCE_CHECKS)):
            try:
                self.hook.get_program_session(session_id, SESSION_KEYS_ONLY)
            except (NotFoundError, InvalidIdError):
                deleted.add(session_id)
            except LearningError as error:
                self.log.warning("Could not find out whether program session %s still exists: %s", session_id, error)
                if error.retryable:
                    break
        return deleted


class SendSessionReminderOperator(LearningOperator, BaseOperator):
    """
    Send the reminder that this DAG run is about, once to each recipient.

    The task reads the session again first. It is skipped, with the reason, if the date has changed, if it is too late,
    or if no recipient is left. In quiet hours and on days off it is rescheduled to their end; below Airflow 3.1 it is
    deferred. A delivery that has begun continues. The ledger of the task records who has the mail: in its state store,
    or below Airflow 3.3 in Airflow variables. A retry or a cleared task mails only those whose mail is not recorded,
    also those whom the mail server refused.
    Needs Airflow's SMTP provider.

    :param policy: The reminder policy that the reminder was planned with: a mapping, YAML or JSON text, or a path.
    :param reminder: The reminder, as `PlanSessionRemindersOperator` plans it; default the `conf` of the DAG run.
    :param learning_conn_id: ID of the connection to 360Learning; default `learning360_default`.
    :param smtp_conn_id: ID of the connection to the mail server; default `smtp_default`.
    :param sender: Who the mails are from, such as `Academy <academy@example.com>`; default `from_email` of the SMTP
        connection.
    :param reply_to: Where replies go; default to the sender.
    :param templates: Folder with your own templates, which come before the built-in ones; default none.
    :param rate: Maximum number of mails per second, over all connections; default no limit.
    :param batch_size: Maximum number of mails over one connection to the mail server; default 100.
    :param connections: Maximum number of connections to the mail server at once; default 8. A crash repeats or loses
        at most one mail for each. Some mail servers allow few.
    :returns: A `DeliverySummary`: counts, and hashed keys of recipients who did not get their mail.

    Source: 360Learning API v1 and v2; Airflow's `SmtpHook` and `task_state_store` (AIP-103).
    """

    # Not the policy: Airflow shows rendered fields, and a policy may contain addresses.
    template_fields: Sequence[str] = (
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
        connections: int = DEFAULT_CONNECTIONS,
        **kwargs: Any,
    ) -> None:
        _refuse_conn_id(kwargs, "learning_conn_id for 360Learning, or smtp_conn_id for the mail server")
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
        self.connections = connections
        self.check_own_arguments()
        self._check()

    @property
    def _secret(self) -> str:
        # The company ID is not a password, but strangers do not know it, and it never changes.
        return self.hook.settings.company_id

    def execute(self, context: Context) -> DeliverySummary:
        """Read the session again, and mail each recipient who does not have this reminder yet."""
        from airflow_provider_learning360.memory.task_store import find_task_store
        from airflow_provider_learning360.reminders.delivery import deliver
        from airflow_provider_learning360.reminders.ledger import TaskDeliveryLedger
        from airflow_provider_learning360.reminders.reminder import DueReminder
        from airflow_provider_learning360.reminders.transport import SmtpTransport

        with fail_fast():
            policy = check_policy(self.policy)
            planned = DueReminder.from_conf(self.reminder or self._read_conf(context))
            if planned.due_date is not None:
                self.hook.platform.require_due_dates()
            ledger = TaskDeliveryLedger(find_task_store(context))
            session = self._read_session(planned, policy, ledger)
            rule = policy.find_rule(planned.rule)
            # The current policy counts, here as everywhere.
            audience = rule.find_audience(planned.occurrence or 0)
            reminder = replace(planned, audience=audience, message=rule.message, template=rule.template)
            statistics = self._read_statistics(session, reminder, rule)
            recipients = self._find_recipients(rule, reminder, session, statistics)
            result = deliver(
                reminder.key,
                self._build_composer(policy, reminder, session, statistics).compose(recipients.mailable),
                ledger=ledger,
                transport=SmtpTransport(self.smtp_conn_id),
                delivery=rule.delivery,
                rate=self.rate,
                batch_size=self.batch_size,
                connections=self.connections,
            )
            return self._summarize(reminder, recipients, result)

    def execute_later(self, context: Context, event: Any = None) -> DeliverySummary:
        """
        Continue after a deferral.

        :param context: Airflow's task context.
        :param event: The event of the trigger, which only says that the time has come.
        """
        return self.execute(context)

    def _check(self) -> None:
        """Refuse when the DAG is parsed what would fail at night."""
        from airflow_provider_learning360.reminders.delivery import check_limits
        from airflow_provider_learning360.reminders.mail import require_address
        from airflow_provider_learning360.reminders.mail_templates import check_templates

        if find_spec("airflow.providers.smtp") is None:
            raise FixArgumentError(
                f"Airflow's SMTP provider is not installed. Reminders need it. Run: {INSTALL_COMMAND}"
            )
        check_limits(self.rate, self.batch_size, self.connections)
        for argument, value in (("sender", self.sender), ("reply_to", self.reply_to)):
            if isinstance(value, str) and not is_template(value):
                require_address(argument, value)
        policy = check_policy(self.policy)
        for rule in () if is_template(self.templates) else policy.rules:
            check_templates(rule, self.templates)

    def _read_conf(self, context: Context) -> dict[str, Any]:
        """Return the `conf` of the run. A second run of the same reminder would mail everybody again, so refuse it."""
        run: Any = context["dag_run"]
        given = dict(run.conf or {})
        if not given:
            raise AirflowSkipException(
                "Nothing is sent: this run has no reminder. Start the DAG that plans reminders: it starts deliveries."
            )
        if given.get("key") not in (None, run.run_id):
            raise FixArgumentError(
                f"This run cannot deliver the reminder {redact(repr(given['key']))}: the run ID must be the key of the "
                "reminder, to prevent duplicate mails. Let the planning DAG start deliveries. To send the reminder "
                "again: delete the run with that ID; below Airflow 3.3, also run `airflow learning360 clean`; then "
                "run the planning DAG."
            )
        return given

    def _read_session(
        self, reminder: DueReminder, policy: ReminderPolicy, ledger: TaskDeliveryLedger
    ) -> ProgramSession:
        """Return the session as it is now; skip the task if the reminder is not to be delivered any more."""
        from airflow_provider_learning360.reminders.dates import add_time
        from airflow_provider_learning360.reminders.validity import find_cancel_reason

        now = datetime.now(tz=UTC)
        # A delivery that has begun continues however late it is: some recipients have the mail already.
        if now > add_time(reminder.due, policy.max_lateness.total) and not ledger.has_begun:
            raise AirflowSkipException(
                f"Nothing is sent: the reminder was due at {reminder.due.isoformat()}, longer ago than max_lateness of "
                "the policy. If later reminders are useful, raise max_lateness."
            )
        try:
            session = self.hook.get_program_session(reminder.session_id, policy.find_delivery_keys(reminder.rule))
        except NotFoundError as error:
            raise AirflowSkipException(f"Nothing is sent: the session does not exist any more. {error}") from error
        reason = find_cancel_reason(reminder, session, policy, now=now)
        if reason is not None:
            raise AirflowSkipException(f"Nothing is sent: {reason}.")
        if not ledger.has_begun:
            self._wait_for_release(reminder, policy, now)
        return session

    def _wait_for_release(self, reminder: DueReminder, policy: ReminderPolicy, now: datetime) -> None:
        """Let the task start again at the end of quiet hours and days off; skip it if that would be too late."""
        from airflow_provider_learning360.reminders.calendar import Calendar

        is_before = policy.find_rule(reminder.rule).before is not None and reminder.anchor_at is not None
        before = datetime.fromisoformat(reminder.anchor_at or "") if is_before else None
        release = Calendar(policy).find_release(reminder.due, now, before)
        if release.at is None:
            raise AirflowSkipException(f"Nothing is sent: {release.reason}.")
        if release.at > now:
            self.log.info("%s: %s. Airflow starts this task again then.", reminder.key, release.reason)
            start_again_at(self, release.at, "execute_later")

    def _read_statistics(
        self, session: ProgramSession, reminder: DueReminder, rule: ReminderRule
    ) -> SessionStatistics | None:
        if rule.needs_statistics(reminder.audience):
            return self.hook.get_program_session_stats(reminder.session_id, session)
        return None

    def _find_recipients(
        self,
        rule: ReminderRule,
        reminder: DueReminder,
        session: ProgramSession,
        statistics: SessionStatistics | None,
    ) -> Recipients:
        from airflow_provider_learning360.api.progress import find_due_dates
        from airflow_provider_learning360.reminders.recipients import find_recipients

        # Only learners have names, and the session itself does not contain them.
        has_learners = {*reminder.audience} - {"tutors"}
        users = self.hook.get_program_session_users(session.id) if has_learners else None
        due_date = reminder.due_date
        if due_date is not None and statistics is not None and due_date not in find_due_dates(statistics):
            raise AirflowSkipException(
                f"Nothing is sent: all learners with the due date {reminder.anchor_at} have finished, or have another "
                "due date now."
            )
        found = find_recipients(
            rule, session, statistics, users, audience=reminder.audience, now=datetime.now(tz=UTC), due_date=due_date
        )
        if not found.mailable:
            raise AirflowSkipException(
                f"Nothing is sent: nobody is left to remind ({len(found.unmailable)} have no mail address)."
            )
        return found

    def _build_composer(
        self,
        policy: ReminderPolicy,
        reminder: DueReminder,
        session: ProgramSession,
        statistics: SessionStatistics | None,
    ) -> MailComposer:
        from airflow_provider_learning360.reminders.compose import MailComposer

        return MailComposer(
            reminder=reminder,
            session=session,
            zone=policy.zone,
            statistics=statistics,
            sender=self.sender or self._read_sender(),
            reply_to=self.reply_to,
            templates=self.templates,
            secret=self._secret,
        )

    def _read_sender(self) -> str:
        # Not through the hook, which would connect to the mail server.
        try:
            sender = BaseHook.get_connection(self.smtp_conn_id).extra_dejson.get("from_email")
        except AirflowNotFoundException:
            raise SettingsError(
                f"Airflow connection {self.smtp_conn_id!r} does not exist. Add one of type smtp."
            ) from None
        if not sender:
            raise FixArgumentError(
                f"sender: it is not given, and connection {self.smtp_conn_id!r} has no from_email. Set one of them."
            )
        return str(sender)

    def _summarize(self, reminder: DueReminder, recipients: Recipients, result: DeliveryResult) -> DeliverySummary:
        """Return what happened, without an address; raise if a retry may reach somebody."""
        from airflow_provider_learning360.reminders.recipients import build_recipient_key

        known = [one.mail or one.user_id for one in recipients.unmailable]
        unmailable = [build_recipient_key(one, self._secret) for one in known if one]
        count = len(recipients.unmailable) + result.unmailable
        self.log.info(
            "%s: %s sent now, %d before; %d refused, %d without a mail address, %d of unknown outcome.",
            *(reminder.key, count_of(result.sent, "mail"), result.already, len(result.refused)),
            *(count, len(result.unknown)),
        )
        self._raise_if_refused(reminder, result)
        return {
            "reminder": reminder.key,
            "sent": result.sent,
            "already": result.already,
            "refused": result.refused[:MAX_KEYS],
            "unknown": result.unknown[:MAX_KEYS],
            "unmailable": unmailable[:MAX_KEYS],
            "counts": {"refused": len(result.refused), "unknown": len(result.unknown), "unmailable": count},
        }

    def _raise_if_refused(self, reminder: DueReminder, result: DeliveryResult) -> None:
        # First: a retry mails these, whatever became of the others.
        if result.failed:
            raise TryAgainError(
                f"{reminder.key}: the mail server refused {count_of(len(result.failed), 'mail')} for now. "
                "A retry sends what is left."
            )
        if result.refused and not (result.sent or result.already):
            raise FixConnectionError(
                f"{reminder.key}: the mail server refused all mails ({len(result.refused)}). Check which senders, "
                f"recipients and volumes it allows the login of connection {self.smtp_conn_id!r}; then clear the task."
            )


def check_policy(policy: str | dict[str, Any]) -> ReminderPolicy:
    """
    Return the policy in an argument.

    :param policy: The argument of an operator.
    :raises FixArgumentError: It is not valid; the message names rule and field.
    """
    from airflow_provider_learning360.reminders.policy import ReminderPolicy

    return ReminderPolicy.read(policy)


def _depends_on_progress(reminder: DueReminder) -> bool:
    """Whether a reminder is needless if everybody has finished; known already for the due dates of learners."""
    return reminder.anchor != "dueDate" and not {"not_completed", "late"}.isdisjoint(reminder.audience)


def _refuse_conn_id(arguments: dict[str, Any], instead: str) -> None:
    if "conn_id" in arguments:
        raise FixArgumentError(f"conn_id: this operator has no such argument. Write {instead}.")
