"""Fetch, validate and `document()`, beside the shortest code on `requests`, and beside `HttpOperator`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import pytest
import requests

from airflow.providers.http.operators.http import HttpOperator

from airflow_provider_learning360.hooks.learning import LearningHook
from benchmark_results import beside


def timed(call: Callable[[], Any]) -> tuple[float, float, Any]:
    """Return elapsed seconds, CPU seconds, and the result."""
    clock, cpu = time.perf_counter(), time.process_time()
    result = call()
    return time.perf_counter() - clock, time.process_time() - cpu, result


def test_fetching(
    benchmark: Any,
    measuring: bool,
    figure: Callable[..., None],
    simulator_process: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with simulator_process(learners=20_000 if measuring else 50) as (url, session_id), requests.Session() as plain:
        hook = LearningHook()
        address = f"{url}/api/v1/programs/sessions/{session_id}/"
        keys = {"X-company-id": "demo-company", "X-apiKey": "demo-key"}
        pairs: list[tuple[tuple[float, float, Any], tuple[float, float, Any]]] = []
        peers: list[tuple[float, float, Any]] = []
        monkeypatch.setenv("AIRFLOW_CONN_HTTP_DEFAULT", json.dumps({"conn_type": "http", "host": url}))
        operator = HttpOperator(
            task_id="peer",
            endpoint=f"api/v1/programs/sessions/{session_id}/",
            method="GET",
            headers=keys,
            response_filter=lambda response: response.json(),
        )

        def ours() -> dict[str, Any]:
            return hook.get_program_session(session_id).document()

        def theirs() -> Any:
            return plain.get(address, headers=keys, timeout=60).json()

        def pair() -> None:
            # Alternate who is first, so that neither has warmer caches.
            if len(pairs) % 2:
                second, first = timed(theirs), timed(ours)
            else:
                first, second = timed(ours), timed(theirs)
            pairs.append((first, second))
            peers.append(timed(lambda: operator.execute({})))

        benchmark.pedantic(pair, rounds=30 if measuring else 2, warmup_rounds=2 if measuring else 0)

    assert all(first[2] == second[2] for first, second in pairs)
    assert all(one[2] == pairs[0][1][2] for one in peers)
    for column, what, bar in (
        (0, "fetch, 20,000 learners, time", "<= 1.15 x"),
        (1, "the same, CPU of the client", "<= 1.25 x"),
    ):
        ratio = median(first[column] / second[column] for first, second in pairs)
        mine, other = (median(one[side][column] for one in pairs) * 1000 for side in (0, 1))
        operators = median(one[column] for one in peers) * 1000
        named = f"requests.get().json() {other:.0f} ms; {beside('HttpOperator', operators, mine, ' ms')}"
        figure(what, f"{ratio:.2f} x requests ({mine:.0f} ms)", bar, named)
