"""Mails per second to a server in a process of its own, and the memory for ten thousand recipients."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from airflow.providers.smtp.hooks.smtp import SmtpHook

from airflow_provider_learning360.api.models import ProgramSession
from airflow_provider_learning360.reminders.delivery import deliver
from airflow_provider_learning360.reminders.mail import build_mail
from airflow_provider_learning360.reminders.mail_templates import build_values, render
from airflow_provider_learning360.reminders.transport import SmtpTransport
from benchmark_results import beside
from real_airflow import rss
from smtp_server import SmtpServerProcess

SENDER = "Académie <academy@example.com>"
SESSION = ProgramSession.model_validate(
    {
        "_id": "5f8d0d55b54764421b7156c9",
        "name": "Sécurité au travail",
        "startDate": datetime(2026, 3, 9, 13, tzinfo=UTC),
        "endDate": datetime(2026, 4, 1, 10, tzinfo=UTC),
    }
)


class Entries(dict[str, str]):
    """A ledger in memory."""

    def find_state(self, key: str) -> str | None:
        return self.get(key)

    def record(self, entries: Mapping[str, str]) -> None:
        self.update(entries)


def mail(number: int) -> EmailMessage:
    """Render and build one mail, as the operator does for each recipient."""
    values = build_values(SESSION, ZoneInfo("Europe/Paris"), rule="day_before", first_name=f"Zoé {number}")
    text = render("before_start", "fr", values)
    return build_mail(text, sender=SENDER, recipient=f"learner{number}@example.org", key=f"reminder {number}")


def watched(count: int, seen: list[float]) -> Iterator[tuple[str, Callable[[], EmailMessage]]]:
    """Yield the mails, and measure the memory of this process now and then."""
    for number in range(count):
        if number % 500 == 0:
            seen.append(rss(os.getpid()))
        yield f"r{number}", partial(mail, number)


def test_mailing(
    benchmark: Any, measuring: bool, figure: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count, peers = (10_000, 500) if measuring else (20, 2)
    memory: list[float] = []
    with SmtpServerProcess(tmp_path / "mails") as server:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(server.connection))
        one = {"delivery": "at_least_once", "batch_size": count, "connections": 1}
        send: Any = partial(deliver, "reminder", transport=SmtpTransport(), **one)  # type: ignore[arg-type]
        send(watched(20, []), ledger=Entries())  # what is imported and compiled once

        clock, cpu = time.perf_counter(), time.process_time()
        result = benchmark.pedantic(lambda: send(watched(count, memory), ledger=Entries()), rounds=1)
        seconds, of_ours = time.perf_counter() - clock, time.process_time() - cpu
        theirs = peer(peers)

        assert result.sent == count
        assert len(server.mails) == 20 + count + peers
    rate = count / seconds
    named = beside("SmtpHook.send_email_smtp", theirs, rate, "")
    figure("mails a second, one connection", f"{rate:.0f}", "> 200", named)
    figure("CPU of the client a mail", f"{of_ours / count * 1000:.1f} ms", "")
    figure("memory for 10,000 recipients", f"+{max(memory) - memory[0]:.1f} MB", "bounded")


def peer(count: int) -> float:
    """Return mails per second of the SMTP provider's own method, for the same text on one connection."""
    page = render("before_start", "fr", build_values(SESSION, ZoneInfo("Europe/Paris"), rule="day_before")).html
    with SmtpHook() as hook:
        began = time.perf_counter()
        for number in range(count):
            to = f"learner{number}@example.org"
            hook.send_email_smtp(to=to, subject="Rappel", html_content=page, from_email=SENDER)
        return count / (time.perf_counter() - began)
