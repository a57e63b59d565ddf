"""Every exchange with a simulator, in this process or another, is checked; a problem fails its test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_provider_learning360.simulator import Simulator
from contract import vendor
from contract.arrays import ITEMS
from contract.exchanges import Exchange, record_exchanges
from contract.plugin import RECORDS, ContractCheck, Exchanges
from contract.vendor import MISSING, find_contract
from simulator_process import SimulatorProcess

pytest_plugins = ["pytester"]

TOKEN = "/api/v2/oauth2/token"
EXCHANGE = Exchange("GET", "/api/v2/paths", (("next", "é"),), (("content-type", "a"),), "", 200, "text/html", "[]")

HEADERS = (("authorization", "Bearer ***"), ("360-api-version", "v2.0"))

BREAKING = """
import pytest, requests
from airflow_provider_learning360.simulator import Simulator

def ask(path="/api/v2/nosuch", **json):
    with Simulator() as simulator:
        requests.post(simulator.url + path, json=json, timeout=10)

def test_breaking():
    ask(client_secret="hidden")

@pytest.mark.breaks_contract("on purpose")
def test_marked():
    ask()

@pytest.fixture
def late():
    yield
    ask("/api/v2/late")

def test_with_fixture(late):
    pass

def test_without_requests():
    pass
"""


def body_for(simulator: Simulator | SimulatorProcess, **differing: Any) -> dict[str, Any]:
    keys = {"client_id": simulator.company_id, "client_secret": simulator.api_key}
    return {"grant_type": "client_credentials", **keys, **differing}


def post(simulator: Simulator, **body: Any) -> None:
    with suppress(requests.RequestException):
        requests.post(simulator.url + TOKEN, json=body, headers={"Authorization": "Bearer hidden"}, timeout=10)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Exchanges]:
    exchanges = Exchanges(tmp_path)
    stop = record_exchanges(Simulator, exchanges.keep)
    yield exchanges
    stop()


def test_exchange_holds_no_secret(kept: Exchanges) -> None:
    with Simulator(api_key="hidden", company_id="hidden-too") as simulator:
        post(simulator, **body_for(simulator))
    (exchange,) = kept.take()
    assert exchange.status == 200
    assert "Bearer" in str(exchange)
    assert "client_secret" in exchange.body
    assert "access_token" in exchange.response
    assert "hidden" not in str(exchange)


@pytest.mark.parametrize(
    ("effect", "status"),
    [({"status": 500}, 0), ({"drop": True}, 0), ({"html": True}, 0), ({"truncate": True}, 0), ({"delay": 0.01}, 200)],
    ids=str,
)
def test_response_that_a_scenario_shaped_is_not_checked(kept: Exchanges, effect: Any, status: int) -> None:
    with Simulator() as simulator:
        simulator.play({"do": effect})
        post(simulator, **body_for(simulator))
    (exchange,) = kept.take()
    assert exchange.status == status
    assert "client_id" in exchange.body, "the request is checked all the same"


def test_other_routes_are_not_kept(kept: Exchanges) -> None:
    with Simulator() as simulator:
        requests.get(f"{simulator.url}/api/v1/programs/sessions", timeout=10)
    assert kept.take() == []


@pytest.mark.breaks_contract("a list is no token", responses=True)
def test_only_the_first_items_are_kept(kept: Exchanges, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contract.exchanges._HARMLESS", {"status"})
    with Simulator() as simulator:
        simulator.play({"do": {"status": 200, "body": [1] * 100}})
        post(simulator)
    (exchange,) = kept.take()
    assert exchange.response == str([1] * ITEMS).replace(" ", "")


def test_exchange_is_kept_once_until_it_is_taken(kept: Exchanges) -> None:
    kept.keep(EXCHANGE)
    kept.keep(Exchange.from_line(EXCHANGE.to_line()))
    assert kept.take() == [EXCHANGE]
    assert kept.take() == []


def test_half_a_line_waits_for_its_end(kept: Exchanges, tmp_path: Path) -> None:
    line = EXCHANGE.to_line()
    with (tmp_path / "1.jsonl").open("a") as file:
        file.write(line + line[:30])
        file.flush()
        assert kept.take() == [EXCHANGE]
        assert kept.take() == []
        file.write(line[30:])
        file.flush()
    assert kept.take() == [EXCHANGE]


@pytest.mark.breaks_contract("a property that the contract does not have")
def test_simulator_process_writes_its_exchanges(
    kept: Exchanges, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(RECORDS, str(tmp_path))
    with SimulatorProcess(sessions=1, learners=1) as simulator:
        requests.post(simulator.url + TOKEN, json=body_for(simulator, scope="x"), timeout=10)
        simulator.kill()
    (exchange,) = kept.take()
    assert (exchange.method, exchange.path, exchange.status) == ("POST", TOKEN, 400)
    assert "scope" in exchange.body


@pytest.fixture
def check() -> ContractCheck:
    contract = find_contract()
    return ContractCheck(contract) if contract else pytest.skip(MISSING)


@pytest.mark.parametrize(
    ("differing", "found"),
    [
        ({}, "request 401"),
        ({"headers": HEADERS}, "401"),
        ({"status": 500}, "request"),
        ({"status": 500, "headers": HEADERS}, "500"),
        ({"status": 0, "headers": HEADERS}, ""),
        ({"path": TOKEN, "method": "POST", "status": 400}, "request 400"),
        ({"query": (("limit", "5"),), "headers": HEADERS, "status": 400}, "request"),
    ],
    ids=str,
)
def test_problems_of_an_exchange(check: ContractCheck, differing: dict[str, Any], found: str) -> None:
    exchange = replace(EXCHANGE, **({"query": (), "status": 401} | differing))
    for asked in ({}, {"requests": False}, {"responses": False}):
        check.exchanges.keep(exchange)
        kinds = {line.split(": ")[1] for line in check.problems(**asked)}
        assert kinds == {
            kind for kind in found.split() if asked.get("requests" if kind == "request" else "responses", True)
        }


@pytest.mark.slow
@pytest.mark.skipif(find_contract() is None, reason=MISSING)
def test_problem_fails_its_test(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent), prepend=":")
    monkeypatch.setenv("LEARNING360_CONTRACT", str(find_contract()))
    pytester.makepyfile(BREAKING)
    pytester.makeini("[pytest]\nmarkers = breaks_contract")
    result = pytester.runpytest_subprocess("-p", "contract.plugin", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=3, failed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_with_fixture*",
            "POST /api/v2/late: request: PathNotFound: the contract has no such route",
            "*test_breaking*",
            "The contract of API v2 is broken:",
            "POST /api/v2/nosuch: request: PathNotFound: the contract has no such route",
        ]
    )
    result.stdout.no_fnmatch_line("*hidden*")


def test_run_without_contract_says_so_once(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LEARNING360_CONTRACT", raising=False)
    monkeypatch.setattr(vendor, "REPOSITORY", pytester.path / "repository")
    pytester.makepyfile("def test_one(): pass\ndef test_two(): pass")
    result = pytester.runpytest_inprocess("-p", "contract.plugin")
    result.assert_outcomes(passed=2)
    assert result.outlines.count(MISSING) == 1
