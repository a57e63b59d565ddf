"""Operators that plan reminders of program sessions, and send them."""

from __future__ import annotations

__all__ = ["PlanSessionRemindersOperator", "SendSessionReminderOperator"]

import random
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    AirflowNotFoundException,
    AirflowSkipException,
    BaseHook,
    BaseOperator,
    conf,
)

from airflow_provider_learning360 import DEFAULT_CONN_ID
from airflow_provider_learning360.api.endpoints import find_session_id
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
from airflow_provider_learning360.policies.retry import failing_fast, with_retry_policy
from airflow_provider_learning360.rendering import SafeRendering, is_template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from email.message import EmailMessage

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_learning360.api.models import ProgramSession, SessionStatistics
    from airflow_provider_learning360.hooks.learning import LearningHook
    from airflow_provider_learning360.reminders.delivery import DeliveryResult
    from airflow_provider_learning360.reminders.ledger import TaskLedger
    from airflow_provider_learning360.reminders.policy import ReminderPolicy, ReminderRule
    from airflow_provider_learning360.reminders.recipients import Recipient, Recipients
    from airflow_provider_learning360.reminders.reminder import DueReminder


# Hashed keys in a result: with thousands of them it would be too large for XCom.
MOST_KEYS = 100
# A sweep asks no more often whether a session that the list lacks still exists; the next sweeps ask for the others.
MOST_CHECKED = 20


class PlanSessionRemindersOperator(SafeRendering, BaseOperator):
    """
    Return the reminders that are due now, one item for each delivery run.

    Give the result to a mapped `TriggerDagRunOperator` with `skip_when_already_exists=True`. The ID of a delivery run
    is the key of its reminder: Airflow's database refuses a second run of it, however often the reminder is planned.
    Run this every quarter of an hour, with `max_active_runs=1`.

    :param policy: The reminder policy: a mapping, YAML or JSON text, or the path of a file.
    :param delivery_dag_id: ID of the DAG that delivers: reminders that have a run of it are left out. Default: all that
        are due are returned in every sweep, and the mapped task skips those that have a run.
    :param sessions: IDs of sessions, or documents of them, as `ListProgramSessionsOperator` returns them. Default: all
        of the platform.
    :param learning_conn_id: ID of the Airflow connection; default `learning360_default`.
    :returns: A list of `trigger_run_id` and `conf`, the earliest first, and no more than Airflow can map over; no
        person's data is in it.

    Source: 360Learning API v1, `GET /api/v1/programs/sessions` and `.../stats`; Airflow's `TriggerDagRunOperator`.
    """

    # Not the policy: Airflow shows rendered fields, and addresses may be in it.
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
        super().__init__(**with_retry_policy(kwargs))
        self.policy = policy
        self.delivery_dag_id = delivery_dag_id
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
            announced = AnnouncedDates(policy, self.learning_conn_id)
            memory, now = announced.load(), datetime.now(tz=UTC)
            sessions, gone = self._sessions(memory)
            planned = plan(sessions, policy, now, memory=memory)
            # One request a session, so only for those of which it matters who has finished.
            unfinished = sorted({due.session_id for due in planned.due if "not_completed" in due.audience})
            if unfinished:
                planned = plan(sessions, policy, now, memory=memory, statistics=self._statistics(unfinished))
            # Before anything is triggered: what was announced stays due for a while, under the same key.
            announced.save(planned.memory, gone)
            return self._items(context, planned.due, len(sessions))

    def _items(self, context: Context, due: list[DueReminder], sessions: int) -> list[dict[str, Any]]:
        most = conf.getint("core", "max_map_length", fallback=1024)
        fresh = [one for one in sorted(due, key=lambda one: one.due) if not self._is_delivered(context, one)]
        self.log.info("%d reminders of %d sessions are due, %d of them new.", len(due), sessions, len(fresh))
        if len(fresh) > most:
            others = (
                "The next sweep returns others" if self.delivery_dag_id else "Set delivery_dag_id to get to the others"
            )
            self.log.warning("Only the first %d are returned: Airflow maps over no more. %s.", most, others)
        return [{"trigger_run_id": one.key, "conf": one.to_conf()} for one in fresh[:most]]

    def _is_delivered(self, context: Context, reminder: DueReminder) -> bool:
        """Whether there is a delivery run already; only to save work, since the database refuses a second one."""
        if self.delivery_dag_id is None:
            return False
        return bool(context["ti"].get_dr_count(dag_id=self.delivery_dag_id, run_ids=[reminder.key]))

    def _statistics(self, session_ids: list[str]) -> dict[str, SessionStatistics]:
        """Return what can be had: without statistics a reminder stays due, and its delivery asks again."""
        found = {}
        for session_id in session_ids:
            try:
                found[session_id] = self.hook.get_program_session_stats(session_id)
            except LearningError as error:
                self.log.warning("Who has finished is not known: %s", error)
        return found

    def _sessions(self, memory: dict[str, Any]) -> tuple[list[ProgramSession], set[str]]:
        """Return the sessions, and the IDs of those that were known and are no more."""
        if self.sessions is None:
            sessions = self.hook.list_program_sessions()
            return sessions, self._gone(memory.keys() - {session.id for session in sessions})
        found, gone = [], set()
        for one in self.sessions:
            try:
                # Read anew: a document from another task may be older than a date that was moved, and lacks fields.
                found.append(self.hook.get_program_session(find_session_id(one)))
            except NotFoundError as error:
                gone.add(find_session_id(one))
                self.log.warning("No reminders of a session that is gone: %s", error)
            except ContractError as error:
                self.log.warning("No reminders of a session that cannot be read: %s", error)
        return found, gone

    def _gone(self, missing: set[str]) -> set[str]:
        """Return which sessions are no more, of those that the list lacks: it lacks what could not be read as well."""
        gone = set()
        for session_id in random.sample(sorted(missing), min(len(missing), MOST_CHECKED)):
            try:
                self.hook.get_program_session(session_id)
            except (NotFoundError, InvalidIdError):
                gone.add(session_id)
            except LearningError as error:
                self.log.warning("Whether program session %s still exists is not known: %s", session_id, error)
                if error.retryable:
                    break
        return gone


