"""Scenarios: what goes wrong, or what changes, and when. The docstring of the package lists them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import inf
from typing import TYPE_CHECKING, Any, NotRequired, Protocol, TypedDict

from airflow_provider_learning360.simulator.responses import Response, default_response, redirect, to_json

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_provider_learning360.simulator.request_log import SeenRequest


class Edit(TypedDict):
    """``edit``: which session to change, and its new fields."""

    session: str
    fields: dict[str, Any]


class Drift(TypedDict, total=False):
    """``drift``: what to change in the sessions of a response."""

    add: dict[str, Any]
    remove: list[str]
    module_type: str


class Effect(TypedDict, total=False):
    """``do``: one effect. ``headers`` and ``body`` belong to ``status``, which also belongs to ``redirect``."""

    edit: Edit
    delete: str
    expire_tokens: bool
    status: int
    headers: dict[str, str]
    body: Any
    redirect: str
    html: bool
    empty: bool
    drop: bool
    delay: float
    drift: Drift
    body_cut: bool
    truncate: bool
    list: bool


class Condition(TypedDict, total=False):
    """``when``: which requests the effect applies to."""

    path: str
    method: str
    after_requests: int
    after_seconds: float
    times: int
    for_seconds: float


class ScenarioDefinition(TypedDict):
    """A scenario as JSON."""

    do: Effect
    when: NotRequired[Condition]


_LOGIN_PAGE = (
    b'<!DOCTYPE html><html lang="en"><head><title>Log in</title></head>'
    b'<body><form action="/login"><input name="mail"></form></body></html>'
)


class Platform(Protocol):
    """What a scenario may change: sessions and tokens."""

    @property
    def session_ids(self) -> list[str]:
        """The IDs of all sessions."""

    def edit(self, session_id: str, /, **fields: Any) -> Any:
        """Change fields of a session."""

    def delete(self, session_id: str) -> None:
        """Delete a session."""

    def revoke_tokens(self) -> None:
        """Make every token invalid."""


def _edit(platform: Platform, do: Effect) -> None:
    with suppress(KeyError):  # the session was deleted after the scenario was added
        platform.edit(do["edit"]["session"], **do["edit"]["fields"])


def _delete(platform: Platform, do: Effect) -> None:
    with suppress(KeyError):
        platform.delete(do["delete"])


def _expire(platform: Platform, do: Effect) -> None:
    platform.revoke_tokens()


def _status(do: Effect, seen: SeenRequest) -> Response:
    response = default_response(do["status"], seen.path)
    if isinstance(do.get("body"), str):
        response = replace(response, body=do["body"].encode(), content_type="text/plain; charset=utf-8")
    elif "body" in do:
        response = replace(response, body=to_json(do["body"]))
    return replace(response, headers=do.get("headers", {}))


def _redirect(do: Effect, seen: SeenRequest) -> Response:
    return redirect(do["redirect"], do.get("status", 302))


def _html(do: Effect, seen: SeenRequest) -> Response:
    return Response(body=_LOGIN_PAGE, content_type="text/html; charset=utf-8")


def _empty(do: Effect, seen: SeenRequest) -> Response:
    return Response()


def _drop(do: Effect, seen: SeenRequest) -> Response:
    return Response(status=0, sent_part="none")


def _truncate(do: Effect, response: Response) -> Response:
    return replace(response, sent_part="half")


def _body_cut(do: Effect, response: Response) -> Response:
    return replace(response, body=response.body[: len(response.body) // 2])


def _list(do: Effect, response: Response) -> Response:
    return replace(response, status=200, body=b"[" + response.body + b"]")


def _delay(do: Effect, response: Response) -> Response:
    return replace(response, delay=response.delay + do["delay"])


def _drift(do: Effect, response: Response) -> Response:
    if not response.holds_sessions:
        return response
    content = json.loads(response.body)
    drifted = [
        _apply_drift(document, do["drift"]) for document in (content if isinstance(content, list) else [content])
    ]
    return replace(response, body=to_json(drifted if isinstance(content, list) else drifted[0]))


def _apply_drift(document: dict[str, Any], drift: Drift) -> dict[str, Any]:
    for key in ("modules", "steps"):  # v1's name and v2's
        if "module_type" in drift and document.get(key):
            first, *others = document[key]
            document[key] = [first | {"type": drift["module_type"]}, *others]
    document |= drift.get("add", {})
    return {key: value for key, value in document.items() if key not in drift.get("remove", [])}


# Three kinds of effects. Changes edit the data, and not the response. Replacements are the response; the route is not
# called. Alterations change the route's response.
_CHANGES: dict[str, Callable[[Platform, Effect], None]] = {
    "edit": _edit,
    "delete": _delete,
    "expire_tokens": _expire,
}
_REPLACEMENTS: dict[str, Callable[[Effect, SeenRequest], Response]] = {
    "status": _status,
    "redirect": _redirect,
    "html": _html,
    "empty": _empty,
    "drop": _drop,
}
_ALTERATIONS: dict[str, Callable[[Effect, Response], Response]] = {
    "delay": _delay,
    "drift": _drift,
    "list": _list,
    "body_cut": _body_cut,
    "truncate": _truncate,
}
_EFFECTS = (*_CHANGES, *_REPLACEMENTS, *_ALTERATIONS)
_EXTRA_KEYS = {"status": ("headers", "body"), "redirect": ("status",)}
_NUMBER = (int, float)
_TYPES: dict[str, type | tuple[type, ...]] = {
    "edit": dict,
    "delete": str,
    "expire_tokens": bool,
    "status": int,
    "headers": dict,
    "redirect": str,
    "html": bool,
    "empty": bool,
    "drop": bool,
    "delay": _NUMBER,
    "drift": dict,
    "list": bool,
    "body_cut": bool,
    "truncate": bool,
    "session": str,
    "fields": dict,
    "add": dict,
    "remove": list,
    "module_type": str,
    "path": str,
    "method": str,
    "after_requests": int,
    "after_seconds": _NUMBER,
    "times": int,
    "for_seconds": _NUMBER,
}
_CONDITIONS = ("path", "method", "after_requests", "after_seconds", "times", "for_seconds")


def _accept_ellipsis(value: object) -> None:
    if value is not ...:  # in an edit, it removes the field
        raise TypeError(f"{value!r} is not JSON")


def _check(what: str, value: object, allowed: tuple[str, ...], required: tuple[str, ...] = ()) -> None:
    if not isinstance(value, Mapping):
        raise ValueError(f"{what} must be an object, not {value!r}")  # noqa: TRY004 - callers catch one type of error
    for key, one in value.items():
        if key not in allowed:
            raise ValueError(f"unknown key {key!r} in {what}; allowed: {', '.join(allowed)}")
        kind = _TYPES.get(key, object)
        if not isinstance(one, kind) or (isinstance(one, bool) and kind not in (bool, object)):
            raise ValueError(f"{key!r} in {what} cannot be {one!r}")
        if isinstance(one, int | float) and one < 0:
            raise ValueError(f"{key!r} in {what} is below zero")
    for key in required:
        if key not in value:
            raise ValueError(f"{what} needs {key!r}")


def _check_effect(do: Mapping[str, Any]) -> str:
    # "status" is an effect, and also an extra key of "redirect".
    kinds = ["redirect"] if "redirect" in do else [kind for kind in _EFFECTS if kind in do]
    if len(kinds) != 1:
        raise ValueError(f"'do' must hold exactly one of {', '.join(_EFFECTS)}, not {sorted(do)}")
    kind = kinds[0]
    _check("'do'", do, (kind, *_EXTRA_KEYS.get(kind, ())))
    if kind == "edit":
        _check("'edit'", do["edit"], ("session", "fields"), ("session", "fields"))
    if kind == "drift":
        _check("'drift'", do["drift"], ("add", "remove", "module_type"))
    if do.get("status", 200) not in range(200, 600):
        raise ValueError(f"'status' must be from 200 to 599, not {do['status']}")
    if do[kind] is False:
        raise ValueError(f"{kind!r} takes true; leave the scenario out instead")
    return kind


@dataclass(eq=False)
class Scenario:
    """One scenario, and how often it has applied.

    :param definition: the scenario as JSON.
    :param added_at: when it was added.
    """

    definition: Any
    added_at: datetime
    kind: str = field(init=False)
    _matched: int = field(default=0, init=False)
    _applied: int = field(default=0, init=False)
    _first_applied_at: datetime | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        _check("a scenario", self.definition, ("when", "do"), ("do",))
        self.do: Effect = self.definition["do"]
        if not isinstance(self.do, Mapping):
            raise ValueError(f"'do' must be an object, not {self.do!r}")  # noqa: TRY004 - callers catch one type of error
        self.kind = _check_effect(self.do)
        try:
            json.dumps(self.definition, default=_accept_ellipsis)
        except TypeError as error:
            raise ValueError(f"a scenario must be JSON: {error}") from None
        self._when: Condition = self.definition.get("when", {})
        _check("'when'", self._when, _CONDITIONS)
        try:
            self._path = re.compile(self._when.get("path", "/api/"))
        except re.error as error:
            raise ValueError(f"'path' in 'when' is not a regular expression: {error}") from None
        self._times = self._when.get("times", 1 if self.kind in _CHANGES else None)

    @property
    def session_id(self) -> str | None:
        """The ID of the session that it changes, if it changes one."""
        session_id = self.do["edit"]["session"] if self.kind == "edit" else self.do.get("delete")
        return None if session_id is None else str(session_id)

    def applies_to(self, seen: SeenRequest, now: datetime) -> bool:
        """Return whether it applies to a request; count the requests that match."""
        if not self._names(seen) or self._when.get("method", seen.method).upper() != seen.method:
            return False
        self._matched += 1
        if self._matched <= self._when.get("after_requests", 0):
            return False
        if (now - self.added_at).total_seconds() < self._when.get("after_seconds", 0):
            return False
        limit = self._when.get("for_seconds", inf)
        if self._first_applied_at and (now - self._first_applied_at).total_seconds() >= limit:
            return False
        return self._times is None or self._applied < self._times

    def _names(self, seen: SeenRequest) -> bool:
        """Return whether the pattern is in the path, or in path and query, as where API v2 names a session."""
        if self._path.search(seen.path):
            return True
        query = "&".join(f"{name}={value}" for name, value in seen.query_pairs)
        return bool(query) and self._path.search(f"{seen.path}?{query}") is not None

    def note_applied(self, now: datetime) -> None:
        """Count a request that it has applied to."""
        self._applied += 1
        self._first_applied_at = self._first_applied_at or now


class Scenarios:
    """The scenarios that were added and not stopped.

    :param platform: what they may change.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._scenarios: list[Scenario] = []

    def add(self, definition: object, now: datetime) -> None:
        """Add one scenario, or each of a list; if one is not valid, none.

        :param definition: the scenario, or a list of them.
        :param now: the time.
        :raises ValueError: what is not valid, and what is allowed.
        """
        scenarios = [Scenario(one, now) for one in (definition if isinstance(definition, list) else [definition])]
        known = {None, *self._platform.session_ids}
        for scenario in scenarios:
            if scenario.session_id not in known:
                raise ValueError(f"no program session {scenario.session_id!r} in the simulator")
        self._scenarios += scenarios

    def stop_all(self) -> None:
        """Stop all scenarios."""
        self._scenarios.clear()

    def respond(self, seen: SeenRequest, now: datetime, route: Callable[[SeenRequest], Response]) -> Response:
        """Return the response to a request, as the scenarios change it.

        :param seen: the request.
        :param now: the time.
        :param route: what returns the response without scenarios.
        """
        selected = self._select(seen, now)
        for scenario in selected:
            if scenario.kind in _CHANGES:
                _CHANGES[scenario.kind](self._platform, scenario.do)
        replacing = [scenario for scenario in selected if scenario.kind in _REPLACEMENTS]
        response = _REPLACEMENTS[replacing[0].kind](replacing[0].do, seen) if replacing else route(seen)
        for scenario in selected:
            if scenario.kind in _ALTERATIONS:
                response = _ALTERATIONS[scenario.kind](scenario.do, response)
        return replace(response, note=", ".join(scenario.kind for scenario in selected))

    def _select(self, seen: SeenRequest, now: datetime) -> list[Scenario]:
        matching = [scenario for scenario in self._scenarios if scenario.applies_to(seen, now)]
        # Only one replacement can be the response. The others wait, so that a list of them applies one by one.
        waiting = [scenario for scenario in matching if scenario.kind in _REPLACEMENTS][1:]
        selected = [scenario for scenario in matching if scenario not in waiting]
        for scenario in selected:
            scenario.note_applied(now)
        return selected
