"""
`make airflow`: a local Airflow with the example DAGs, and all that they talk to.

It starts the simulator of 360Learning, a mail server that sends nothing on, and Airflow's four services. Everything
listens on this machine only, and ends with Ctrl-C. Airflow's home is `.airflow`; `make clean` removes it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from mail_server import MailServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from email.message import EmailMessage

    from airflow_provider_learning360.simulator import Simulator

REPOSITORY = Path(__file__).resolve().parent.parent
SERVICES = ("api-server", "dag-processor", "triggerer", "scheduler")  # in the order of their start
DATABASE = "airflow.db"
START_TIMEOUT = 180  # seconds until a service that does not start is an error
QUIET_TIME = 2  # seconds without a new DAG after which all files count as read
MAX_RESTARTS = 5  # of services that end, before that is an error
STOP_TIMEOUT = 2  # seconds that the services have to end by themselves


class StartError(Exception):
    """Airflow does not start; says why, and what to do."""


def main() -> int:
    arguments = parse_arguments()
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT is ignored in the background of a script
        signal.signal(number, interrupt)
    try:
        run(arguments.port, arguments.home.absolute(), arguments.dags.absolute())
    except StartError as error:
        say(f"\nmake airflow: {error}")
        return 1
    except KeyboardInterrupt:
        say("\nEnded.")
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8080, help="port of Airflow's page (%(default)s)")
    parser.add_argument("--home", type=Path, default=REPOSITORY / ".airflow", help="Airflow's home (%(default)s)")
    parser.add_argument("--dags", type=Path, default=REPOSITORY / "dags_examples", help="DAGs folder (%(default)s)")
    return parser.parse_args()


def interrupt(*_: object) -> None:
    """End as with Ctrl-C."""
    raise KeyboardInterrupt


def run(port: int, home: Path, dags: Path) -> None:
    """
    Start everything, and serve until it is interrupted.

    :param port: port of Airflow's page.
    :param home: folder for all that Airflow keeps.
    :param dags: the DAGs folder.
    :raises StartError: the port is in use, or a service ended.
    """
    from airflow_provider_learning360.simulator import Simulator

    started = time.monotonic()
    require_free_port(port)
    home.mkdir(parents=True, exist_ok=True)
    log = home / "services.log"
    say(f"Starting a local Airflow on port {port}. Another port: make airflow PORT={port + 1}\n")
    with Simulator(log=sys.stdout) as simulator, MailServer(say_mail) as mail:
        version = os.environ.get("API_VERSION") or "v1"
        say(f"  simulator     {simulator.url} stands in for 360Learning")
        say(f"                connection learning360_default, through API {version}")
        say("                connection learning360_v2, the same sessions through API v2")
        say(f"  mail server   127.0.0.1:{mail.port} keeps all mails on this machine: connection smtp_default")
        environment = {**os.environ, **settings(port, home, dags)}
        connect = connection_to_v2 if version == "v2" else connection_to
        environment["AIRFLOW_CONN_LEARNING360_DEFAULT"] = json.dumps(connect(simulator))
        environment["AIRFLOW_CONN_LEARNING360_V2"] = json.dumps(connection_to_v2(simulator))
        environment["AIRFLOW_CONN_SMTP_DEFAULT"] = json.dumps(mail.connection)
        migrate(environment, log)
        say(f"  database      {shorten(home / DATABASE)}")
        say(f"  services      {', '.join(SERVICES)}")
        say(f"                their output, also warnings of other packages: {shorten(log)}")
        say("  waiting       for the services and the DAGs, about 20 s")
        api = Api(port)
        with running(api, environment, log) as services:
            count = prepare_dags(api, services, log)
            say(f"  DAGs          {shorten(dags)}; a new file is there within 10 s")
            seconds = time.monotonic() - started
            say(f"\nReady after {seconds:.0f} s: http://127.0.0.1:{port} (no login; Ctrl-C ends it)\n")
            say_what_to_try(simulator, count)
            watch(services, environment, log, dags)


def say(text: str = "") -> None:
    print(text, flush=True)


def say_mail(mail: EmailMessage) -> None:
    """Print a mail in one line, as the simulator prints requests."""
    say(f"{time.strftime('%H:%M:%S')}  mail to {mail['To']}: {mail['Subject']}")


def say_what_to_try(simulator: Simulator, count: int) -> None:
    session_id = simulator.session_ids[0]
    say("Try")
    say("  1. Trigger wait_then_act. It fetches a session, and waits for its dates to change.")
    say("  2. Move the session in the simulator; within a minute, the DAG goes on:")
    say(f"     curl -sS -o /dev/null -X POST {simulator.url}/_simulator/sessions/{session_id} \\")
    say("""          -d '{"endDate": "2031-03-01T09:00:00.000Z"}'""")
    say()
    say(f"  The {count} DAGs that you start by hand are switched on.")
    say("  A DAG of your own starts paused: switch it on in its page, or it stays queued.")
    say("  The others run by themselves once you switch them on: on a schedule, or when a session changes.")
    say("\nRequests to the simulator, and mails:")


def shorten(path: Path) -> str:
    """Return a path as seen from the repository."""
    return str(path.relative_to(REPOSITORY) if path.is_relative_to(REPOSITORY) else path)


def require_free_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise StartError(
                f"port {port} cannot be used ({error.strerror}). Choose another one: make airflow PORT={port + 1}"
            ) from None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def connection_to(simulator: Simulator) -> dict[str, str]:
    return {
        "conn_type": "learning360",
        "host": simulator.url,
        "login": simulator.company_id,
        "password": simulator.api_key,
    }


def connection_to_v2(simulator: Simulator) -> dict[str, Any]:
    keys = {"login": simulator.client_id, "password": simulator.client_secret}
    return {**connection_to(simulator), **keys, "extra": {"api_version": "v2"}}


def settings(port: int, home: Path, dags: Path) -> dict[str, str]:
    """Return Airflow's configuration as environment variables."""
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(64),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__DAG_FACTORY__ENABLE_TELEMETRY": "False",
        # How soon a new file is read, and how soon the watchers of a DAG that was switched on start.
        "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "2",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "20",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "3",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / DATABASE}",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": f"{home}/logs",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
        # So that a second Airflow on this machine does not disturb.
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
        "DO_NOT_TRACK": "True",
        # Everything is on this machine.
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


