"""The simulator in Python: start and stop it, read and edit sessions, add scenarios."""

from __future__ import annotations

import json
import threading
import warnings
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Self, TextIO

from airflow_provider_learning360.simulator.controls import PREFIX, respond_to_control
from airflow_provider_learning360.simulator.credentials import Credentials
from airflow_provider_learning360.simulator.documented import list_scopes
from airflow_provider_learning360.simulator.operations_v1 import OperationsV1
from airflow_provider_learning360.simulator.operations_v2 import OperationsV2
from airflow_provider_learning360.simulator.path_sessions import PathSessions
from airflow_provider_learning360.simulator.routes import Routes
from airflow_provider_learning360.simulator.routes_v1 import RoutesV1
from airflow_provider_learning360.simulator.routes_v2 import RoutesV2
from airflow_provider_learning360.simulator.sample_data import SampleData
from airflow_provider_learning360.simulator.samples_v1 import SamplesV1
from airflow_provider_learning360.simulator.scenarios import Scenarios
from airflow_provider_learning360.simulator.server import Server, require_loopback
from airflow_provider_learning360.simulator.sessions import Sessions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from airflow_provider_learning360.simulator.request_log import SeenRequest
    from airflow_provider_learning360.simulator.responses import Response
    from airflow_provider_learning360.simulator.scenarios import ScenarioDefinition

DEMO_CLIENT_ID = "36003600360036003600360036003600"
"""The client ID that everybody knows: 32 hexadecimal digits, as the vendor's are."""


