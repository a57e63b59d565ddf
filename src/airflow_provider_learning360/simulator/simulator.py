"""The simulator as Python sees it: start, look, edit, disturb, stop."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Self, TextIO

from airflow_provider_learning360.simulator.catalogue import Catalogue
from airflow_provider_learning360.simulator.controls import PREFIX, control
from airflow_provider_learning360.simulator.keys import Keys
from airflow_provider_learning360.simulator.routes import Routes
from airflow_provider_learning360.simulator.scenarios import Play
from airflow_provider_learning360.simulator.server import Server, loopback
from airflow_provider_learning360.simulator.sessions import Sessions

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from airflow_provider_learning360.simulator.answers import Answer
    from airflow_provider_learning360.simulator.traffic import SeenRequest


class Simulator:
    """360Learning on loopback: a real HTTP server with believable data. Use it as a context manager.

    :param sessions: how many program sessions there are. The first one has the ID that the example DAGs use,
        ``60b8d2956e20ae1a0f8e44f1``, whatever the seed.
    :param learners: how many learners each of them has.
    :param seed: the same seed gives the same data.
    :param company_id: the company ID to accept.
    :param api_key: the API key to accept.
    :param token_life: seconds that a bearer token lives.
    :param clock: a function without arguments that returns an aware datetime: tokens age by it, scenarios wait by
        it, and it says what day it is. Default: the system's clock.
    :param today: the day that the sessions lie around: some are over, some running, some start soon. The same seed and
        day give the same sessions. Default: the day of the clock, in UTC.
    :param expires_in_as: type of ``expires_in`` in the token answer, ``str`` (as documented) or ``int``.
    :param legacy: how many of the sessions, the oldest, lack the fields that came in 2021.
    :param host: loopback address to listen on.
    :param port: TCP port; 0 for any free one.
    :param log: where to write a line per request, for example ``sys.stderr``. Default: nowhere.
    :raises ValueError: the host is not loopback.
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
        expires_in_as: type[str | int] = str,
        legacy: int = 0,
        host: str = "127.0.0.1",
        port: int = 0,
        log: TextIO | None = None,
    ) -> None:
        self.company_id = company_id
        self.api_key = api_key
        self._host = loopback(host)
        self._port = port
        self._log = log
        self._now = clock or _system_clock
        catalogue = Catalogue(seed, learners, today or self._now().astimezone(UTC).date())
        self._sessions = Sessions(catalogue, sessions, legacy, self._now)
        self._keys = Keys(company_id, api_key, token_life, expires_in_as, self._now)
        self._routes = Routes(self._sessions, self._keys)
        self._play = Play(self)
        # One lock for all there is: a request sees the data before an edit or after it, never in between.
        self._changed = threading.Condition()
        self._requests: list[SeenRequest] = []
        self._server: Server | None = None
        self._forgotten = 0

    def start(self) -> Self:
        """Begins to serve. After a stop: again on the same port, with the same data.

        :raises OSError: the port is taken.
        """
        if self._server is None:
            self._server = Server(self._host, self._port, self._respond, self._log)
            self._port = self._server.server_port
            self._forgotten = 0
            self._server.start()
        return self

    def stop(self) -> None:
        """Stops serving and closes every connection."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def __enter__(self) -> Self:
        """Starts."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops."""
        self.stop()

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    @property
    def session_ids(self) -> list[str]:
        """The IDs of all sessions, in the order of the list route."""
        with self._changed:
            return self._sessions.ids()

    def session(self, session_id: str) -> dict[str, Any]:
        """A copy of a session as it is now.

        :param session_id: its ID.
        :raises KeyError: there is no such session.
        """
        with self._changed:
            return self._sessions.document(session_id)

    def edit(self, session_id: str, /, **fields: Any) -> dict[str, Any]:
        """Changes a session; ``modifiedAt`` moves strictly ahead unless it is given, or the session has none.

        :param session_id: its ID.
        :param fields: new values under the vendor's keys; ``...`` removes a key.
        :returns: a copy of the session as it is then.
        :raises KeyError: there is no such session.
        """
        with self._changed:
            return self._sessions.edit(session_id, fields)

    def delete(self, session_id: str) -> None:
        """Deletes a session.

        :param session_id: its ID.
        :raises KeyError: there is no such session.
        """
        with self._changed:
            self._sessions.delete(session_id)

    def add(self, document: dict[str, Any]) -> str:
        """Adds a session, at the end of the list, in which nobody has begun yet.

        :param document: the session under the vendor's keys, with an ``_id`` of its own.
        :returns: its ID.
        :raises ValueError: ``_id`` is missing or taken.
        """
        with self._changed:
            return self._sessions.add(document)

    def put(self, session_id: str, document: dict[str, Any]) -> dict[str, Any]:
        """Puts a session there as it stands: in place of the one with this ID, or at the end of the list.

        Nothing moves by itself, ``modifiedAt`` neither. Who is enrolled before and after keeps the progress made.

        :param session_id: its ID.
        :param document: the session under the vendor's keys; ``_id`` may be left out.
        :returns: a copy of the session as it is then.
        :raises ValueError: ``_id`` is another one.
        """
        with self._changed:
            if document.get("_id", session_id) != session_id:
                raise ValueError(f"a session with the _id {document['_id']!r} cannot be put at {session_id!r}")
            self._sessions.put({"_id": session_id} | document)
            return self._sessions.document(session_id)

    def statistics(self, session_id: str) -> dict[str, Any]:
        """A copy of a session's statistics as they are now.

        :param session_id: its ID.
        :raises KeyError: there is no such session.
        """
        with self._changed:
            copy: dict[str, Any] = json.loads(json.dumps(self._sessions.statistics(session_id)))
            return copy

    def finish(self, session_id: str, mail: str) -> None:
        """Marks a learner as finished, now.

        :param session_id: the session's ID.
        :param mail: the learner's mail.
        :raises KeyError: there is no such session, or no such learner in it.
        """
        with self._changed:
            self._sessions.finish(session_id, mail)

    @property
    def requests(self) -> list[SeenRequest]:
        """The requests seen since the start or the last ``forget``, those to ``/_simulator/`` left out."""
        with self._changed:
            return list(self._requests)

    @property
    def connections(self) -> int:
        """TCP connections accepted since the start or the last ``forget``."""
        return self._server.accepted - self._forgotten if self._server else 0

    def forget(self) -> None:
        """Starts the counts of requests and connections anew."""
        with self._changed:
            self._requests.clear()
            self._forgotten = self._server.accepted if self._server else 0

    def play(self, scenario: dict[str, Any] | list[dict[str, Any]]) -> None:
        """Puts a scenario, or each of a list, in play beside those that are.

        :param scenario: see the table in the documentation of this package.
        :raises ValueError: what is wrong with it, and what is allowed.
        """
        with self._changed:
            self._play.add(scenario, self._now())

    def calm(self) -> None:
        """Ends all scenarios; what they changed stays changed."""
        with self._changed:
            self._play.calm()

    def revoke_tokens(self) -> None:
        """Ends every bearer token at once; new ones can be had."""
        with self._changed:
            self._keys.revoke()

    def wait_for(self, predicate: Callable[[Simulator], object], timeout: float = 10.0) -> None:
        """Waits until something is true; looks after each request.

        :param predicate: gets the simulator, returns whether to go on.
        :param timeout: seconds to wait at most.
        :raises TimeoutError: it did not become true.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: bool(predicate(self)), timeout):
                seen = ", ".join(f"{one.method} {one.path} {one.status}" for one in self._requests[-5:])
                raise TimeoutError(
                    f"not within {timeout:g} s; {len(self._requests)} requests, the last: {seen or 'none'}"
                )

    def _respond(self, seen: SeenRequest) -> Answer:
        with self._changed:
            if seen.path.startswith(PREFIX):
                return control(self, seen)
            answer = self._play.direct(seen, self._now(), self._routes.answer)
            # Noted before it is sent: who has the answer in hand finds the request here.
            self._requests.append(replace(seen, status=answer.status))
            self._changed.notify_all()
            return answer


def _system_clock() -> datetime:
    return datetime.now(UTC)
