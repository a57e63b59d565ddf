"""The steps that act: mails, messages and webhooks."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any

import pytest

from airflow.providers.common.compat.sdk import AirflowSkipException, BaseNotifier

from airflow_provider_learning360.api.errors import ContractError, FixArgumentError, SettingsError, TryAgainError
from airflow_provider_learning360.dag_yaml.mail import MailOperator, build_text, find_addresses
from airflow_provider_learning360.dag_yaml.message import MessageOperator, build_notifier
from airflow_provider_learning360.dag_yaml.people_file import read_people
from airflow_provider_learning360.dag_yaml.webhook import WebhookOperator
from smtp_server import SmtpServer

ITEM = {"name": "Safety <b>", "startDate": "2026-03-01T08:00:00.000Z", "tutors": ["ann@example.com", "no address"]}


class Store:
    """The task state store of one task."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def get(self, key: str, default: Any = None) -> Any:
        return self.values.get(key, default)

    def set(self, key: str, value: Any, retention: Any = None) -> None:
        self.values[key] = value


def run(operator: Any, store: Store | None = None) -> Any:
    """Execute a task outside of Airflow."""
    from airflow.sdk import DAG

    operator.dag = DAG("it")
    context = {"ti": SimpleNamespace(map_index=-1), "run_id": "one", "task_state_store": store, "ds": "2026-01-01"}
    return operator.execute(context)


@pytest.fixture
def smtp(monkeypatch: pytest.MonkeyPatch) -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        connection = {**server.connection, "extra": {**server.connection["extra"], "from_email": "a@example.com"}}
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))
        yield server


def mail(**arguments: Any) -> MailOperator:
    given = {"to": ["hr@example.com"], "subject": "New dates", "text": "They moved.", "task_id": "tell", **arguments}
    return MailOperator(**given)


def parts_of(raw: bytes) -> tuple[str, str]:
    message = message_from_bytes(raw, policy=default)
    texts = [message.get_body((kind,)) for kind in ("plain", "html")]
    return tuple(one.get_content() for one in texts)  # type: ignore[union-attr,return-value]


def test_mail_shows_the_item_and_escapes_it(smtp: SmtpServer) -> None:
    task = mail(
        item=ITEM,
        to="{{ item.tutors }}",
        subject="New: {{ item.name }} {{ ds }}",
        text="Starts {{ item.startDate }}\nin {{ item.name }}.",
        time_zone="Europe/Paris",
    )
    assert run(task) == {"sent": 1, "already": 0, "refused": 0, "unmailable": 1}
    (sent,) = smtp.mails
    assert sent.recipients == ["ann@example.com"]
    assert sent.subject == "New: Safety <b> 2026-01-01"
    plain, html = parts_of(sent.raw)
    assert "Starts 2026-03-01 09:00 (Europe/Paris)\nin Safety <b>." in plain.replace("\r\n", "\n")
    assert "in Safety &lt;b&gt;." in html


def test_mail_of_a_run_goes_to_nobody_twice(smtp: SmtpServer) -> None:
    store = Store()
    smtp.behaviour.refuse = {"ben@example.com": 450}
    addresses = ["ann@example.com", "ben@example.com", "ANN@example.com"]
    with pytest.raises(TryAgainError, match="refused 1 mail for now"):
        run(mail(to=addresses), store)
    smtp.behaviour.refuse = {}
    assert run(mail(to=addresses), store) == {"sent": 1, "already": 1, "refused": 0, "unmailable": 0}
    assert smtp.recipients == ["ann@example.com", "ben@example.com"]
    assert "@" not in json.dumps(store.values)


