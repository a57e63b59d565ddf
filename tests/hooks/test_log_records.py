"""Log records of HTTP libraries: keys and tokens are hidden. Records of other libraries are unchanged."""

from __future__ import annotations

import logging
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_learning360.api.credentials import Credentials, Token
from airflow_provider_learning360.hooks.log_records import GuardedRecords, guard_logs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KEY = "c4n4ry/of+the-mine"
LOGGERS = [
    "airflow_provider_learning360.triggers.poller",
    "urllib3",
    "urllib3.connection",
    "requests",
    "aiohttp.client",
    "asyncio",
    "py.warnings",
    "urllib3.made.later",
]


class Shown(logging.Handler):
    """Keeps records, and all that a handler could show of them."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def everything(self) -> str:
        form = logging.Formatter()
        return "\n".join(f"{form.format(one)} {vars(one)} {vars(one).get('exc_info')!r}" for one in self.records)


@pytest.fixture
def shown() -> Iterator[Shown]:
    handler, root = Shown(), logging.getLogger()
    before = logging.getLogRecordFactory()
    root.addHandler(handler)
    yield handler
    root.removeHandler(handler)
    logging.setLogRecordFactory(before)


@pytest.fixture
def credentials() -> Credentials:
    made = Credentials("query", "company", KEY)
    guard_logs(made)
    return made


class Answer:
    def __repr__(self) -> str:
        return f"<Answer of /?apiKey={KEY}>"


def as_message(log: logging.Logger) -> None:
    log.warning(f"GET /?apiKey={KEY}")  # noqa: G004 - a library may do so


def as_argument(log: logging.Logger) -> None:
    log.warning("GET %s, %d", f"/?apiKey={KEY}", 1)


def as_object(log: logging.Logger) -> None:
    log.warning("got %r of %s", Answer(), [Answer()])


def as_mapping(log: logging.Logger) -> None:
    log.warning("got %(status)s", {"status": 200, "url": f"/?apiKey={KEY}"})


def as_exception(log: logging.Logger) -> None:
    try:
        try:
            raise ValueError(KEY)
        except ValueError as error:
            raise RuntimeError("failed") from error
    except RuntimeError:
        log.exception("failed")


def as_exception_object(log: logging.Logger) -> None:
    log.warning("failed", exc_info=ValueError(KEY))


def as_wrong_arguments(log: logging.Logger) -> None:
    log.warning("one %s", KEY, KEY)  # noqa: PLE1205


WAYS = [as_message, as_argument, as_object, as_mapping, as_exception, as_exception_object, as_wrong_arguments]


@pytest.mark.parametrize("name", LOGGERS)
@pytest.mark.parametrize("way", WAYS)
def test_record_shows_no_key(shown: Shown, credentials: Credentials, name: str, way: Callable[..., None]) -> None:
    way(logging.getLogger(name))
    assert shown.records
    assert KEY not in shown.everything()


def test_stack_info_shows_no_key(shown: Shown, credentials: Credentials) -> None:
    record = logging.getLogRecordFactory()("urllib3", 10, "", 1, "failed", (), None, None, f"Stack: {KEY}")
    assert KEY not in f"{vars(record)}"
    assert "Stack: ***" in logging.Formatter().format(record)


@pytest.mark.parametrize(
    "shape", ["X-apiKey: {}", "{{'X-apiKey': '{}'}}", "Authorization: Bearer {}", "/?apiKey={}&x=1"]
)
def test_key_out_of_use_is_hidden_by_its_name(shown: Shown, shape: str) -> None:
    guard_logs(Credentials("query", "company", "another-key"))
    logging.getLogger("urllib3").warning("%s", shape.format("c4n4ry-of-the-past"))
    assert "c4n4ry" not in shown.everything()


def test_later_token_is_hidden(shown: Shown, credentials: Credentials) -> None:
    credentials.accept_token(Token("c4n4ry.token", 60), 0)
    logging.getLogger("aiohttp.client").warning("sent c4n4ry.token")
    assert "c4n4ry" not in shown.everything()


class Unshowable:
    def __repr__(self) -> str:
        raise RuntimeError("never")


def test_unprintable_record_does_not_stop_logging(shown: Shown, credentials: Credentials) -> None:
    logging.getLogger("asyncio").warning("fine %(one)s", {"one": 1, "two": Unshowable()})
    assert [one.getMessage() for one in shown.records] == ["fine 1"]


def test_record_without_a_secret_is_unchanged(shown: Shown, credentials: Credentials) -> None:
    given = (["list"], 5, "text")
    try:
        raise ValueError("nothing secret")
    except ValueError:
        logging.getLogger("urllib3").warning("%s %d %s", *given, exc_info=True)
        error = sys.exc_info()
    (record,) = shown.records
    assert (record.msg, record.args, record.exc_info) == ("%s %d %s", given, error)


@pytest.mark.parametrize("name", ["root", "airflow", "urllib3000", "my.requests", "flask"])
def test_records_of_other_loggers_are_unchanged(shown: Shown, credentials: Credentials, name: str) -> None:
    logging.getLogger(name).warning("%s", KEY)
    (record,) = shown.records
    assert (record.msg, record.args) == ("%s", (KEY,))


def test_many_credentials_install_one_factory(shown: Shown, credentials: Credentials) -> None:
    installed = logging.getLogRecordFactory()
    for number in range(10):
        guard_logs(Credentials("headers", "company", f"another-key-{number}"))
    assert logging.getLogRecordFactory() is installed


def test_factory_around_ours_is_kept(shown: Shown, credentials: Credentials) -> None:
    ours = logging.getLogRecordFactory()

    def theirs(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = ours(*args, **kwargs)
        record.theirs = True
        return record

    logging.setLogRecordFactory(theirs)
    guard_logs(credentials)
    assert logging.getLogRecordFactory() is theirs


def test_factory_in_place_of_ours_is_guarded_and_kept(shown: Shown, credentials: Credentials) -> None:
    class Record(logging.LogRecord):
        pass

    logging.setLogRecordFactory(Record)
    guard_logs(credentials)
    assert isinstance(logging.getLogRecordFactory(), GuardedRecords)
    logging.getLogger("urllib3").warning(KEY)
    assert isinstance(shown.records[-1], Record)
    assert KEY not in shown.everything()


def test_records_of_unusual_callers_can_be_made(credentials: Credentials) -> None:
    # A socket handler makes records without a name.
    assert logging.makeLogRecord({"name": "urllib3", "msg": "x"}).msg == "x"


def test_logging_survives_concurrent_credentials(shown: Shown) -> None:
    stop = threading.Event()

    def come_and_go() -> None:
        while not stop.is_set():
            guard_logs(Credentials("headers", "company", "another-key"))

    threads = [threading.Thread(target=come_and_go) for _ in range(3)]
    for one in threads:
        one.start()
    try:
        for _ in range(300):
            logging.getLogger("urllib3").warning("fine")
    finally:
        stop.set()
        for one in threads:
            one.join()
    assert len(shown.records) >= 300
