"""Map unsuccessful responses, and requests without a response, to errors."""

from __future__ import annotations

import errno
from ssl import SSLCertVerificationError
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.credentials import COMPANY_KEYS, KeyNames
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

_TEXTS = {
    errno.ECONNREFUSED: "Connection refused",
    errno.ECONNRESET: "Connection reset by peer",
    errno.ENETUNREACH: "Network is unreachable",
    errno.EHOSTUNREACH: "No route to host",
}
# By name of the exception of an HTTP library; its text is not used, since it may contain URLs.
_BROKEN = "the response is not valid HTTP, or broke off"
_CLOSED = "the server closed the connection"
_PROXY = "the proxy refused the connection or does not respond"
_BY_EXCEPTION = {
    **dict.fromkeys(("ProtocolError", "ClientPayloadError", "ClientResponseError", "IncompleteRead"), _BROKEN),
    **dict.fromkeys(("ChunkedEncodingError", "InvalidChunkLength", "BadStatusLine", "InvalidHeader"), _BROKEN),
    **dict.fromkeys(("ServerDisconnectedError", "RemoteDisconnected"), _CLOSED),
    **dict.fromkeys(("ProxyError", "ClientHttpProxyError", "ClientProxyConnectionError"), _PROXY),
    **dict.fromkeys(
        ("InvalidURL", "LocationParseError", "UnicodeError", "InvalidUrlClientError"), "the address is not valid"
    ),
}
# Exceptions of HTTP libraries that are raised before a request is sent.
_UNSENT = {
    *("ConnectTimeout", "ConnectTimeoutError", "ConnectionTimeoutError", "NewConnectionError", "NameResolutionError"),
    *("ClientConnectorError", "ClientConnectorDNSError", "ClientConnectorSSLError", "ClientConnectorCertificateError"),
    *("ProxyError", "ClientHttpProxyError", "ClientProxyConnectionError", "gaierror", "SSLCertVerificationError"),
    *("InvalidURL", "InvalidUrlClientError", "LocationParseError", "UnicodeError"),
}
# Not those of a host or network that cannot be reached: a connection that was made may end with them later.
_UNSENT_ERRNOS = frozenset({errno.ECONNREFUSED})
INVALID_SCOPE = "invalid_scope"
TRANSIENT = frozenset({500, 502, 503, 504})
MAX_CHAIN = 50  # exceptions that wrap one another
# Bytes of a body that is not JSON from which an error shows a line.
MAX_READ = 64 * 1024


def error_from_response(
    request: Request,
    response: Response,
    *,
    connection: str,
    secrets: tuple[str, ...],
    now: datetime,
    key_names: KeyNames = COMPANY_KEYS,
) -> LearningError | None:
    """
    Map a response to an error, or to None if it is a success.

    :param request: The request.
    :param response: The response.
    :param connection: Name of the connection, for the error.
    :param secrets: What must not appear in the error.
    :param now: The present time, for a `Retry-After` that is a date.
    :param key_names: What 360Learning calls the keys; default company ID and API key.
    :returns: The error; its class says what to do next.
    """
    if response.is_success:
        return None
    code = error_code(response.body)
    # A token that was just issued is not among the secrets yet, so nothing of such a text is shown.
    text = "" if b"access_token" in response.body else response.body[:MAX_READ].decode("utf-8", "replace")
    shown = redact(code or text, secrets)
    retry_after = parse_retry_after(response.headers.get("retry-after"), now)
    kind, advice = _meaning(request, response.status, code, retry_after, connection, key_names)
    details = f": {shown}" if shown else ""
    if code == INVALID_SCOPE:
        # The API does not name the scope. Whoever knows what the request was for adds it.
        details, advice = f"{details} ({connection})", ""
    cut = " Its text was longer than max_error_bytes, and was cut." if response.is_cut else ""
    return kind(
        f"{request} returned {response.status}{details}. {advice}{cut}".rstrip(),
        method=request.method,
        path=redact(request.path),
        status=response.status,
        code=redact(code, secrets) if code else None,
        retry_after=retry_after,
    )


