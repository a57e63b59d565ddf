"""What an answer that is no success means: the vendor's error shapes, read into the error tree."""

from __future__ import annotations

import errno
from ssl import SSLCertVerificationError
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.decoder import decode_json
from airflow_provider_learning360.api.errors import (
    ContractError,
    FixConnectionError,
    ForbiddenError,
    LearningError,
    NotFoundError,
    RateLimitedError,
    TimedOutError,
    UnauthorizedError,
    UnavailableError,
    UnreachableError,
    redact,
)
from airflow_provider_learning360.api.retries import parse_retry_after

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_provider_learning360.api.messages import Limits, Request, Response

_SAID = {
    errno.ECONNREFUSED: "Connection refused",
    errno.ECONNRESET: "Connection reset by peer",
    errno.ENETUNREACH: "Network is unreachable",
    errno.EHOSTUNREACH: "No route to host",
}
# What HTTP libraries call the same things; their texts may show URLs.
_BROKEN = "the answer is no valid HTTP, or is broken off"
_CLOSED = "the server closed the connection"
_PROXY = "the proxy refused the connection or does not answer"
_IN_WORDS = {
    **dict.fromkeys(("ProtocolError", "ClientPayloadError", "ClientResponseError", "IncompleteRead"), _BROKEN),
    **dict.fromkeys(("ChunkedEncodingError", "InvalidChunkLength", "BadStatusLine", "InvalidHeader"), _BROKEN),
    **dict.fromkeys(("ServerDisconnectedError", "RemoteDisconnected"), _CLOSED),
    **dict.fromkeys(("ProxyError", "ClientHttpProxyError", "ClientProxyConnectionError"), _PROXY),
    **dict.fromkeys(
        ("InvalidURL", "LocationParseError", "UnicodeError", "InvalidUrlClientError"), "the address is not valid"
    ),
}
TRANSIENT = frozenset({500, 502, 503, 504})
# Bytes of a text that is no JSON, out of which an error shows a line.
MAX_READ = 64 * 1024


def error_from_response(
    request: Request, response: Response, *, connection: str, secrets: tuple[str, ...], now: datetime
) -> LearningError | None:
    """
    Return the error that an answer stands for, or None if it is a success.

    :param request: What was asked.
    :param response: The answer.
    :param connection: How to name the connection to the reader.
    :param secrets: What must not appear in the error.
    :param now: The present time, for a `Retry-After` that is a date.
    """
    if response.is_success:
        return None
    code = error_code(response.body)
    # A token that was just given out is no secret that we know yet, so nothing of such a text is shown.
    text = "" if b"access_token" in response.body else response.body[:MAX_READ].decode("utf-8", "replace")
    piece = redact(code or text, secrets)
    retry_after = parse_retry_after(response.headers.get("retry-after"), now)
    kind, advice = _meaning(request, response.status, code, retry_after, connection)
    said = f": {piece}" if piece else ""
    # A long text is told in part only, and the rest of it was not even read.
    cut = " Its text was longer than max_error_bytes, and was cut." if response.is_cut else ""
    return kind(
        f"{request} was answered {response.status}{said}. {advice}{cut}",
        method=request.method,
        path=redact(request.path),
        status=response.status,
        code=redact(code, secrets) if code else None,
        retry_after=retry_after,
    )