def test_data_in_a_mail_is_not_rendered(smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_SECRET", "canary")
    task = mail(item={"name": "{{ var.value.secret }}"}, text="{{ item.name }}")
    run(task)
    assert "canary" not in smtp.mails[0].raw.decode()
    assert "{{ var.value.secret }}" in parts_of(smtp.mails[0].raw)[0]


def test_mail_without_recipients_or_rows_skips_the_task() -> None:
    with pytest.raises(AirflowSkipException, match="nobody with a mail address"):
        run(mail(to=["no address", ""]))
    with pytest.raises(AirflowSkipException, match="no rows"):
        run(mail(table="{{ item.late }}", item={"late": [[], []]}, empty="skip"))


def test_hole_in_a_mail_is_named_in_the_log(smtp: SmtpServer, caplog: pytest.LogCaptureFixture) -> None:
    item = {"name": "Safety", "end": None, "rows": [{"a": 1}, {}]}
    text = "{{ item.nmae }} {{ item.name }} {% if item.end %}x{% endif %} {{ item.rows[1].b }}"
    run(mail(item=item, text=text, table="{{ item.rows }}", columns={"a": "A", "b": "B"}))
    named = [one.getMessage().partition(" is empty")[0] for one in caplog.records if "is empty" in one.getMessage()]
    assert named == ["item.nmae", "item.rows[1].b", "Column b"]
    assert len(smtp.mails) == 1


def test_mail_without_sender_names_what_to_set(smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(smtp.connection))
    with pytest.raises(FixArgumentError, match="sender: it is not given, and connection 'smtp_default'"):
        run(mail())


def test_addresses_are_found_in_lists_objects_and_texts() -> None:
    found = find_addresses([["ann@example.com, Ben@example.com"], {"mail": "ann@EXAMPLE.com"}, {"name": "x"}, "no"])
    assert found == (["ann@example.com", "Ben@example.com"], 2)


def test_table_has_the_chosen_columns_and_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    from zoneinfo import ZoneInfo

    monkeypatch.setattr("airflow_provider_learning360.dag_yaml.mail.MAX_ROWS", 2)
    rows = [{"a": "<1>", "b": "2026-03-01T08:00:00Z", "c": "no"}, {"a": None}, {"a": 3}]
    built = build_text("s", "t", rows, {"a": "A", "b": "When"}, ZoneInfo("UTC"))
    assert built.text == "t\nA | When\n<1> | 2026-03-01 08:00 (UTC)\n | \n... and 1 more\n"
    assert "<td>&lt;1&gt;</td>" in built.html
    assert "no" not in built.html.replace("and 1 more", "")
    assert build_text("s", "t", rows[:1], None, ZoneInfo("UTC")).text.splitlines()[1] == "a | b | c"


class Recorder(BaseNotifier):
    """Keeps what was sent."""

    template_fields = ("text",)
    sent: list[str] = []  # noqa: RUF012 - of the class

    def __init__(self, text: str, channel: str = "all") -> None:
        super().__init__()
        self.text, self.channel = text, channel

    def notify(self, context: Any) -> None:
        self.sent.append(f"{self.channel}: {self.text}")


PATH = f"{__name__}.Recorder"


@pytest.fixture
def _recorder(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setattr(Recorder, "sent", [])
    monkeypatch.setitem(sys.modules, __name__, SimpleNamespace(Recorder=Recorder))


@pytest.mark.usefixtures("_recorder")
def test_message_goes_through_the_notifier_and_data_is_not_rendered() -> None:
    item = {"name": "{{ 7 * 7 }}"}
    run(MessageOperator(task_id="it", notifier=PATH, arguments={"text": "New: {{ item.name }}"}, item=item))
    assert Recorder.sent == ["all: New: {{ 7 * 7 }}"]


@pytest.mark.usefixtures("_recorder")
@pytest.mark.parametrize(
    ("path", "arguments", "problem"),
    [
        ("airflow.providers.nothing.Notifier", {}, "there is no 'airflow.providers.nothing.Notifier'"),
        ("NoModule", {}, "there is no 'NoModule'"),
        ("collections.OrderedDict", {}, "is not a notifier"),
        (
            PATH,
            {"txt": "x"},
            "txt: Recorder has no such argument; known are text, channel; did you mean text",
        ),
        (PATH, {"channel": "x"}, "Recorder refused them .*'text'.* Its arguments are text, channel"),
    ],
)
def test_wrong_notifier_is_refused(path: str, arguments: dict[str, Any], problem: str) -> None:
    with pytest.raises(FixArgumentError, match=problem):
        build_notifier(path, arguments)


class _Hooks(BaseHTTPRequestHandler):
    seen: list[tuple[str, str, Any]] = []  # noqa: RUF012 - of the class
    status = 200

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((self.command, self.path, json.loads(body)))
        self.send_response(self.status)
        if self.status == 307:
            self.send_header("Location", "/elsewhere")
        self.end_headers()

    do_PUT = do_POST

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Hooks]]:
    monkeypatch.setattr(_Hooks, "seen", [])
    server = HTTPServer(("127.0.0.1", 0), _Hooks)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    monkeypatch.setenv("AIRFLOW_CONN_ROOMS", f"http://127.0.0.1:{server.server_port}")
    yield _Hooks
    server.shutdown()
    server.server_close()
    thread.join(10)