class SendSessionReminderOperator(SafeRendering, BaseOperator):
    """
    Send the reminder that this DAG run is about, to each recipient once.

    The session is read again first: if its date has moved, if it is too late, or if nobody is left to remind, the task
    is skipped and says why. In quiet hours and on days off it is rescheduled to their end; a delivery that has begun
    goes on in them. Each recipient has an entry in the task state store, where a retry or a cleared task finds
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

    # Not the policy: Airflow shows rendered fields, and addresses may be in it.
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
        self._check_templates(check_policy(policy))

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
            reminder = DueReminder.from_conf(self.reminder or self._conf_of_run(context))
            ledger = TaskLedger(context.get("task_state_store"))
            session = self._session(reminder, policy, ledger)
            rule = next(one for one in policy.rules if one.name == reminder.rule)
            # What the policy says now counts, as it does for everything else.
            audience = rule.audience_of(reminder.occurrence or 0)
            reminder = replace(reminder, audience=audience, message=rule.message, template=rule.template)
            statistics = self._statistics(reminder, rule)
            recipients = self._recipients(rule, reminder, session, statistics)
            result = deliver(
                reminder.key,
                self._mails(policy, reminder, session, statistics, recipients.mailable),
                ledger=ledger,
                transport=SmtpTransport(self.smtp_conn_id),
                once=rule.once,
                rate=self.rate,
                batch_size=self.batch_size,
            )
            return self._told(reminder, recipients, result)

    def _check_templates(self, policy: ReminderPolicy) -> None:
        """Refuse when the DAG is parsed what would fail in the middle of the night."""
        from airflow_provider_learning360.reminders.messages import check_templates

        if is_template(self.templates):
            return
        for rule in policy.rules:
            check_templates(rule, self.templates)

    def _conf_of_run(self, context: Context) -> dict[str, Any]:
        """Return the reminder of the run, if the run is the one that delivers it: a second one would mail all again."""
        run: Any = context["dag_run"]
        given = dict(run.conf or {})
        if given.get("key") not in (None, run.run_id):
            raise FixArgumentError(
                f"This run is not the one that delivers {redact(repr(given['key']))}: its ID has to be that key, so "
                "that nobody is mailed twice. Let the planner start it, or delete the run that has the key and plan "
                "again."
            )
        return given

    def _session(self, reminder: DueReminder, policy: ReminderPolicy, ledger: TaskLedger) -> ProgramSession:
        """Return the session as it is now, if the reminder is still right."""
        from airflow_provider_learning360.reminders.dates import later
        from airflow_provider_learning360.reminders.planner import still_valid

        now = datetime.now(tz=UTC)
        # Who is left of a delivery that had begun gets it however late: half of them have it.
        if now > later(reminder.due, policy.max_lateness.total) and not ledger.has_begun:
            raise AirflowSkipException(f"It was due at {reminder.due.isoformat()}, and is too late by now.")
        try:
            session = self.hook.get_program_session(reminder.session_id)
        except NotFoundError as error:
            raise AirflowSkipException(f"The session is gone. {error}") from error
        reason = still_valid(reminder.to_conf(), session, policy, now=now) or other_rule(reminder, policy)
        if reason is not None:
            raise AirflowSkipException(f"Nothing is sent: {reason}.")
        if not ledger.has_begun:
            self._wait_for_release(reminder, policy, now)
        return session

    def _wait_for_release(self, reminder: DueReminder, policy: ReminderPolicy, now: datetime) -> None:
        """Reschedule the task to the end of quiet hours and days off, or skip it where that would be too late."""
        from airflow.sdk.exceptions import AirflowRescheduleException

        from airflow_provider_learning360.reminders.calendar import Calendar

        is_before = policy.rule(reminder.rule).before is not None and reminder.anchor_at is not None
        before = datetime.fromisoformat(reminder.anchor_at or "") if is_before else None
        release = Calendar(policy).release(reminder.due, now, before)
        if release.at is None:
            raise AirflowSkipException(f"Nothing is sent: {release.reason}.")
        if release.at > now:
            self.log.info("%s: %s. Airflow starts the task again then.", reminder.key, release.reason)
            raise AirflowRescheduleException(release.at)

    def _statistics(self, reminder: DueReminder, rule: ReminderRule) -> SessionStatistics | None:
        for_digest = reminder.anchor == "endDate" and ("tutors" in reminder.audience or rule.to)
        if "not_completed" in reminder.audience or reminder.message == "digest" or for_digest:
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
        recipients: Sequence[Recipient],
    ) -> Iterator[tuple[str, Callable[[], EmailMessage]]]:
        """Yield for each recipient the key, and what builds the mail; none is built before its turn."""
        from airflow_provider_learning360.reminders.mail import build, mailbox
        from airflow_provider_learning360.reminders.messages import render, values_of

        sender = self.sender or self._sender_of_connection()
        change = changed_dates(reminder)
        # Once: a digest counts all learners.
        common = values_of(session, policy.zone, rule=reminder.rule, change=change, statistics=statistics)

        def mail(one: Recipient, key: str) -> EmailMessage:
            values = {**common, "recipient": {"first_name": one.first_name}}
            message = render(template_of(reminder, one.role), session.lang, values, directory=self.templates)
            name = " ".join(filter(None, (one.first_name, one.last_name)))
            to = mailbox(one.mail, name)
            return build(message, sender=sender, recipient=to, key=f"{reminder.key}:{key}", reply_to=self.reply_to)

        for one in recipients:
            key = self._key_of(one)
            yield key, lambda one=one, key=key: mail(one, key)  # type: ignore[misc]

    def _key_of(self, recipient: Recipient) -> str:
        from airflow_provider_learning360.reminders.recipients import recipient_key

        # The company ID is no password, but it is nothing that a stranger knows, and it never changes.
        return recipient_key(recipient.mail, self.hook.settings.company_id)

    def _sender_of_connection(self) -> str:
        # Not through the hook, which would open a connection to the mail server for it.
        try:
            sender = BaseHook.get_connection(self.smtp_conn_id).extra_dejson.get("from_email")
        except AirflowNotFoundException:
            raise SettingsError(
                f"There is no Airflow connection {self.smtp_conn_id!r}. Add one of type smtp."
            ) from None
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
        if result.refused and not (result.sent or result.already):
            raise FixConnectionError(
                f"{reminder.key}: the mail server refused all of {len(result.refused)} mails. Check what the login of "
                f"connection {self.smtp_conn_id!r} may send, to whom and how much; then clear the task."
            )
        if result.failed:
            raise TryAgainError(
                f"{reminder.key}: the mail server refused {len(result.failed)} mails for now; a retry sends them."
            )
        return {
            "reminder": reminder.key,
            "sent": result.sent,
            "already": result.already,
            "refused": result.refused[:MOST_KEYS],
            "unknown": result.unknown[:MOST_KEYS],
            "unmailable": unmailable[:MOST_KEYS],
            "counts": {"refused": len(result.refused), "unknown": len(result.unknown), "unmailable": len(unmailable)},
        }


def check_policy(policy: str | dict[str, Any]) -> ReminderPolicy:
    """
    Return a policy, or refuse it when the DAG is parsed.

    :param policy: The argument of an operator.
    :raises FixArgumentError: It is not valid; names rule and field.
    """
    from airflow_provider_learning360.reminders.policy import ReminderPolicy

    return ReminderPolicy.read(policy)


def template_of(reminder: DueReminder, role: str) -> str:
    """
    Return the name of the template for a recipient: that of the rule, or the built-in one of its kind.

    :param reminder: The reminder.
    :param role: What the recipient is: `learner`, `tutor` or `fixed`.
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
        return "tutors_digest"  # who is late is no news to a tutor as "you have not finished"
    return "before_end" if datetime.fromisoformat(reminder.anchor_at or "") > reminder.due else "overdue"


def other_rule(reminder: DueReminder, policy: ReminderPolicy) -> str | None:
    """
    Return why a rule is not the one that a reminder was planned by, although it has the same name; or None.

    :param reminder: The reminder.
    :param policy: The policy as it is now.
    """
    rule = next(one for one in policy.rules if one.name == reminder.rule)
    same = rule.anchor == reminder.anchor and (rule.every is None) == (reminder.occurrence is None)
    return None if same else f"rule {rule.name!r} was made another one since it was planned"


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
