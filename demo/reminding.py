"""The last act of the demo: the dates were moved, and the tutors learn of it, from a mail server on this machine."""

from __future__ import annotations

import json
import os
import socket
from contextlib import contextmanager
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

# As in dags_examples/reminders.yaml, but a demo has no ten minutes to let things settle.
POLICY = {"name": "demo", "rules": [{"name": "moved", "on": "date_changed", "settle": {}, "audience": "tutors"}]}


class Inbox:
    """Keeps the mails that a local SMTP server accepts."""

    def __init__(self) -> None:
        self.mails: list[Any] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(message_from_bytes(envelope.original_content, policy=policy.default))
        return "250 OK"


@contextmanager
def mail_server() -> Iterator[Inbox]:
    """A mail server on loopback, and the Airflow connection to it."""
    from aiosmtpd.controller import Controller

    inbox = Inbox()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(inbox, hostname="127.0.0.1", port=port)
    controller.start()
    extra = {"from_email": "Academy <academy@example.com>", "disable_ssl": True, "disable_tls": True}
    os.environ["AIRFLOW_CONN_SMTP_DEFAULT"] = json.dumps(
        {"conn_type": "smtp", "host": "127.0.0.1", "port": port, "extra": extra}
    )
    try:
        yield inbox
    finally:
        controller.stop()


def plan(session_id: str) -> list[dict[str, Any]]:
    """Run the DAG that plans; return the reminders that are due. The first time, it only gets to know the dates."""
    from demo import pulled

    from reminders import plan_reminders

    task = plan_reminders.get_task("plan")
    task.policy, task.sessions = POLICY, [session_id]
    run = plan_reminders.test()
    (planned,) = pulled(run, "plan") or ([],)
    return list(planned)


def deliver(planned: list[dict[str, Any]]) -> None:
    """Run the DAG that delivers, for each reminder."""
    from reminders import deliver_reminder

    send = deliver_reminder.get_task("send")
    send.policy = POLICY
    for reminder in planned:
        # Not as the configuration of the run: that has to be the one whose ID is the reminder's key.
        send.reminder = reminder["conf"]
        deliver_reminder.test()