def error_code(body: bytes) -> str | None:
    """
    Return the API's own code or message out of an error body, whichever of the vendor's shapes it has.

    Known shapes: a code string or an object under `error`; a text under `message`; an opaque incident under either.
    """
    try:
        document: Any = decode_json(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    error = document.get("error")
    if isinstance(error, dict):
        error = error.get("code") or error.get("message")
    said = error or document.get("message")
    return said if isinstance(said, str) else None


def error_from_timeout(request: Request, limits: Limits) -> TimedOutError:
    """
    Return the error for an attempt that did not end in time, although the answer kept coming.

    :param request: What was asked.
    :param limits: How much time was allowed.
    """
    reason = (
        f"{limits.seconds_setting} of {limits.connection}" if limits.seconds_setting else "what was left of its time"
    )
    return TimedOutError(
        f"{request} was not answered completely within {limits.max_seconds:.3g} s ({reason}).",
        method=request.method,
        path=request.path,
    )


def error_from_transport(request: Request, error: BaseException, *, timed_out: bool, connection: str) -> LearningError:
    """
    Return the error for a request that got no answer.

    :param request: What was asked.
    :param error: What the transport raised; its text is not used, since transports put whole URLs into it.
    :param timed_out: Whether the time ran out.
    :param connection: How to name the connection to the reader.
    """
    details: dict[str, Any] = {"method": request.method, "path": request.path}
    if timed_out:
        return TimedOutError(f"{request} got no answer in time (timeout of {connection}).", **details)
    cause = _operating_system_error(error)
    if isinstance(cause, SSLCertVerificationError):
        return FixConnectionError(
            f"{request} was not sent: the host's TLS certificate is not trusted ({cause.verify_message}). "
            f"Check host and `verify` of {connection}.",
            **details,
        )
    reason = _said(cause) or _in_words(error)
    return UnreachableError(
        f"{request} got no answer: {reason}. Check the network, and host and proxy of {connection}.", **details
    )


def error_not_sent(request: Request, seconds: float, *, connection: str) -> RateLimitedError:
    """
    Return the error for a request that was held back, since the server asked this connection to wait.

    :param request: What was to be asked.
    :param seconds: How much longer to wait.
    :param connection: How to name the connection to the reader.
    """
    return RateLimitedError(
        f"{request} was not sent: 360Learning asked {connection} to wait, {seconds:.1f} s more.",
        method=request.method,
        path=redact(request.path),
        retry_after=seconds,
    )


def _said(cause: OSError | None) -> str | None:
    """Return what the operating system calls the error; libraries put addresses and more into its text."""
    if cause is None:
        return None
    return _SAID.get(cause.errno or 0, cause.strerror)


def _in_words(error: BaseException) -> str:
    """Return what happened by the names of the transport's exceptions; the inner one knows more than the outer."""
    kinds = [type(one).__name__ for one in (*error.args, error)]
    return next((_IN_WORDS[kind] for kind in kinds if kind in _IN_WORDS), type(error).__name__)


def _operating_system_error(error: BaseException) -> OSError | None:
    """Return what the operating system said, from under the layers that transports put around it."""
    seen: set[int] = set()
    waiting: list[Any] = [error]
    found: OSError | None = None
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, OSError) and (one.errno is not None or isinstance(one, SSLCertVerificationError)):
            found = one
        waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return found


def _meaning(
    request: Request, status: int, code: str | None, retry_after: float | None, connection: str
) -> tuple[type[LearningError], str]:
    if status == 400 and code == "invalid_request" and request.path.endswith("/oauth2/token"):
        return UnauthorizedError, f"Check the company ID of {connection}."
    # "Not found" arrives as 404, or as 400 with a code that says so.
    if status == 404 or (status == 400 and code is not None and code.lower().replace("_", "").endswith("notfound")):
        return NotFoundError, f"Check the ID, and that it belongs to the company of {connection}."
    if status == 401:
        return UnauthorizedError, f"Check company ID, API key and host of {connection}."
    if status == 403:
        return ForbiddenError, f"The credentials of {connection} are known but may not do this."
    if status == 429:
        asked = "It names no delay." if retry_after is None else f"It asks to wait {retry_after:g} s."
        return RateLimitedError, asked
    if status in TRANSIENT:
        asked = "" if retry_after is None else f" It asks to wait {retry_after:g} s."
        return UnavailableError, f"360Learning is in trouble; this is expected to pass.{asked}"
    return ContractError, f"Neither its documentation nor {connection} explains this."
