"""
One try of a delivery in a process of its own, which a test kills.

`python delivery_process.py STORE DELIVERY RECIPIENTS CONNECTIONS`: the ledger is in the file STORE, which survives.
"""

from __future__ import annotations

import json
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from airflow_provider_learning360.reminders.delivery import deliver
from airflow_provider_learning360.reminders.ledger import TaskDeliveryLedger
from airflow_provider_learning360.reminders.mail import build_mail
from airflow_provider_learning360.reminders.mail_templates import MailText
from airflow_provider_learning360.reminders.transport import SmtpTransport

WRITE_TIME = 0.01  # seconds


class FileStore:
    """A store in a file. A write is complete, or it has not happened."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, key: str, default: Any = None) -> Any:
        return self._load().get(key, default)

    def set(self, key: str, value: Any, *, forever: bool = False) -> None:
        time.sleep(WRITE_TIME / 2)
        half = self._path.with_suffix(".half")
        half.write_text(json.dumps({**self._load(), key: value}))
        half.replace(self._path)
        time.sleep(WRITE_TIME / 2)

    def delete(self, key: str) -> None:
        raise NotImplementedError

    def _load(self) -> dict[str, Any]:
        return json.loads(self._path.read_text()) if self._path.exists() else {}


def main(path: str, delivery: Any, recipients: str, connections: str) -> None:
    text = MailText("Reminder", "It starts soon.\n", "<p>It starts soon.</p>\n")
    mails = (
        (f"r{one}", partial(build_mail, text, sender="me@example.com", recipient=f"r{one}@example.com", key=f"r{one}"))
        for one in range(int(recipients))
    )
    ledger = TaskDeliveryLedger(FileStore(Path(path)))
    print("started", flush=True)
    result = deliver(
        "reminder",
        mails,
        ledger=ledger,
        transport=SmtpTransport(),
        delivery=delivery,
        connections=int(connections),
    )
    print(json.dumps(vars(result)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
