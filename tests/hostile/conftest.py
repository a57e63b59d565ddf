"""Hostile servers for the duration of a test, and connections to them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hostile.calls import BOUNDS, PATIENCE, Calls, open_calls
from hostile.server import HostileServer


@pytest.fixture(autouse=True)
def _no_pauses_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget pauses: a server of another test may have asked for one on the same port."""
    from airflow_provider_learning360.hooks import rate_limits

    monkeypatch.setattr(rate_limits, "_LIMITERS", {})


@pytest.fixture
def serve() -> Iterator[Callable[..., HostileServer]]:
    """Start a hostile server; it stops when the test ends."""
    with contextlib.ExitStack() as stack:

        def start(*arguments: Any, **named: Any) -> HostileServer:
            options = {"bounds": BOUNDS, "patience": PATIENCE, **named}
            return stack.enter_context(HostileServer(*arguments, **options))

        yield start


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Define a connection to a server, and return its ID; keyword arguments are settings of the extra."""

    def define(server: HostileServer, *, password: str = "demo-key", **extra: Any) -> str:
        document = {"conn_type": "learning360", "host": server.url, "login": "demo-company", "password": password}
        monkeypatch.setenv("AIRFLOW_CONN_HOSTILE", json.dumps({**document, "extra": extra}))
        return "hostile"

    return define


@pytest.fixture
def open_hook(connect: Callable[..., str]) -> Iterator[Callable[..., Calls]]:
    """Open a hook, `sync` or `async`, to a server; keyword arguments are settings of the extra."""
    with contextlib.ExitStack() as stack:
        yield lambda hook, server, **options: stack.enter_context(open_calls(hook, connect(server, **options)))