class Simulator:
    """360Learning on this machine: a real HTTP server with sample data. Use it as a context manager.

    :param sessions: how many program sessions there are. The first one has the ID that the example DAGs use,
        ``60b8d2956e20ae1a0f8e44f1``, whatever the seed.
    :param learners: how many learners each of them has.
    :param seed: the same seed gives the same data.
    :param company_id: the company ID to accept.
    :param api_key: the API key to accept.
    :param token_life: seconds that a bearer token is valid.
    :param clock: a function without arguments that returns an aware datetime. Tokens and scenarios use it, and it says
        what day it is. Default: the system's clock.
    :param today: the day around which the sessions are: some are over, some run, some start soon. The same seed and
        day give the same sessions. Default: the day of the clock, in UTC.
    :param expires_in_as: type of ``expires_in`` in the token response, ``str`` or ``int``. Default: as documented,
        ``str`` for the API key, ``int`` for the client secret.
    :param legacy: how many of the sessions, the oldest, lack the fields that came in 2021.
    :param host: loopback address to listen on.
    :param port: TCP port; 0 for any free one.
    :param log: where to write a line for each request, for example ``sys.stderr``. Default: nowhere.
    :param client_id: the client ID to accept for API v2.
    :param client_secret: the client secret to accept for API v2.
    :param scopes: the scopes of API v2 that this client has. Default: all.
    :param page_size: items in a page of every list of API v2. Default: as documented for each.
    :param users: how many users the platform has who are in no session.
    :raises ValueError: the host is not loopback, or a scope or the page size is not valid.
    """

    def __init__(
        self,
        sessions: int = 12,
        learners: int = 20,
        seed: int = 360,
        company_id: str = "demo-company",
        api_key: str = "demo-key",
        token_life: float = 3600,
        clock: Callable[[], datetime] | None = None,
        *,
        today: date | None = None,
        expires_in_as: type[str | int] | None = None,
        legacy: int = 0,
        host: str = "127.0.0.1",
        port: int = 0,
        log: TextIO | None = None,
        client_id: str = DEMO_CLIENT_ID,
        client_secret: str = "demo-secret",
        scopes: Iterable[str] | None = None,
        page_size: int | None = None,
        users: int = 0,
    ) -> None:
        self.company_id = company_id
        self.api_key = api_key
        self.client_id = client_id
        self.client_secret = client_secret
        self._host = require_loopback(host)
        self._port = port
        self._log = log
        self._now = clock or _system_clock
        today = today or self._now().astimezone(UTC).date()
        sample_data = SampleData(seed, learners, today)
        self._sessions = Sessions(sample_data, sessions, legacy, self._now, users)
        self._credentials = Credentials(
            company_id, api_key, token_life, expires_in_as, self._now, client_id, client_secret, _require_scopes(scopes)
        )
        path_sessions = PathSessions(self._sessions, self._now)
        other_v1 = OperationsV1(SamplesV1(self._sessions, path_sessions))
        other_v2 = OperationsV2(self._credentials, today, self._now, _require_page_size(page_size))
        v1 = RoutesV1(self._sessions, self._credentials, other_v1.respond)
        v2 = RoutesV2(path_sessions, self._credentials, other_v2.respond, page_size)
        self._routes = Routes(self._credentials, v1.respond, v2.respond)
        self._scenarios = Scenarios(self)
        # One lock for everything: a request sees the data before an edit or after it, never in between.
        self._lock = threading.Condition()
        self._requests: list[SeenRequest] = []
        self._server: Server | None = None
        self._forgotten = 0

    def start(self) -> Self:
        """Start to serve. After a stop: on the same port, with the same data.

        :raises OSError: the port is in use.
        """
        if self._server is None:
            self._server = Server(self._host, self._port, self._respond, self._log, self._now)
            self._port = self._server.server_port
            self._forgotten = 0
            self._server.start()
        return self

    def stop(self) -> None:
        """Stop serving, and close every connection."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    @property
    def url(self) -> str:
        """The address that it listens on, without a slash at the end."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    @property
    def session_ids(self) -> list[str]:
        """The IDs of all sessions, in the order of the list route."""
        with self._lock:
            return self._sessions.ids()

    def session(self, session_id: str) -> dict[str, Any]:
        """Return a copy of a session as it is now.

        :param session_id: its ID.
        :raises KeyError: there is no such session.
        """
        with self._lock:
            return self._sessions.document(session_id)

    def edit(self, session_id: str, /, **fields: Any) -> dict[str, Any]:
        """Edit a session. ``modifiedAt`` always becomes later, unless it is given, or the session has none.

        :param session_id: its ID.
        :param fields: new values under the vendor's keys; ``...`` removes a key.
        :returns: a copy of the session as it is then.
        :raises KeyError: there is no such session.
        """
        with self._lock:
            return self._sessions.edit(session_id, fields)

    def delete(self, session_id: str) -> None:
        """Delete a session.

        :param session_id: its ID.
        :raises KeyError: there is no such session.
        """
        with self._lock:
            self._sessions.delete(session_id)

    def add(self, document: dict[str, Any]) -> str:
        """Add a session that nobody has started yet, at the end of the list.

        :param document: the session under the vendor's keys, with an ``_id`` of its own.
        :returns: its ID.
        :raises ValueError: ``_id`` is missing or in use.
        """
        with self._lock:
            return self._sessions.add(document)

    def put(self, session_id: str, document: dict[str, Any]) -> dict[str, Any]:
        """Replace the session with this ID, or add one at the end of the list.

        The session is stored as it is, with its ``modifiedAt``. Learners who stay enrolled keep their progress.

        :param session_id: its ID.
        :param document: the session under the vendor's keys; ``_id`` may be left out.
        :returns: a copy of the session as it is then.
        :raises ValueError: the document has another ``_id``.
        """
        with self._lock:
            if document.get("_id", session_id) != session_id:
                raise ValueError(f"a session with the _id {document['_id']!r} cannot be put at {session_id!r}")
            self._sessions.put({"_id": session_id} | document)
            return self._sessions.document(session_id)

    def statistics(self, session_id: str) -> dict[str, Any]:
        """Return a copy of a session's statistics as they are now.

        :param session_id: its ID.
        :raises KeyError: there is no such session.
        """
        with self._lock:
            copy: dict[str, Any] = json.loads(json.dumps(self._sessions.statistics(session_id)))
            return copy

    def finish(self, session_id: str, mail: str) -> None:
        """Mark a learner as finished, now.

        :param session_id: the session's ID.
        :param mail: the learner's mail, or ID.
        :raises KeyError: there is no such session, or no such learner in it.
        """
        with self._lock:
            self._sessions.finish(session_id, mail)

    @property
    def requests(self) -> list[SeenRequest]:
        """The requests seen since the start or the last ``forget``, those to ``/_simulator/`` left out."""
        with self._lock:
            return list(self._requests)

    @property
    def connections(self) -> int:
        """TCP connections accepted since the start or the last ``forget``."""
        return self._server.accepted - self._forgotten if self._server else 0

    def forget(self) -> None:
        """Set the counts of requests and connections to zero."""
        with self._lock:
            self._requests.clear()
            self._forgotten = self._server.accepted if self._server else 0

    def play(self, scenario: ScenarioDefinition | dict[str, Any] | list[dict[str, Any]]) -> None:
        """Add a scenario, or each of a list, to those that are active.

        :param scenario: one that the documentation of this package describes.
        :raises ValueError: what is not valid, and what is allowed.
        """
        with self._lock:
            self._scenarios.add(scenario, self._now())

    def stop_scenarios(self) -> None:
        """Stop all scenarios; what they changed stays changed."""
        with self._lock:
            self._scenarios.stop_all()

    def calm(self) -> None:
        """Stop all scenarios. The old name of ``stop_scenarios``."""
        warnings.warn("Simulator.calm is deprecated; use stop_scenarios", DeprecationWarning, stacklevel=2)
        self.stop_scenarios()

    def revoke_tokens(self) -> None:
        """Make every bearer token invalid at once; clients can get new ones."""
        with self._lock:
            self._credentials.revoke_tokens()

    def wait_for(self, predicate: Callable[[Simulator], object], timeout: float = 10.0) -> None:
        """Wait until a condition is true; it is checked after each request.

        :param predicate: the condition: gets the simulator, and returns whether it is met.
        :param timeout: seconds to wait at most.
        :raises TimeoutError: it did not become true.
        """
        with self._lock:
            if not self._lock.wait_for(lambda: bool(predicate(self)), timeout):
                seen = ", ".join(f"{one.method} {one.path} {one.status}" for one in self._requests[-5:])
                count = len(self._requests)
                raise TimeoutError(f"not true within {timeout:g} s; {count} requests, the last: {seen or 'none'}")

    def _respond(self, seen: SeenRequest) -> Response:
        with self._lock:
            if seen.path.startswith(PREFIX):
                return respond_to_control(self, seen)
            response = self._scenarios.respond(seen, self._now(), self._routes.respond)
            # Before it is sent: a client that has the response finds its request in the list.
            self._requests.append(replace(seen, status=response.status))
            self._lock.notify_all()
            return response


def _system_clock() -> datetime:
    return datetime.now(UTC)


def _require_scopes(scopes: Iterable[str] | None) -> frozenset[str]:
    """Return scopes, if they are known; None stands for all.

    :raises ValueError: one is not.
    """
    known = list_scopes()
    chosen = frozenset(known if scopes is None else scopes)
    if unknown := chosen - set(known):
        raise ValueError(f"unknown scopes {sorted(unknown)}; known: {', '.join(known)}")
    return chosen


def _require_page_size(page_size: int | None) -> int | None:
    if page_size is not None and page_size < 1:
        raise ValueError(f"a page holds at least one item, not {page_size}")
    return page_size
