"""The control routes: how another process edits sessions and adds scenarios. They need no key."""

from __future__ import annotations

import json
import re
from typing import Any, Protocol, TypedDict

from airflow_provider_learning360.simulator.request_log import SeenRequest, mask_pairs, mask_secrets
from airflow_provider_learning360.simulator.responses import Response, error_response, json_response

PREFIX = "/_simulator/"

_SESSION = re.compile(r"/_simulator/sessions/([^/]+)/?")
_FINISH = re.compile(r"/_simulator/sessions/([^/]+)/finish/?")


class Controlled(Protocol):
    """What the control routes need of the simulator."""

    @property
    def requests(self) -> list[SeenRequest]: ...
    @property
    def session_ids(self) -> list[str]: ...
    def session(self, session_id: str) -> dict[str, Any]: ...
    def edit(self, session_id: str, /, **fields: Any) -> dict[str, Any]: ...
    def put(self, session_id: str, document: dict[str, Any]) -> dict[str, Any]: ...
    def delete(self, session_id: str) -> None: ...
    def play(self, scenario: Any) -> None: ...
    def stop_scenarios(self) -> None: ...
    def revoke_tokens(self) -> None: ...
    def forget(self) -> None: ...
    def finish(self, session_id: str, mail: str) -> None: ...


class RequestEntry(TypedDict):
    """An entry of ``GET /_simulator/requests``. It has neither headers nor body: both may hold keys."""

    method: str
    path: str
    query: dict[str, str]
    query_pairs: list[tuple[str, str]]
    status: int
    connection: int
    at: float


def respond_to_control(simulator: Controlled, seen: SeenRequest) -> Response:
    """Do what a request under ``/_simulator/`` asks for, and return the response.

    That is 400 with the reason for what is not possible, and 404 for what does not exist.

    :param simulator: the simulator.
    :param seen: the request.
    """
    try:
        return _respond(simulator, seen)
    except KeyError as error:
        return error_response(404, str(error.args[0]))
    except (TypeError, ValueError) as error:
        return error_response(400, str(error))


def _respond(simulator: Controlled, seen: SeenRequest) -> Response:
    session, finish = _SESSION.fullmatch(seen.path), _FINISH.fullmatch(seen.path)
    match seen.method, seen.path:
        case "POST", "/_simulator/scenario":
            simulator.play(json.loads(seen.body))
        case "DELETE", "/_simulator/scenario":
            simulator.stop_scenarios()
        case "POST", "/_simulator/tokens/revoke":
            simulator.revoke_tokens()
        case "GET", "/_simulator/requests":
            since = int(seen.query.get("since", 0))
            return json_response([_to_entry(request) for request in simulator.requests[max(since, 0) :]])
        case "DELETE", "/_simulator/requests":
            simulator.forget()
        case "GET", "/_simulator/sessions":
            return json_response(simulator.session_ids)
        case "GET", _ if session:
            return json_response(simulator.session(session[1]))
        case "POST", _ if session:
            return json_response(simulator.edit(session[1], **_read_object(seen, "an edit is an object of fields")))
        case "PUT", _ if session:
            return json_response(simulator.put(session[1], _read_object(seen, "a session is an object")))
        case "POST", _ if finish:
            simulator.finish(finish[1], str(_read_object(seen, "a learner is an object with a mail")["mail"]))
        case "DELETE", _ if session:
            simulator.delete(session[1])
        case _:
            raise KeyError(f"the simulator has no route {seen.method} {seen.path}")
    return json_response({})


def _read_object(seen: SeenRequest, otherwise: str) -> dict[str, Any]:
    body = json.loads(seen.body)
    if not isinstance(body, dict):
        raise TypeError(otherwise)
    return body


def _to_entry(request: SeenRequest) -> RequestEntry:
    return {
        "method": request.method,
        "path": request.path,
        "query": mask_secrets(request.query),
        "query_pairs": mask_pairs(request.query_pairs),
        "status": request.status,
        "connection": request.connection,
        "at": request.at,
    }
