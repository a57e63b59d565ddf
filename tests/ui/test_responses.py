"""The JSON of the page's routes has the shapes of `responses.py`, which `static/api.js` repeats for the scripts."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import NoneType, UnionType
from typing import Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

import pytest
from fastapi.testclient import TestClient

from airflow_provider_learning360.api import errors
from airflow_provider_learning360.simulator import Simulator
from airflow_provider_learning360.ui import responses
from airflow_provider_learning360.ui.app import STATIC
from airflow_provider_learning360.ui.failure import failure_from_error

API = "/learning360/api"
SHAPES = [kind for kind in vars(responses).values() if is_typeddict(kind)]


def has_shape(value: Any, kind: Any) -> bool:
    """Whether a value of JSON has a type, to the last key."""
    if kind is Any:
        return True
    if is_typeddict(kind):
        # `__required_keys__` does not see `NotRequired` in annotations that are strings.
        hints = get_type_hints(kind, include_extras=True)
        required = {name for name, hint in hints.items() if get_origin(hint) is not NotRequired}
        if not isinstance(value, dict) or not required <= value.keys() <= hints.keys():
            return False
        return all(has_shape(value[name], hints[name]) for name in value)
    arguments = get_args(kind)
    match get_origin(kind):
        case origin if origin in (Union, UnionType):
            return any(has_shape(value, one) for one in arguments)
        case origin if origin is Literal:
            return value in arguments
        case origin if origin is NotRequired:
            return has_shape(value, arguments[0])
        case origin if origin is list:
            return isinstance(value, list) and all(has_shape(one, arguments[0]) for one in value)
        case origin if origin is dict:
            return isinstance(value, dict) and all(has_shape(one, arguments[1]) for one in value.values())
    return isinstance(value, NoneType if kind is None else kind)


@pytest.fixture
def connection(stored: Callable[..., str], simulator: Simulator) -> str:
    """A stored connection to the simulator."""
    return stored(host=simulator.url, login=simulator.company_id, password=simulator.api_key)


def test_every_route_has_its_shape(
    login: Callable[[str | None], TestClient], connection: str, simulator: Simulator
) -> None:
    client, session_id = login("ada"), simulator.session_ids[0]
    simulator.edit(session_id, color="red", modules=[{"_id": "1", "type": "quiz"}])

    def post(action: str, **body: Any) -> Any:
        return client.post(f"{API}/connections/{connection}/{action}", json=body).json()

    assert has_shape(client.get(f"{API}/connections").json(), responses.ConnectionList)
    assert has_shape(client.get(f"{API}/watched").json(), responses.WatchedAssets)
    assert has_shape(post("test"), responses.ConnectionTest)
    assert has_shape(post("version"), responses.ConnectionVersion)
    assert has_shape(post("sessions"), responses.SessionSearch)
    assert has_shape(post("request", session_id=session_id), responses.RequestSuccess)
    assert has_shape(post("request", session_id=session_id, reveal=True), responses.RequestSuccess)
    assert has_shape(post("request", session_id="no ID"), responses.RequestFailure)
    assert has_shape(post("workflows", session_id=session_id), responses.WorkflowList)
    assert has_shape(post("workflows", session_id="no ID"), responses.ErrorBody)
    listed = client.get(f"{API}/operations").json()
    assert has_shape(listed, responses.OperationList)
    for one in listed["operations"]:
        assert has_shape(client.get(f"{API}/operations/{one['name']}").json(), responses.OperationDetail)
    assert has_shape(post("operation", name="list-program-sessions-v1"), responses.OperationSuccess)
    unknown_session = {"session_id": "f" * 24}
    assert has_shape(
        post("operation", name="get-program-session-v1", parameters=unknown_session), responses.RequestFailure
    )
    write = {"name": "delete-program-session-v1", "parameters": {"session_id": session_id}}
    assert has_shape(post("operation", **write), responses.WriteDescription)
    assert has_shape(post("operation", name="get-program-session-v1"), responses.ArgumentsErrorBody)
    assert has_shape(client.get(f"{API}/nothing").json(), responses.ErrorBody)
    assert not has_shape(post("test"), responses.WorkflowList)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda one: one.__name__)
def test_scripts_know_every_key(shape: Any) -> None:
    documented = re.search(r"/\*\*.*?\*/", (STATIC / "api.js").read_text("utf-8"), re.DOTALL)
    assert documented
    keys = set(re.findall(r"(\w+)\??:", documented[0]))
    assert get_type_hints(shape).keys() - keys == set()


def with_bases(shape: Any) -> list[Any]:
    """A shape and those that it extends, whose keys it need not repeat."""
    return [one for one in SHAPES if one.__annotations__.items() <= shape.__annotations__.items()]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda one: one.__name__)
def test_every_key_is_documented(shape: Any) -> None:
    documented = "".join(one.__doc__ or "" for one in with_bases(shape))
    assert {name for name in shape.__annotations__ if f":param {name}:" not in documented} == set()


def every_error() -> list[type[errors.LearningError]]:
    found = [errors.LearningError]
    for kind in found:
        found += [one for one in kind.__subclasses__() if one.__module__ == errors.__name__]
    return found


@pytest.mark.parametrize("kind", every_error())
def test_every_error_becomes_a_failure(kind: type[errors.LearningError]) -> None:
    failure = failure_from_error(kind("It failed.\x00", retry_after=None))
    assert has_shape(failure, responses.Failure)
    assert failure["detail"] == "It failed.\\x00"


def test_errors_with_more_detail_get_a_code_of_their_own() -> None:
    unknown_company = errors.UnauthorizedError("Refused.", code="invalid_request")
    assert failure_from_error(unknown_company)["code"] == "unknown_company"
    limited = errors.RateLimitedError("Too many.", retry_after=59.7)
    assert failure_from_error(limited)["values"] == {"seconds": 60}
