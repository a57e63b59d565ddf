"""Scenarios: what goes wrong, or what changes, and when. The package's docstring has the table."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import inf
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_learning360.simulator.answers import Answer, encoded, failure, redirect

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_provider_learning360.simulator.traffic import SeenRequest

Told = Mapping[str, Any]

_LOGIN_PAGE = (
    b'<!DOCTYPE html><html lang="en"><head><title>Log in</title></head>'
    b'<body><form action="/login"><input name="mail"></form></body></html>'
)


class Platform(Protocol):
    """What a scenario may do to the data and the tokens."""

    @property
    def session_ids(self) -> list[str]:
        """The sessions there are."""

    def edit(self, session_id: str, /, **fields: Any) -> Any:
        """Changes fields of a session."""

    def delete(self, session_id: str) -> None:
        """Removes a session."""

    def revoke_tokens(self) -> None:
        """Ends every token."""


def _edit(platform: Platform, do: Told) -> None:
    with suppress(KeyError):  # deleted since the scenario was played: nothing is left to change
        platform.edit(do["edit"]["session"], **do["edit"]["fields"])


def _delete(platform: Platform, do: Told) -> None:
    with suppress(KeyError):
        platform.delete(do["delete"])


def _expire(platform: Platform, do: Told) -> None:
    platform.revoke_tokens()


def _status(do: Told, answer: Answer) -> Answer:
    answer = failure(do["status"])
    if isinstance(do.get("body"), str):
        answer = replace(answer, body=do["body"].encode(), content_type="text/plain; charset=utf-8")
    elif "body" in do:
        answer = replace(answer, body=encoded(do["body"]))
    return replace(answer, headers=do.get("headers", {}))


def _redirect(do: Told, answer: Answer) -> Answer:
    return redirect(do["redirect"], do.get("status", 302))


def _html(do: Told, answer: Answer) -> Answer:
    return Answer(body=_LOGIN_PAGE, content_type="text/html; charset=utf-8")


def _empty(do: Told, answer: Answer) -> Answer:
    return Answer()


def _drop(do: Told, answer: Answer) -> Answer:
    return Answer(status=0, delivery="none")


def _truncate(do: Told, answer: Answer) -> Answer:
    return replace(answer, delivery="half")


def _body_cut(do: Told, answer: Answer) -> Answer:
    return replace(answer, body=answer.body[: len(answer.body) // 2])


def _list(do: Told, answer: Answer) -> Answer:
    return replace(answer, status=200, body=b"[" + answer.body + b"]")


def _delay(do: Told, answer: Answer) -> Answer:
    return replace(answer, delay=answer.delay + do["delay"])


def _drift(do: Told, answer: Answer) -> Answer:
    if not answer.holds_sessions:
        return answer
    content = json.loads(answer.body)
    drifted = [_drifted(document, do["drift"]) for document in (content if isinstance(content, list) else [content])]
    return replace(answer, body=encoded(drifted if isinstance(content, list) else drifted[0]))


def _drifted(document: dict[str, Any], drift: Told) -> dict[str, Any]:
    if "module_type" in drift and document.get("modules"):
        first, *others = document["modules"]
        document["modules"] = [first | {"type": drift["module_type"]}, *others]
    document |= drift.get("add", {})
    return {key: value for key, value in document.items() if key not in drift.get("remove", [])}


# Three families. Changes happen once and leave the answer alone; replacements are the answer, and the route
# behind is not even asked; alterations take the route's answer and change it.
_CHANGES: dict[str, Callable[[Platform, Told], None]] = {
    "edit": _edit,
    "delete": _delete,
    "expire_tokens": _expire,
}
_REPLACEMENTS: dict[str, Callable[[Told, Answer], Answer]] = {
    "status": _status,
    "redirect": _redirect,
    "html": _html,
    "empty": _empty,
    "drop": _drop,
}
_ALTERATIONS: dict[str, Callable[[Told, Answer], Answer]] = {
    "delay": _delay,
    "drift": _drift,
    "list": _list,
    "body_cut": _body_cut,
    "truncate": _truncate,
}
_KINDS = (*_CHANGES, *_REPLACEMENTS, *_ALTERATIONS)
_BESIDE = {"status": ("headers", "body"), "redirect": ("status",)}
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
_WHEN = ("path", "method", "after_requests", "after_seconds", "times", "for_seconds")


def _removal(value: object) -> None:
    if value is not ...:  # which means, in an edit, that the field goes away
        raise TypeError(f"{value!r} is none")


def _check(what: str, told: object, allowed: tuple[str, ...], required: tuple[str, ...] = ()) -> None:
    if not isinstance(told, Mapping):
        raise ValueError(f"{what} must be an object, not {told!r}")  # noqa: TRY004 - one error for all that is wrong
    for key, value in told.items():
        if key not in allowed:
            raise ValueError(f"unknown key {key!r} in {what}; allowed: {', '.join(allowed)}")
        kind = _TYPES.get(key, object)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind not in (bool, object)):
            raise ValueError(f"{key!r} in {what} does not take {value!r}")
        if isinstance(value, int | float) and value < 0:
            raise ValueError(f"{key!r} in {what} is below zero")
    for key in required:
        if key not in told:
            raise ValueError(f"{what} needs {key!r}")


def _kind(do: Mapping[str, Any]) -> str:
    # "status" is a scenario of its own and also the status of a redirect: a redirect is looked for first.
    kinds = ["redirect"] if "redirect" in do else [kind for kind in _KINDS if kind in do]
    if len(kinds) != 1:
        raise ValueError(f"'do' must hold exactly one of {', '.join(_KINDS)}, not {sorted(do)}")
    kind = kinds[0]
    _check("'do'", do, (kind, *_BESIDE.get(kind, ())))
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
    """One scenario, and how far it has got.

    :param told: the scenario as JSON says it.
    :param played: when it was handed over.
    """

    told: Any
    played: datetime
    kind: str = field(init=False)
    _seen: int = field(default=0, init=False)
    _hits: int = field(default=0, init=False)
    _first_hit: datetime | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        _check("a scenario", self.told, ("when", "do"), ("do",))
        self.do: Mapping[str, Any] = self.told["do"]
        if not isinstance(self.do, Mapping):
            raise ValueError(f"'do' must be an object, not {self.do!r}")  # noqa: TRY004 - as above
        self.kind = _kind(self.do)
        try:
            json.dumps(self.told, default=_removal)
        except TypeError as error:
            raise ValueError(f"a scenario must be JSON: {error}") from None
        self._when: Mapping[str, Any] = self.told.get("when", {})
        _check("'when'", self._when, _WHEN)
        try:
            self._path = re.compile(self._when.get("path", "/api/"))
        except re.error as error:
            raise ValueError(f"'path' in 'when' is no regular expression: {error}") from None
        self._times = self._when.get("times", 1 if self.kind in _CHANGES else None)

    @property
    def session_id(self) -> str | None:
        """The session that it changes, if it changes one."""
        session_id = self.do["edit"]["session"] if self.kind == "edit" else self.do.get("delete")
        return None if session_id is None else str(session_id)

    def due(self, seen: SeenRequest, now: datetime) -> bool:
        """Whether this request is for it; counts the requests that match."""
        if not self._path.search(seen.path) or self._when.get("method", seen.method).upper() != seen.method:
            return False
        self._seen += 1
        if self._seen <= self._when.get("after_requests", 0):
            return False
        if (now - self.played).total_seconds() < self._when.get("after_seconds", 0):
            return False
        limit = self._when.get("for_seconds", inf)
        if self._first_hit and (now - self._first_hit).total_seconds() >= limit:
            return False
        return self._times is None or self._hits < self._times

    def hit(self, now: datetime) -> None:
        """Counts a request that it has shaped."""
        self._hits += 1
        self._first_hit = self._first_hit or now


class Play:
    """All scenarios in play.

    :param platform: what they may change.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._scenarios: list[Scenario] = []

    def add(self, told: object, now: datetime) -> None:
        """Adds one scenario, or each of a list; all of them or, when one is wrong, none.

        :raises ValueError: what is wrong, and what is allowed.
        """
        scenarios = [Scenario(one, now) for one in (told if isinstance(told, list) else [told])]
        known = {None, *self._platform.session_ids}
        for scenario in scenarios:
            if scenario.session_id not in known:
                raise ValueError(f"no program session {scenario.session_id!r} in the simulator")
        self._scenarios += scenarios

    def calm(self) -> None:
        """Ends them all."""
        self._scenarios.clear()

    def direct(self, seen: SeenRequest, now: datetime, route: Callable[[SeenRequest], Answer]) -> Answer:
        """The answer to a request: what the route says, and what the scenarios make of it.

        :param seen: the request.
        :param now: the time.
        :param route: who answers when nothing interferes.
        """
        due = self._cast(seen, now)
        for scenario in due:
            if scenario.kind in _CHANGES:
                _CHANGES[scenario.kind](self._platform, scenario.do)
        replacing = [scenario for scenario in due if scenario.kind in _REPLACEMENTS]
        answer = _REPLACEMENTS[replacing[0].kind](replacing[0].do, Answer()) if replacing else route(seen)
        for scenario in due:
            if scenario.kind in _ALTERATIONS:
                answer = _ALTERATIONS[scenario.kind](scenario.do, answer)
        return replace(answer, note=", ".join(scenario.kind for scenario in due))

    def _cast(self, seen: SeenRequest, now: datetime) -> list[Scenario]:
        due = [scenario for scenario in self._scenarios if scenario.due(seen, now)]
        # Only one can be the answer. The others wait for their turn, so that a list plays one by one.
        shadowed = [scenario for scenario in due if scenario.kind in _REPLACEMENTS][1:]
        cast = [scenario for scenario in due if scenario not in shadowed]
        for scenario in cast:
            scenario.hit(now)
        return cast