def error_code(body: bytes) -> str | None:
    """
    Find the API's own code or message in the body of an error.

    Known shapes: a code or an object under `error`, or a text under `message`.

    :param body: The body.
    :returns: The code or message, or None.
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
    code = error or document.get("message")
    return code if isinstance(code, str) else None


def error_from_timeout(request: Request, limits: Limits) -> TimedOutError:
    """
    Build the error for a response that was not complete in time.

    :param request: The request.
    :param limits: How much time was allowed.
    :returns: The error.
    """
    reason = (
        f"{limits.seconds_setting} of {limits.connection}"
        if limits.seconds_setting
        else "what was left of the time limit of the call"
    )
    return TimedOutError(
        f"{request} returned no complete response within {limits.max_seconds:.3g} s ({reason}). Raise that limit if "
        "360Learning needs longer.",
        method=request.method,
        path=request.path,
    )


def error_from_transport(request: Request, error: BaseException, *, timed_out: bool, connection: str) -> LearningError:
    """
    Map an exception of a transport to an error.

    :param request: The request.
    :param error: The exception; its text is not used, since it may contain the URL.
    :param timed_out: Whether the request timed out.
    :param connection: Name of the connection, for the error.
    :returns: The error; its class says what to do next.
    """
    mapped = _map_exception(request, error, timed_out=timed_out, connection=connection)
    mapped.is_unsent = _is_unsent(error)
    return mapped


def _map_exception(request: Request, error: BaseException, *, timed_out: bool, connection: str) -> LearningError:
    details: dict[str, Any] = {"method": request.method, "path": request.path}
    if timed_out:
        return TimedOutError(
            f"{request} got no response in time. Try again later, or raise `timeout` of {connection}.", **details
        )
    cause = _operating_system_error(error)
    if isinstance(cause, SSLCertVerificationError):
        return FixConnectionError(
            f"{request} was not sent: the host's TLS certificate is not trusted ({cause.verify_message}). "
            f"Check host and `verify` of {connection}.",
            **details,
        )
    reason = _text_of_system_error(cause) or _text_of_exception(error)
    return UnreachableError(
        f"{request} got no response: {reason}. Check the network, and host and proxy of {connection}.", **details
    )


def error_not_sent(request: Request, seconds: float, *, connection: str) -> RateLimitedError:
    """
    Build the error for a request that was held back, since the server asked this connection to wait.

    :param request: The request.
    :param seconds: How much longer to wait.
    :param connection: Name of the connection, for the error.
    :returns: The error.
    """
    return RateLimitedError(
        f"{request} was not sent: 360Learning asked {connection} to wait {seconds:.1f} s more.",
        method=request.method,
        path=redact(request.path),
        retry_after=seconds,
    )


def _text_of_system_error(cause: OSError | None) -> str | None:
    """Return the text of the operating system; that of the exception may contain addresses and more."""
    if cause is None:
        return None
    return _TEXTS.get(cause.errno or 0, cause.strerror)


def _text_of_exception(error: BaseException) -> str:
    """Return what the name of the transport's exception means; the inner exception is more precise than the outer."""
    kinds = [type(one).__name__ for one in (*error.args, error)]
    return next((_BY_EXCEPTION[kind] for kind in kinds if kind in _BY_EXCEPTION), type(error).__name__)


def _is_unsent(error: BaseException) -> bool:
    """Whether the connection was never made. Exceptions that were handled meanwhile (`__context__`) do not count."""
    left: list[Any] = [error]
    for one in left:
        if not isinstance(one, BaseException) or len(left) > MAX_CHAIN:
            continue
        if type(one).__name__ in _UNSENT or (isinstance(one, OSError) and one.errno in _UNSENT_ERRNOS):
            return True
        left += [one.__cause__, getattr(one, "reason", None), *one.args]
    return False


def _operating_system_error(error: BaseException) -> OSError | None:
    """Return the error of the operating system that the exceptions of the transport wrap."""
    seen: set[int] = set()
    left: list[Any] = [error]
    innermost: OSError | None = None
    while left:
        one = left.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, OSError) and (one.errno is not None or isinstance(one, SSLCertVerificationError)):
            innermost = one
        left += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return innermost


def _meaning(
    request: Request, status: int, code: str | None, retry_after: float | None, connection: str, names: KeyNames
) -> tuple[type[LearningError], str]:
    if status == 400 and code == "invalid_request" and request.path.endswith("/oauth2/token"):
        return UnauthorizedError, f"Check the {names.id} of {connection}."
    # "Not found" is a 404, or a 400 with such a code.
    if status == 404 or (status == 400 and code is not None and code.lower().replace("_", "").endswith("notfound")):
        return NotFoundError, f"Check the ID, and that it belongs to the company of {connection}."
    if status == 401:
        return UnauthorizedError, f"Check {names.id}, {names.secret} and host of {connection}."
    if status == 403:
        missing = f"The credentials of {connection} are valid, but have no permission for this request."
        return ForbiddenError, f"{missing} Ask an administrator of 360Learning to grant it."
    if status == 429:
        asked = "No delay was given." if retry_after is None else f"360Learning asks to wait {retry_after:g} s."
        return RateLimitedError, asked
    if status in TRANSIENT:
        asked = "" if retry_after is None else f" It asks to wait {retry_after:g} s."
        return UnavailableError, f"360Learning has a temporary problem. Try again later.{asked}"
    return (
        ContractError,
        f"360Learning does not document this response. Check the request, and the host of {connection}.",
    )
