"""
The pytest plugin: every exchange of API v2 between a client and a simulator is held against the contract.

A problem fails the test during which it came up. `@pytest.mark.breaks_contract("why")` lets a test send wrong requests;
with `responses=True`, also serve wrong responses.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest

from contract.exchanges import Exchange, record_exchanges
from contract.vendor import MISSING, find_contract, load_contract

MARKER = "breaks_contract"
RECORDS = "LEARNING360_CONTRACT_RECORDS"  # the folder to which simulators in other processes write
TOKEN_PATH = "/api/v2/oauth2/token"
_ID = re.compile(r"\b[0-9a-fA-F]{24}\b")
_SHOWN = 5  # problems of a test, at most


class Exchanges:
    """
    The exchanges since the last `take`: those of this process, and those that other processes wrote to a folder.

    :param folder: the folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._kept: dict[Exchange, None] = {}
        self._read: dict[Path, int] = {}

    def keep(self, exchange: Exchange) -> None:
        """Keep an exchange of this process."""
        with self._lock:
            self._kept[exchange] = None

    def take(self) -> list[Exchange]:
        """Return each exchange once, and forget it."""
        with self._lock:
            taken, self._kept = self._kept, {}
        for file in sorted(self._folder.iterdir()):
            taken.update(dict.fromkeys(self._new_in(file)))
        return list(taken)

    def _new_in(self, file: Path) -> Iterator[Exchange]:
        with file.open("rb") as lines:
            lines.seek(self._read.get(file, 0))
            new = lines.read()
        whole = new[: new.rfind(b"\n") + 1]  # a killed simulator leaves half a line
        self._read[file] = self._read.get(file, 0) + len(whole)
        for line in whole.decode().splitlines():
            yield Exchange.from_line(line)


class ContractCheck:
    """
    Checks the exchanges of each test.

    :param contract: the file with the contract.
    """

    def __init__(self, contract: Path) -> None:
        # Not earlier: without a contract, openapi-core need not be there.
        from contract.contract import Contract

        self.contract = Contract(load_contract(contract))
        self.folder = Path(tempfile.mkdtemp(prefix="learning360-contract-"))
        self.exchanges = Exchanges(self.folder)
        # A check takes milliseconds, and most are of the same few requests.
        self._check_request = lru_cache(maxsize=4096)(self.contract.check_request)
        self._check_response = lru_cache(maxsize=4096)(self.contract.check_response)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        """Fail a test that has passed, if it broke the contract."""
        yield
        self._fail_if_broken(item)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Iterator[None]:
        """Report what came after the test: its fixtures may still send requests."""
        yield
        self._fail_if_broken(item)

    def pytest_sessionstart(self) -> None:
        """Listen to the simulators of this process, and let others write their exchanges down."""
        from airflow_provider_learning360.simulator import Simulator

        os.environ[RECORDS] = str(self.folder)
        self._stop = record_exchanges(Simulator, self.exchanges.keep)

    def pytest_sessionfinish(self) -> None:
        """Stop listening."""
        self._stop()
        os.environ.pop(RECORDS, None)
        shutil.rmtree(self.folder, ignore_errors=True)

    def problems(self, requests: bool = True, responses: bool = True) -> list[str]:
        """
        Return what is wrong in the exchanges since the last call, a line for each.

        :param requests: whether to look at requests.
        :param responses: whether to look at responses.
        """
        checked = [self._problems_of(exchange) for exchange in self.exchanges.take()]
        lines = [
            line for sent, given in checked for line in [*(sent if requests else ()), *(given if responses else ())]
        ]
        return list(dict.fromkeys(lines))

    def _fail_if_broken(self, item: pytest.Item) -> None:
        marker = item.get_closest_marker(MARKER)
        problems = self.problems(not marker, not (marker and marker.kwargs.get("responses")))
        if problems:
            more = [f"and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
            pytest.fail("\n".join(["The contract of API v2 is broken:", *problems[:_SHOWN], *more]), pytrace=False)

    def _problems_of(self, one: Exchange) -> tuple[list[str], list[str]]:
        """Return what is wrong in the request and in the response."""
        route = one.method, _any_id(one.path)
        query = tuple((name, _any_id(value)) for name, value in one.query)
        sent = self._check_request(*route, query, one.headers, one.body.encode())
        given = []
        # What a wrong request gets is documented for tokens, and where the token itself is wrong.
        if one.status and (not sent or one.path == TOKEN_PATH or one.status in (401, 403)):
            headers = (("content-type", one.content_type),)
            given = self._check_response(*route, one.status, headers, one.response.encode())
        label = f"{one.method} {one.path}"
        return [f"{label}: request: {line}" for line in sent], [f"{label}: {one.status}: {line}" for line in given]


def _any_id(text: str) -> str:
    """Return a text with one ID in place of all: the contract does not tell them apart."""
    return _ID.sub("0" * 24, text)


def pytest_configure(config: pytest.Config) -> None:
    """Check the exchanges, if the contract is there."""
    if contract := find_contract():
        config.pluginmanager.register(ContractCheck(contract), "learning360-contract")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was not checked."""
    if not find_contract():
        terminalreporter.write_line(MISSING)
