"""What the tests of the API's rooms share: answers to read, and clocks that only tests move."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_learning360.api.messages import Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="session")
def now() -> datetime:
    return datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def answer() -> Callable[..., Response]:
    """Make the answer to a request."""

    def make(body: bytes = b"", status: int = 200, path: str = "/api/v1/thing", **headers: str) -> Response:
        named: dict[str, Any] = {name.replace("_", "-"): value for name, value in headers.items()}
        return Response(Request("GET", path), status, named, body)

    return make
