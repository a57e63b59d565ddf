"""
A list of very many program sessions of API v1 over a real socket, and how much memory its readers take.

`python -m long_list READER` reads the list of connection `long`, in a process of its own, and prints one JSON line.
"""

from __future__ import annotations

import asyncio
import gc
import io
import json
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

DAYS = 4000  # over which the starts of the sessions are spread
BLOCK = 500  # sessions that are sent at once
DESCRIPTION = '<p>About [the] \\"rules\\".</p>\\n' * 28


def build_session(number: int, now: datetime) -> bytes:
    """Return one session of some 1,250 bytes; one in `DAYS` of them starts in a day."""
    start = now + timedelta(days=1 + number % DAYS, minutes=-5)
    dates = [one.strftime("%Y-%m-%dT%H:%M:%S.000Z") for one in (start, start + timedelta(days=30), now)]
    return (
        f'{{"_id":"{number:024x}","name":"Session {number:06d}: safety at work","startDate":"{dates[0]}",'
        f'"endDate":"{dates[1]}","modifiedAt":"{dates[2]}","programTemplate":"{number % 50:024x}",'
        f'"description":"{DESCRIPTION}","automatedReminders":false,'
        f'"users":[{{"_id":"{number + 1:024x}","mail":"learner{number:06d}@example.com"}}]}}'
    ).encode()


class LongListServer:
    """
    Serves a list of many program sessions; nothing of it is held in memory. Use it as a context manager.

    :param sessions: How many there are.
    """

    def __init__(self, sessions: int) -> None:
        self.sessions = sessions
        self.now = datetime.now(tz=UTC)
        self.size = sessions * (len(build_session(0, self.now)) + 1) + 1
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._build_handler())
        self.connection = json.dumps({
            "conn_type": "learning360",
            "host": f"http://127.0.0.1:{self._server.server_port}",
            "login": "demo-company",
            "password": "demo-key",
            "extra": {"retry_attempts": 1},
        })  # fmt: skip

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def blocks(self) -> Iterator[bytes]:
        """Yield the list."""
        yield b"["
        for begin in range(0, self.sessions, BLOCK):
            numbers = range(begin, min(begin + BLOCK, self.sessions))
            block = b",".join(build_session(number, self.now) for number in numbers)
            yield block + (b"]" if numbers[-1] == self.sessions - 1 else b",")

    def _build_handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(server.size))
                self.end_headers()
                for block in server.blocks():
                    self.wfile.write(block)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def read_documents(conn_id: str) -> tuple[Any, dict[str, Any]]:
    """List all sessions by the operator."""
    from airflow_provider_learning360.operators.program_session import ListProgramSessionsOperator

    documents = ListProgramSessionsOperator(task_id="list", learning_conn_id=conn_id).execute(
        {"ti": object()}  # type: ignore[arg-type]
    )
    size = sum(sys.getsizeof(one) + sum(map(sys.getsizeof, one.values())) for one in documents)
    return documents, {"sessions": len(documents), "kept": size / 1e6}


def read_plan(conn_id: str) -> tuple[Any, dict[str, Any]]:
    """Plan the reminders of all sessions."""
    from airflow_provider_learning360.operators.reminders import PlanSessionRemindersOperator

    rules = [
        {"name": "day_before", "anchor": "startDate", "before": {"days": 1}, "audience": "learners"},
        {"name": "overdue", "anchor": "endDate", "after": {"days": 1}, "audience": "learners"},
    ]
    policy = {"name": "academy", "rules": rules}
    plan = PlanSessionRemindersOperator(task_id="plan", policy=policy, learning_conn_id=conn_id).execute(
        {}  # type: ignore[arg-type]
    )
    return plan, {"planned": len(plan), "kept": 0.0}


def read_page(conn_id: str) -> tuple[Any, dict[str, Any]]:
    """Read the list of the page in its thread, and search in it again and again until it is complete."""
    from airflow_provider_learning360.hooks.learning import LearningHook
    from airflow_provider_learning360.ui.session_list import SessionLists

    lists, hook = SessionLists(), LearningHook(conn_id)

    async def search() -> tuple[Any, set[int], float]:
        seen, longest, last = set(), 0.0, time.perf_counter()
        while True:
            found = lists.get(conn_id, hook.stream_program_sessions)
            if found.finished is not None:
                return found, seen, longest
            if len(seen) < 20 and len(found.sessions) > 1000 * len(seen):
                seen.add(found.search("safety 0001", datetime.now(tz=UTC))["read"])
                last = time.perf_counter()
            await asyncio.sleep(0.001)
            longest, last = max(longest, time.perf_counter() - last), time.perf_counter()

    found, seen, longest = asyncio.run(search())
    about = {"sessions": len(found.sessions), "searches": len(seen), "stall_ms": round(longest * 1000)}
    return found, {**about, "kept": found.size / 1e6}


POLICY = {
    "name": "academy",
    "rules": [{"name": "day_before", "anchor": "startDate", "before": {"days": 1}, "to": ["office@example.com"]}],
}


def read_preview(conn_id: str) -> tuple[Any, dict[str, Any]]:
    """Plan the reminders of all sessions for people, by the command."""
    from airflow_provider_learning360.cli.__main__ import main

    with TemporaryDirectory() as folder, redirect_stdout(io.StringIO()) as out:
        path = Path(folder, "policy.json")
        path.write_text(json.dumps(POLICY))
        main(["plan-reminders", str(path), "--horizon", "0", "-o", "json", "--learning-conn-id", conn_id])
    totals = json.loads(out.getvalue())["totals"]
    return out, {"sessions": totals["sessions"], "planned": totals["reminders"], "kept": 0.0}


def read_form(conn_id: str) -> tuple[Any, dict[str, Any]]:
    """Plan the reminders of all sessions for people, in the form of the page."""
    from airflow_provider_learning360.hooks.learning import LearningHook
    from airflow_provider_learning360.ui import reminder_plan

    reminder_plan.MAX_SECONDS = 600.0  # this machine may be busy
    plan = reminder_plan.plan_reminders(LearningHook(conn_id), POLICY, [], approval=False, days=0)
    assert (plan["failure"], plan["complete"]) == (None, True)
    return plan, {"sessions": plan["sessions"], "planned": len(plan["plan"]), "kept": 0.0}


READERS: dict[str, Callable[[str], tuple[Any, dict[str, Any]]]] = {
    "list": read_documents,
    "planner": read_plan,
    "page": read_page,
    "preview": read_preview,
    "form": read_form,
}


def read_status(name: str) -> float:
    """Return a size in the status of this process, in MB."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[name].split()[0]) * 1024 / 1e6


def main() -> None:
    """Measure one reader."""
    read = READERS[sys.argv[1]]
    read("short")  # what is imported and opened once does not count
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
    before, began = read_status("VmRSS"), time.perf_counter()
    result, about = read("long")
    seconds, growth = time.perf_counter() - began, read_status("VmHWM") - before
    cpu = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    del result
    print(json.dumps({**about, "growth": growth, "seconds": seconds, "cpu": cpu}))


if __name__ == "__main__":
    main()
