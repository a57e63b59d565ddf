"""Fixtures of the tests of `api/`: responses to parse, and property tests without a deadline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from airflow_provider_learning360.api.messages import Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable

# A slow machine is not a failure.
settings.register_profile("api", deadline=None)
settings.load_profile("api")


@pytest.fixture(scope="session")
def answer() -> Callable[..., Response]:
    """Build the response to a request."""

    def make(body: bytes = b"", status: int = 200, path: str = "/api/v1/thing", **headers: str) -> Response:
        named: dict[str, Any] = {name.replace("_", "-"): value for name, value in headers.items()}
        return Response(Request("GET", path), status, named, body)

    return make
