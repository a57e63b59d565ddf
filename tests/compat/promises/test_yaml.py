"""A DAG in YAML whose steps act: a webhook for each item, a mail with a table, a message."""

from __future__ import annotations

import importlib.util
import json
import os
import threading
from collections.abc import Iterator
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_learning360.blueprints.approval import import_approval_operator
from smtp_server import Accepted, SmtpServer

AIRFLOW = tuple(int(part) for part in version("apache-airflow").split(".")[:2])
try:
    STANDARD = tuple(int(part) for part in version("apache-airflow-providers-standard").split(".")[:3])
except PackageNotFoundError:
    STANDARD = ()
FOLDER = Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]) / "workflows"


class Hooks(BaseHTTPRequestHandler):
    """A webhook that keeps what it gets."""

    seen: list[Any] = []  # noqa: RUF012 - of the class

    def do_POST(self) -> None:
        self.seen.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    monkeypatch.setattr(Hooks, "seen", [])
    with ThreadingHTTPServer(("127.0.0.1", 0), Hooks) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        monkeypatch.setenv("AIRFLOW_CONN_ROOMS", f"http://127.0.0.1:{server.server_port}")
        yield Hooks.seen
        server.shutdown()
        thread.join(10)


@pytest.fixture
def smtp(monkeypatch: pytest.MonkeyPatch) -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        # The first versions of the provider try as often as this says, and not once more.
        extra = {**server.connection["extra"], "from_email": "a@example.com", "retry_limit": 1}
        connection = {**server.connection, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))
        yield server


def load_dags() -> dict[str, Any]:
    """Run the loader as Airflow does, and return its DAGs by their ID."""
    loader = FOLDER / "loader.py"
    spec = importlib.util.spec_from_file_location("workflows_loader", loader)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {one.dag_id: one for one in vars(module).values() if isinstance(one, DAG)}


def text_of(mail: Accepted) -> str:
    parts = message_from_bytes(mail.raw, policy=default).walk()
    return "".join(one.get_content() for one in parts if one.get_content_type() in ("text/plain", "text/html"))


@pytest.mark.learning360_simulator(sessions=3)
def test_steps_act_on_what_earlier_steps_returned(
    learning360_simulator: Any, hooks: list[Any], smtp: SmtpServer
) -> None:
    run = load_dags()["acting_steps"].test()

    assert run.state == "success"
    names = [learning360_simulator.session(one)["name"] for one in learning360_simulator.session_ids]
    assert sorted(one["name"] for one in hooks) == sorted(names)
    assert {one["all"] for one in hooks} == {3}
    assert smtp.recipients == ["hr@example.com", "it@example.com"]
    assert [one.subject for one in smtp.mails] == ["3 rooms of 3", "Done"]
    assert all(" ".join(name.split()) in text_of(smtp.mails[0]) for name in names)
    assert "1 mail was sent." in text_of(smtp.mails[1])


@pytest.mark.learning360_simulator(sessions=2, today=None)
def test_example_enrols_a_group_and_reports(learning360_simulator: Any, smtp: SmtpServer) -> None:
    session_id = learning360_simulator.session_ids[0]
    people = learning360_simulator.session(session_id)["users"]
    learning360_simulator.edit(session_id, users=people[:2], endDate="2999-01-01T00:00:00.000Z")

    run = load_dags()["enrol_group"].test()

    assert run.state == "success"
    assert len(learning360_simulator.session(session_id)["users"]) > 2
    assert smtp.recipients == ["hr@example.com"]


def test_broken_file_stops_its_own_dag_and_names_step_and_field() -> None:
    text = (FOLDER / "acting_steps.dag.yaml").read_text("utf-8")
    broken = FOLDER / "a_broken.dag.yaml"
    broken.write_text(text.replace("acting_steps", "broken").replace("endpoint:", "endpont:"), "utf-8")
    try:
        dags = load_dags()
        with pytest.raises(Exception, match=r"a_broken\.dag\.yaml(?s:.)*room(?s:.)*endpont"):
            dags["learning360_broken_file_1"].validate()
        assert "acting_steps" in dags
    finally:
        broken.unlink()


@pytest.mark.promise("YAML: watch")
def test_dag_that_watches_says_which_airflow_it_needs(refused: Any) -> None:
    dags = load_dags()
    if AIRFLOW >= (3, 0):
        assert "tell_tutors" in dags
    else:
        with refused(Exception, match=r"tell_tutors\.dag\.yaml(?s:.)*Airflow 3\.0"):
            dags["learning360_broken_file_1"].validate()


@pytest.mark.promise("YAML: approval")
def test_step_that_asks_says_which_airflow_it_needs(refused: Any) -> None:
    if AIRFLOW >= (3, 1) and STANDARD >= (1, 12, 2):
        assert import_approval_operator().__name__ == "ApprovalOperator"
    else:
        with refused(ImportError, match=r"Airflow 3\.1 or later, and apache-airflow-providers-standard 1\.12\.2"):
            import_approval_operator()