def test_webhook_gets_the_rendered_body(hooks: type[_Hooks]) -> None:
    body = {"name": "{{ item.name }}", "tutors": "{{ item.tutors }}", "n": 3}
    task = WebhookOperator(task_id="it", http_conn_id="rooms", endpoint="/x", body=body, method="PUT", item=ITEM)
    assert run(task) == {"status": 200}
    assert hooks.seen == [("PUT", "/x", {"name": "Safety <b>", "tutors": ITEM["tutors"], "n": 3})]


@pytest.mark.parametrize(("status", "error"), [(500, TryAgainError), (404, ContractError), (307, ContractError)])
def test_webhook_that_refuses_says_whether_a_retry_helps(
    hooks: type[_Hooks], monkeypatch: pytest.MonkeyPatch, status: int, error: type[Exception]
) -> None:
    monkeypatch.setattr(hooks, "status", status)
    with pytest.raises(error, match=f"connection 'rooms' returned {status}"):
        run(WebhookOperator(task_id="it", http_conn_id="rooms"))
    assert len(hooks.seen) == 1


def test_webhook_that_does_not_respond_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ROOMS", "http://user:canary@127.0.0.1:9")
    with pytest.raises(TryAgainError, match="did not respond") as caught:
        run(WebhookOperator(task_id="it", http_conn_id="rooms", endpoint="/services/canary"))
    assert "canary" not in str(caught.value) + caplog.text + "".join(capsys.readouterr())
    assert caught.value.__cause__ is None


@pytest.mark.usefixtures("airflow_db")
@pytest.mark.parametrize(
    ("operator", "conn_type"),
    [(WebhookOperator(task_id="it", http_conn_id="no_such"), "http"), (mail(smtp_conn_id="no_such"), "smtp")],
)
def test_missing_connection_is_named_and_not_tried_again(operator: Any, conn_type: str) -> None:
    with pytest.raises(
        SettingsError, match=f"connection 'no_such' is not defined. Add one of type {conn_type}"
    ) as caught:
        run(operator)
    assert not caught.value.retryable


def test_webhook_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_learning360.dag_yaml.webhook.MAX_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AIRFLOW_CONN_ROOMS", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(TryAgainError, match="did not respond"):
            run(WebhookOperator(task_id="it", http_conn_id="rooms"))


@pytest.mark.parametrize("value", [5, "a\nb", "\u0100"])
def test_header_that_cannot_be_sent_is_no_failure_of_the_network(hooks: type[_Hooks], value: Any) -> None:
    with pytest.raises(FixArgumentError, match="headers are texts on one line"):
        run(WebhookOperator(task_id="it", http_conn_id="rooms", headers={"X-Room": value}))
    assert hooks.seen == []


def test_people_are_read_from_a_column(tmp_path: Any) -> None:
    path = tmp_path / "list.csv"
    path.write_text("\ufeffname; mail \nAnn;ann@example.com\nBen; ben@example.com \n;\nAnn;ann@example.com\n")
    assert read_people(str(path), "mail") == ["ann@example.com", "ben@example.com"]
    with pytest.raises(FixArgumentError, match="has no column 'mial'; it has name, mail; did you mean mail"):
        read_people(str(path), "mial")
    path.write_bytes(b"mail\n\xff\xfe\n")
    with pytest.raises(FixArgumentError, match="is not UTF-8"):
        read_people(str(path), "mail")
    path.write_text("ann@example.com\n")
    with pytest.raises(FixArgumentError) as caught:
        read_people(str(path), "mail")
    assert "ann@" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("Marie;Curie;marie@example.com\n", "its first line is about a person. Add a line above"),
        (f"Marie;Curie;{'a1' * 12}\n", "its first line is about a person. Add a line above"),
        ("", "list.csv is empty. Its first line names the columns"),
        ("\ufeff \n\n", "list.csv is empty"),
        ("name;mail\n", "list.csv has no people"),
        ("name;mail\n;\n\n", "list.csv has no people"),
        ("name;mail\nAnn;ann@example.com\nCurie; \n", "nothing in column 'mail' at line 3"),
        ("name;mail\nCurie\n", "nothing in column 'mail' at line 2"),
        ("mail;name\n;Curie;x\n", "nothing in column 'mail' at line 2"),
        ('mail\n"' + "Curie " * 30_000, "is not CSV at line 2"),
    ],
)
def test_file_without_columns_shows_nobody(tmp_path: Any, content: str, problem: str) -> None:
    path = tmp_path / "list.csv"
    path.write_text(content)
    with pytest.raises(FixArgumentError, match=problem) as caught:
        read_people(str(path), "mail")
    assert "Curie" not in str(caught.value)


def test_path_that_cannot_be_read_is_named() -> None:
    with pytest.raises(FixArgumentError, match="is not the path of a file"):
        read_people("list\0", "mail")
