"""Whatever the server sends, no log line, output or error contains the API key or the token, in any encoding."""

from __future__ import annotations

import base64
import html
import logging
import traceback
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from airflow_provider_learning360.api.errors import LearningError
from hostile.calls import HOOKS, bounded, run_call
from hostile.catalogue import CATALOGUE, Attack

MODES = ("headers", "query", "oauth2")
# Has characters that differ in each encoding.
KEY = "c4n4ry+KEY/of=&the%mine~?>"
TOKEN = "token-of-the-hostile-server"
WINDOW = 10  # so many consecutive characters of a secret must not appear

ECHOES = [one for one in CATALOGUE if one.kind == "echo"]
MALFORMED = [one for one in CATALOGUE if one.kind not in ("echo", "size", "time")]
# In mode `query` the key is in every URL, which many places may print.
MODES_OF = {"header": MODES, "connection": MODES, "redirect": MODES, "wait": MODES, "token": ("oauth2",)}


def lower_percent(text: str) -> str:
    """Return a percent-encoded text with lower-case escapes."""
    return "".join(one.lower() if text[max(0, at - 2) : at + 1].count("%") else one for at, one in enumerate(text))


def encoded(text: str) -> dict[str, str]:
    """Return the forms in which a server may send a secret back."""
    data = text.encode()
    return {
        "raw": text,
        "in a URL": quote(text, safe=""),
        "in a URL, lower case": lower_percent(quote(text, safe="")),
        "in a query": quote_plus(text),
        "in a URL twice": quote(quote(text, safe=""), safe=""),
        "in HTML": html.escape(text),
        "base64": base64.b64encode(data).decode(),
        "URL-safe base64": base64.urlsafe_b64encode(data).decode(),
        "base64 without padding": base64.b64encode(data).decode().rstrip("="),
        "base64 in a URL": quote(base64.b64encode(data).decode(), safe=""),
    }


def windows(text: str) -> set[str]:
    return {text[at : at + WINDOW] for at in range(len(text) - WINDOW + 1)}


FORMS = encoded(KEY)
SECRET = set().union(*(windows(form) for secret in (KEY, TOKEN) for form in encoded(secret).values()))


def assert_clean(text: str) -> None:
    assert [line[:300] for line in text.splitlines() if any(one in line for one in SECRET)] == []


def full_text_of(error: BaseException) -> str:
    """Return all that a log, a debugger or another process can show of an error."""
    shown: list[str] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        if (one := waiting.pop()) is None:
            continue
        shown += [str(one), repr(one), repr(one.args), repr(vars(one)), *traceback.format_exception(one)]
        if isinstance(one, LearningError):
            shown += [repr(one.to_dict()), repr(one.__reduce__())]
        waiting += [one.__cause__, one.__context__]
    return "\n".join(shown)


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """Set all loggers to DEBUG; return what was logged or printed."""
    loggers = [one for one in logging.root.manager.loggerDict.values() if isinstance(one, logging.Logger)]
    before = [(one, one.level, one.propagate, one.disabled) for one in loggers]
    # `setLevel` would forget, at each logger, what all loggers know of their levels; `set_level` does so once.
    for one in loggers:
        one.level, one.propagate, one.disabled = logging.DEBUG, True, False
    caplog.set_level(logging.DEBUG)

    def everything() -> str:
        printed = capfd.readouterr()
        logged = [f"{one.getMessage()} {one.args} {one.exc_text} {one.exc_info}" for one in caplog.records]
        logged += ["".join(traceback.format_exception(one.exc_info[1])) for one in caplog.records if one.exc_info]
        return "\n".join([*logged, printed.out, printed.err])

    yield everything
    for one, level, propagate, disabled in before:
        one.level, one.propagate, one.disabled = level, propagate, disabled


def modes_and_routes(attack: Attack) -> list[tuple[str, Any]]:
    """Return each authentication mode with the route that is attacked."""
    modes = MODES if attack.kind == "echo" else MODES_OF.get(attack.kind, ("query",))
    attacked: list[tuple[str, Any]] = [(mode, "session") for mode in modes if "session" in attack.routes]
    return attacked + [("oauth2", "token")] * ("token" in attack.routes)


def marks_of(number: int, attack: Attack, mode: str, hook: str) -> list[pytest.MarkDecorator]:
    """Let `make test` run each malformed response with one hook, and with the key in the URL, where it can be."""
    has_key_in_url = mode == "query" or attack.routes == ("token",)
    return [] if has_key_in_url and hook == list(HOOKS)[number % len(HOOKS)] else [pytest.mark.slow]


def test_every_encoding_is_found() -> None:
    for form in FORMS.values():
        with pytest.raises(AssertionError):
            assert_clean(f"a line with {form} in it")
    assert_clean("GET /api/v1/programs/sessions returned 403")


@pytest.mark.parametrize(
    ("attack", "mode", "route", "hook"),
    [
        pytest.param(
            *(attack, mode, route, hook),
            id=f"{attack.name}-{mode}-{route}-{hook}",
            # `make test` runs some with one hook each; the hooks take turns.
            marks=[] if number % 7 == 0 and hook == list(HOOKS)[number // 7 % len(HOOKS)] else [pytest.mark.slow],
        )
        for number, (attack, mode, route) in enumerate(
            (attack, *one) for attack in ECHOES for one in modes_and_routes(attack)
        )
        for hook in HOOKS
    ],
)
def test_echoed_key_is_not_shown(
    attack: Attack, mode: str, route: Any, hook: str, serve: Any, open_hook: Any, said: Callable[[], str]
) -> None:
    server = serve(attack, routes={route})
    calls = open_hook(hook, server, password=KEY, **{**bounded(attack), "auth": mode})
    for form in FORMS.values():
        server.echo = form
        assert_clean_call(calls, server)
    assert server.count(route), "the server must see the request"
    assert_clean(said() + repr(calls.hook) + str(calls.hook))


@pytest.mark.parametrize(
    ("attack", "mode", "route", "hook"),
    [
        pytest.param(
            *(attack, mode, route, hook),
            id=f"{attack.name}-{mode}-{route}-{hook}",
            marks=marks_of(number, attack, mode, hook),
        )
        for number, attack in enumerate(MALFORMED)
        for mode, route in modes_and_routes(attack)
        for hook in HOOKS
    ],
)
def test_malformed_response_shows_no_key(
    attack: Attack, mode: str, route: Any, hook: str, serve: Any, open_hook: Any, said: Callable[[], str]
) -> None:
    server = serve(attack, routes={route})
    calls = open_hook(hook, server, password=KEY, **{**bounded(attack), "auth": mode})
    assert_clean_call(calls, server)
    assert server.count(route), "the server must see the request"
    assert_clean(said() + repr(calls.hook) + str(calls.hook))


def assert_clean_call(calls: Any, server: Any) -> None:
    """Carry out a call; require that its error shows no secret, even an unexpected error."""
    try:
        error = run_call(calls, "get", server).error
    except Exception as untyped:
        assert_clean(full_text_of(untyped))
        raise
    if error is not None:
        assert_clean(full_text_of(error))
