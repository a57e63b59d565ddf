"""Redirects are followed on the same origin, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_learning360.api.errors import RedirectError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_learning360.simulator import Simulator

pytestmark = pytest.mark.learning360_simulator(sessions=2, learners=3)

MODES = ("headers", "query", "oauth2")
LIST = "/api/v1/programs/sessions$"


@pytest.mark.parametrize("auth", MODES)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("absolute", [False, True], ids=["path", "URL"])
def test_redirect_on_the_same_origin_is_followed(
    hook_to: Callable[..., Any], simulator: Simulator, auth: str, status: int, absolute: bool
) -> None:
    place = f"{simulator.url if absolute else ''}/api/v1/programs/sessions/?page=1"
    simulator.play({"when": {"path": LIST}, "do": {"redirect": place, "status": status}})
    assert len(hook_to(simulator, auth=auth)("list_program_sessions")) == 2
    seen = simulator.requests[-1]
    assert seen.path == "/api/v1/programs/sessions/"
    assert seen.query.get("page") == "1"


@pytest.mark.parametrize("auth", MODES)
@pytest.mark.parametrize("status", [302, 307])
def test_redirect_to_another_origin_is_refused(
    hook_to: Callable[..., Any], simulator: Simulator, other: Simulator, auth: str, status: int
) -> None:
    simulator.play({"when": {"path": LIST}, "do": {"redirect": f"{other.url}/login", "status": status}})
    with pytest.raises(RedirectError) as caught:
        hook_to(simulator, auth=auth)("list_program_sessions")
    assert other.url in str(caught.value)
    assert "host of the connection" in str(caught.value)
    assert (caught.value.method, caught.value.path) == ("GET", "/api/v1/programs/sessions")
    assert caught.value.status == status
    assert not other.requests
    assert other.connections == 0


@pytest.mark.parametrize("place", ["//127.0.0.1:9/x", "http://localhost:{port}/x", "https://127.0.0.1:{port}/x"])
def test_other_name_port_or_scheme_is_another_origin(
    hook_to: Callable[..., Any], simulator: Simulator, place: str
) -> None:
    target = place.format(port=simulator.url.rpartition(":")[2])
    simulator.play({"when": {"path": LIST}, "do": {"redirect": target}})
    with pytest.raises(RedirectError):
        hook_to(simulator)("list_program_sessions")
    assert len(simulator.requests) == 1


@pytest.mark.parametrize("place", ["http://here:port/", "ftp://x/", "mailto:x"])
def test_invalid_redirect_target_is_an_error(hook_to: Callable[..., Any], simulator: Simulator, place: str) -> None:
    simulator.play({"when": {"path": LIST}, "do": {"redirect": place}})
    with pytest.raises(RedirectError):
        hook_to(simulator)("list_program_sessions")
    assert len(simulator.requests) == 1


def test_redirect_loop_ends(hook_to: Callable[..., Any], simulator: Simulator) -> None:
    simulator.play({"when": {"path": LIST}, "do": {"redirect": "/api/v1/programs/sessions"}})
    with pytest.raises(RedirectError, match="more than 5 times"):
        hook_to(simulator)("list_program_sessions")
    assert len(simulator.requests) == 6


def test_token_call_is_not_redirected_to_another_origin(
    hook_to: Callable[..., Any], simulator: Simulator, other: Simulator
) -> None:
    redirect = {"redirect": f"{other.url}/api/v2/oauth2/token", "status": 307}
    simulator.play({"when": {"path": "/token"}, "do": redirect})
    with pytest.raises(RedirectError):
        hook_to(simulator, auth="oauth2")("list_program_sessions")
    assert other.connections == 0