def migrate(environment: dict[str, str], log: Path) -> None:
    """
    Create or upgrade Airflow's database.

    :raises StartError: it did not work.
    """
    with log.open("wb") as output:
        done = subprocess.run(airflow("db", "migrate"), env=environment, stdout=output, stderr=output, check=False)
    if done.returncode:
        raise StartError(f"Airflow's database could not be created. {end_of(log)}")
    with contextlib.closing(sqlite3.connect(Path(environment["AIRFLOW_HOME"], DATABASE))) as database:
        database.execute("pragma journal_mode=wal")  # so that readers and a writer do not wait for each other


def airflow(*arguments: str) -> list[str]:
    """Return the command line of an `airflow` command, also where the virtual environment is not on the path."""
    return [sys.executable, "-m", "airflow", *arguments]


@contextlib.contextmanager
def running(api: Api, environment: dict[str, str], log: Path) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Start Airflow's services, and end them with all that they started."""
    services: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name in SERVICES:
            if name == "scheduler":
                # A task of a DAG that is still on from the last time would fail before the API server responds.
                wait_until(api.responds, "the API server did not respond", services, log)
            services[name] = start_service(name, environment, log)
        yield services
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # one Ctrl-C is enough
        stop(list(services.values()))


def start_service(name: str, environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    if name != "api-server":
        # On a busy machine a writer may hold SQLite's lock for long. The API server must not wait for the lock: it may
        # hold it itself, and release it only when its event loop goes on.
        variable = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
        environment = {**environment, variable: f"{environment[variable]}?timeout=60"}
    with log.open("ab") as output:
        # In a session of its own: Ctrl-C reaches this process only, which ends the services in order.
        return subprocess.Popen(airflow(name), env=environment, stdout=output, stderr=output, start_new_session=True)


def stop(services: list[subprocess.Popen[bytes]]) -> None:
    """End processes and their descendants: first politely, then for good."""
    import psutil

    processes = []
    for service in services:
        with contextlib.suppress(psutil.NoSuchProcess):
            one = psutil.Process(service.pid)
            processes += [one, *one.children(recursive=True)]
        if service.poll() is None:
            service.terminate()
    _, left = psutil.wait_procs(processes, timeout=STOP_TIMEOUT)
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            processes += process.children(recursive=True)
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    for service in services:
        service.wait()


def require_alive(services: dict[str, subprocess.Popen[bytes]], log: Path) -> None:
    for name, process in services.items():
        if process.poll() is not None:
            raise StartError(f"the {name} ended with exit code {process.returncode}. {end_of(log)}")


def end_of(log: Path) -> str:
    """Return the end of the log, with its name."""
    lines = log.read_text(errors="replace").splitlines()[-15:]
    return "\n".join([f"The end of {log}:", *(f"  {line}" for line in lines)])


class Api:
    """
    Airflow's REST API.

    :param port: its port.
    """

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"
        self._client = requests.Session()
        self._client.trust_env = False

    def responds(self) -> bool:
        """Return whether the API server responds."""
        return bool(self._health())

    def is_healthy(self) -> bool:
        """Return whether every service has reported."""
        health = self._health()
        parts = ("metadatabase", "scheduler", "triggerer", "dag_processor")
        return all((health.get(part) or {}).get("status") == "healthy" for part in parts)

    def _health(self) -> dict[str, Any]:
        with contextlib.suppress(requests.RequestException, ValueError):
            health: dict[str, Any] = self._client.get(f"{self._url}/api/v2/monitor/health", timeout=10).json()
            return health
        return {}

    def log_in(self) -> None:
        """Get a token; everybody is an administrator here."""
        token = self._client.get(f"{self._url}/auth/token", timeout=30).json()["access_token"]
        self._client.headers["Authorization"] = f"Bearer {token}"

    def dags(self) -> list[dict[str, Any]]:
        """Return the DAGs."""
        response = self._client.get(f"{self._url}/api/v2/dags", params={"limit": 100}, timeout=30)
        response.raise_for_status()
        dags: list[dict[str, Any]] = response.json()["dags"]
        return dags

    def switch_on(self, dag_id: str) -> None:
        """Let runs of a DAG start."""
        response = self._client.patch(f"{self._url}/api/v2/dags/{dag_id}", json={"is_paused": False}, timeout=30)
        response.raise_for_status()


def prepare_dags(api: Api, services: dict[str, subprocess.Popen[bytes]], log: Path) -> int:
    """
    Wait for the services and the DAGs; switch on the DAGs that somebody starts by hand, and return their number.

    DAGs with a schedule stay off: three examples of reminders at once would mail everybody three times.
    """
    wait_until(api.is_healthy, "not all services are healthy", services, log)
    api.log_in()
    counts: list[tuple[float, int]] = []

    def is_quiet() -> bool:
        count = len(api.dags())
        if not counts or counts[-1][1] != count:
            counts.append((time.monotonic(), count))
        return count > 0 and time.monotonic() - counts[-1][0] > QUIET_TIME

    wait_until(is_quiet, "no DAG was read", services, log)
    by_hand = [dag["dag_id"] for dag in api.dags() if dag["timetable_summary"] is None]
    for dag_id in by_hand:
        api.switch_on(dag_id)
    return len(by_hand)


def wait_until(
    condition: Callable[[], bool], failure: str, services: dict[str, subprocess.Popen[bytes]], log: Path
) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while not condition():
        require_alive(services, log)
        if time.monotonic() > deadline:
            raise StartError(f"after {START_TIMEOUT} s, {failure}. {end_of(log)}")
        time.sleep(0.3)


def watch(services: dict[str, subprocess.Popen[bytes]], environment: dict[str, str], log: Path, dags: Path) -> None:
    """
    Start services that end again, and let Airflow read YAML files that change, until somebody presses Ctrl-C.

    :raises StartError: services ended too often.
    """
    known = yaml_files(dags)
    restarts = 0
    while True:
        time.sleep(0.5)
        for name in [one for one, process in services.items() if process.poll() is not None]:
            restarts += 1
            if restarts > MAX_RESTARTS:
                require_alive(services, log)
            ended = services[name]
            say(f"The {name} ended with exit code {ended.returncode}; it starts again. The reason is in {shorten(log)}")
            with contextlib.suppress(ProcessLookupError):
                os.killpg(ended.pid, signal.SIGKILL)  # what it has left behind
            services[name] = start_service(name, environment, log)
        current = yaml_files(dags)
        for folder in {path.parent for path, _ in known ^ current}:
            touch_loaders(folder)
        known = current


def yaml_files(dags: Path) -> set[tuple[Path, float]]:
    """Return the YAML files of the DAGs folder, with the times of their last changes."""
    found = set()
    for path in dags.rglob("*.yaml"):
        with contextlib.suppress(OSError):  # removed meanwhile
            found.add((path, path.stat().st_mtime))
    return found


def touch_loaders(folder: Path) -> None:
    """Let Airflow read the loaders of YAML files again, now: it does not know which files a loader reads."""
    for loader in folder.glob("*.py"):
        with contextlib.suppress(OSError):
            os.utime(loader)


if __name__ == "__main__":
    sys.exit(main())
