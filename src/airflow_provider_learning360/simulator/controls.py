"""The simulator's own routes, for whoever steers it from another process. They need no key."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.simulator.answers import Answer, answer, refused
from airflow_provider_learning360.simulator.traffic import SeenRequest, masked

if TYPE_CHECKING:
    from airflow_provider_learning360.simulator.simulator import Simulator

PREFIX = "/_simulator/"

_SESSION = re.compile(r"/_simulator/sessions/([^/]+)/?")


def control(simulator: Simulator, seen: SeenRequest) -> Answer:
    """Does what a request under ``/_simulator/`` asks for.

    Answers 400 with the reason for what cannot be done, 404 for what does not exist.

    :param simulator: the simulator to steer.
    :param seen: the request.
    """
    try:
        return _control(simulator, seen)
    except KeyError as error:
        return refused(404, str(error.args[0]))
    except (TypeError, ValueError) as error:
        return refused(400, str(error))


def _control(simulator: Simulator, seen: SeenRequest) -> Answer:
    session = _SESSION.fullmatch(seen.path)
    match seen.method, seen.path:
        case "POST", "/_simulator/scenario":
            simulator.play(json.loads(seen.body))
        case "DELETE", "/_simulator/scenario":
            simulator.calm()
        case "POST", "/_simulator/tokens/revoke":
            simulator.revoke_tokens()
        case "GET", "/_simulator/requests":
            since = int(seen.query.get("since", 0))
            return answer([_shown(request) for request in simulator.requests[max(since, 0) :]])
        case "DELETE", "/_simulator/requests":
            simulator.forget()
        case "GET", "/_simulator/sessions":
            return answer(simulator.session_ids)
        case "GET", _ if session:
            return answer(simulator.session(session[1]))
        case "POST", _ if session:
            return answer(simulator.edit(session[1], **_object(seen, "an edit is an object of fields")))
        case "PUT", _ if session:
            return answer(simulator.put(session[1], _object(seen, "a session is an object")))
        case "DELETE", _ if session:
            simulator.delete(session[1])
        case _:
            raise KeyError(f"the simulator has no {seen.method} {seen.path}")
    return answer({})


def _object(seen: SeenRequest, otherwise: str) -> dict[str, Any]:
    body = json.loads(seen.body)
    if not isinstance(body, dict):
        raise TypeError(otherwise)
    return body


def _shown(request: SeenRequest) -> dict[str, Any]:
    # Neither headers nor body: both may carry keys.
    return {
        "method": request.method,
        "path": request.path,
        "query": masked(request.query),
        "status": request.status,
        "connection": request.connection,
        "at": request.at,
    }
