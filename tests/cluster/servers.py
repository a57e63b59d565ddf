"""PostgreSQL and Redis in processes of their own, with their data in a temporary folder."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import psutil
import psycopg2

from ports import free_port

PATIENCE = 60  # seconds until a server that does not start or end is an error
USER = "airflow"
SYSTEM_USER = "postgres"  # PostgreSQL refuses to run as root
# Two schedulers, two triggerers and an API server; no data has to survive the machine.
SETTINGS = {"max_connections": "300", "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class Postgres:
    """
    A PostgreSQL that can be paused. Use it as a context manager.

    :param home: A folder that other users may enter; the data gets a folder of its own in it.
    """

    def __init__(self, home: Path) -> None:
        self.port = free_port()
        self.address = f"{USER}@127.0.0.1:{self.port}/{USER}"
        self._data, self._log = home / "postgres", home / "postgres.log"
        self._process: subprocess.Popen[bytes] | None = None
        # A process of root becomes another user; any other user runs PostgreSQL itself.
        self._options: dict[str, Any] = {"user": SYSTEM_USER, "group": SYSTEM_USER} if os.geteuid() == 0 else {}

    def __enter__(self) -> Self:
        self._data.mkdir(mode=0o700)
        if self._options:
            shutil.chown(self._data, SYSTEM_USER, SYSTEM_USER)
        with self._log.open("ab") as log:
            options: dict[str, Any] = {"stdout": log, "stderr": log, "cwd": "/", **self._options}
            initdb = [find("initdb"), "--auth=trust", f"--username={USER}", "--encoding=UTF8", "--locale=C.UTF-8"]
            subprocess.run([*initdb, f"--pgdata={self._data}"], check=True, **options)
            command = [find("postgres"), "-D", str(self._data), "-h", "127.0.0.1", "-p", str(self.port), "-k", ""]
            command += [f"--{name}={value}" for name, value in SETTINGS.items()]
            self._process = subprocess.Popen(command, start_new_session=True, **options)
        try:
            self._wait_until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            for one in (*self._processes(), self._process):
                one.send_signal(signal.SIGCONT)
            # At once; its child processes end, too.
            self._process.send_signal(signal.SIGQUIT)
            try:
                self._process.wait(PATIENCE)
            finally:
                self._process.kill()

    def pause(self, seconds: float) -> None:
        """Stop all of its processes for some seconds: clients stay connected, and get no response."""
        assert self._process
        # The first one first, so that no further processes start.
        self._process.send_signal(signal.SIGSTOP)
        stopped = self._processes()
        try:
            for one in stopped:
                one.suspend()
            time.sleep(seconds)
        finally:
            for one in stopped:
                one.resume()
            self._process.send_signal(signal.SIGCONT)

    def query(self, statement: str, *values: Any, database: str = USER) -> list[tuple[Any, ...]]:
        """Return the rows of a query, or none of a statement without rows."""
        client = psycopg2.connect(
            host="127.0.0.1", port=self.port, user=USER, dbname=database, connect_timeout=PATIENCE
        )
        try:
            client.autocommit = True
            with client.cursor() as cursor:
                cursor.execute(statement, values)
                rows: list[tuple[Any, ...]] = cursor.fetchall() if cursor.description else []
                return rows
        finally:
            client.close()

    def _processes(self) -> list[psutil.Process]:
        # Each of them has a session of its own, so that they are only known as children.
        assert self._process
        return psutil.Process(self._process.pid).children(recursive=True)

    def _wait_until_ready(self) -> None:
        assert self._process
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self.query(f"create database {USER}", database="postgres")
                return
            except psycopg2.OperationalError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"PostgreSQL did not start: {self._log.read_text()[-2000:]}") from error
                time.sleep(0.2)


class Redis:
    """
    A Redis that stores nothing. Use it as a context manager.

    :param home: A folder for its log.
    """

    def __init__(self, home: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        with (self._home / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--dir", str(self._home)], stdout=log, stderr=log, start_new_session=True
            )
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            self._process.kill()
            self._process.wait(PATIENCE)


def find(program: str) -> str:
    """Return the newest installed version of a program of PostgreSQL: Debian has it outside the path."""
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), key=lambda one: int(one.parts[4]))
    path = str(installed[-1]) if installed else shutil.which(program)
    if path is None:
        sys.exit(f"{program} is not installed. Run `make servers`, or install PostgreSQL and Redis.")
    return path
