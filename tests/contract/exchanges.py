"""
Requests of API v2 that reached a simulator, with their responses.

Nothing here imports openapi-core: a simulator in a process of its own only writes its exchanges down.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from contract.arrays import ITEMS, first_items

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_learning360.simulator import Simulator
    from airflow_provider_learning360.simulator.request_log import SeenRequest
    from airflow_provider_learning360.simulator.responses import Response

PREFIX = "/api/v2/"
_HEADERS = ("360-api-version", "authorization", "content-type")
_SECRETS = ("access_token", "client_id", "client_secret")
# Scenarios that change data or time, but not the form of a response.
_HARMLESS = {"edit", "delete", "delay", "expire_tokens"}


@dataclass(frozen=True)
class Exchange:
    """
    One request and its response, without secrets. Equal ones are checked once.

    :param method: the HTTP method.
    :param path: the path as sent.
    :param query: the query, decoded.
    :param headers: the headers that the contract knows.
    :param body: the body of the request.
    :param status: the status of the response; 0 if it is not to be checked, because a scenario shaped it.
    :param content_type: the media type of the response.
    :param response: the body of the response; of an array, the first items.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: tuple[tuple[str, str], ...]
    body: str
    status: int
    content_type: str
    response: str

    def to_line(self) -> str:
        """Return it as a line of JSON."""
        return json.dumps(vars(self), ensure_ascii=True) + "\n"

    @classmethod
    def from_line(cls, line: str) -> Exchange:
        """Return the exchange of a line."""
        fields = json.loads(line)
        for name in ("query", "headers"):
            fields[name] = tuple((key, value) for key, value in fields[name])
        return cls(**fields)


def record_exchanges(simulator: type[Simulator], keep: Callable[[Exchange], object]) -> Callable[[], None]:
    """
    Call `keep` for each exchange of API v2, of every simulator of this process, before its response is sent.

    :returns: a function that ends this.
    """
    respond = simulator._respond

    @functools.wraps(respond)
    def respond_and_record(self: Simulator, seen: SeenRequest) -> Response:
        response = respond(self, seen)
        if seen.path.startswith(PREFIX):
            keep(_exchange_of(seen, response))
        return response

    def stop() -> None:
        simulator._respond = respond  # type: ignore[method-assign]

    simulator._respond = respond_and_record  # type: ignore[method-assign]
    return stop


def record_to(simulator: type[Simulator], path: Path) -> None:
    """Write each exchange to a file, as a line. It is there before the client has the response."""
    file = path.open("a", encoding="ascii")  # until the process ends
    written: set[Exchange] = set()

    def write(exchange: Exchange) -> None:
        if exchange not in written:
            written.add(exchange)
            file.write(exchange.to_line())
            file.flush()

    record_exchanges(simulator, write)


def _exchange_of(seen: SeenRequest, response: Response) -> Exchange:
    shaped = set(response.note.split(", ")) - {""} - _HARMLESS
    sent = {"content-type": response.content_type} | {name.lower(): value for name, value in response.headers.items()}
    return Exchange(
        method=seen.method,
        path=seen.path,
        query=seen.query_pairs,
        headers=tuple((name, _masked(name, seen.headers[name])) for name in _HEADERS if name in seen.headers),
        body=_without_secrets(seen.body),
        status=0 if shaped else response.status,
        content_type="" if shaped else sent["content-type"],
        response="" if shaped else _without_secrets(first_items(response.body, ITEMS)),
    )


def _masked(name: str, value: str) -> str:
    scheme, space, secret = value.partition(" ")
    return f"{scheme}{space}{'***' if secret else ''}" if name == "authorization" else value


def _without_secrets(body: bytes) -> str:
    text = body.decode("utf-8", "replace")
    if not any(name in text for name in _SECRETS):
        return text
    try:
        value: Any = json.loads(text)
    except ValueError:
        return "not JSON"
    if isinstance(value, Mapping):
        value = {key: "***" if key in _SECRETS and isinstance(one, str) else one for key, one in value.items()}
    return json.dumps(value)
