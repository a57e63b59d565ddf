"""Who we are to 360Learning: keys in headers, keys in the query, or an OAuth2 token; and where they may go."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qsl, quote, urljoin, urlsplit

from airflow_provider_learning360.api.errors import RedirectError, redact
from airflow_provider_learning360.api.redaction import hide_secrets
from airflow_provider_learning360.api.sanitizer import sanitize_text

if TYPE_CHECKING:
    from airflow_provider_learning360.api.messages import Request, Response

log = logging.getLogger(__name__)

AuthMode = Literal["headers", "query", "oauth2"]

QUERY_COMPANY, QUERY_KEY = "company", "apiKey"
TOKEN_LEAD = 120.0  # seconds before its end at which a token is renewed
REPEATED_CREDENTIAL = (
    "was redirected to an address that repeats a credential. That address is not shown, and not followed. "
    "Check the host of the connection, or report a change of the API."
)
_KEYS_IN_QUERY = re.compile(rf"(?<=[?&])(?:{QUERY_COMPANY}|{QUERY_KEY})=[^&#]*")
_SAFE_IN_PATH = "%/:@!$&'()*+,;=~"
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Token:
    """
    An OAuth2 access token.

    :param value: The token.
    :param lifetime: Seconds that it lives, from the moment it was received.
    :param received_at: Reading of the monotonic clock, in seconds, when it was received.
    :param note: What is wrong with the lifetime that 360Learning named, if something is.
    """

    value: str = field(repr=False)
    lifetime: float
    received_at: float = 0.0
    note: str | None = field(default=None, compare=False)

    def is_fresh(self, now: float) -> bool:
        """Whether the token may be used at `now`; a token with a short life is used for half of it."""
        lead = min(TOKEN_LEAD, self.lifetime / 2)
        return now < self.received_at + self.lifetime - lead


@dataclass
class Credentials:
    """
    The company's keys and the way they are shown.

    :param mode: `headers`, `query` or `oauth2`.
    :param company_id: Company ID.
    :param api_key: API key.
    :param token: The OAuth2 token in use; only in mode `oauth2`.
    """

    mode: AuthMode
    company_id: str
    api_key: str = field(repr=False)
    token: Token | None = field(default=None, repr=False)
    _previous_token: Token | None = field(default=None, init=False, repr=False, compare=False)
    _has_warned: bool = field(default=False, init=False, repr=False, compare=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Everything that must appear in no log line and no error; `hide_secrets` finds their encoded forms too."""
        # An answer may still show the token that was just replaced.
        tokens = (self.token, self._previous_token)
        return (self.api_key, *(one.value for one in tokens if one is not None))

    def accept_token(self, token: Token, now: float) -> None:
        """
        Use a token from now on; warn once if 360Learning named no usable lifetime.

        :param token: The token, as it was parsed.
        :param now: Reading of the monotonic clock, in seconds.
        """
        if token.note and not self._has_warned:
            log.warning("%s", token.note)
            self._has_warned = True
        self._previous_token, self.token = self.token, replace(token, received_at=now)

    def needs_token(self, refused: Token | None, now: float) -> bool:
        """
        Whether a token must be fetched before the next request.

        :param refused: The token that the API just refused, if it did.
        :param now: Reading of the monotonic clock, in seconds.
        """
        return self.token is None or self.token is refused or not self.token.is_fresh(now)

    def sign(self, request: Request) -> Request:
        """Return the request with the credentials on it."""
        if self.mode == "query":
            keys = ((QUERY_COMPANY, self.company_id), (QUERY_KEY, self.api_key))
            return replace(request, query=remove_keys(request.query) + keys)
        if self.mode == "oauth2":
            return request.with_headers({"Authorization": f"Bearer {self.token.value}"} if self.token else {})
        return request.with_headers({"X-company-id": self.company_id, "X-apiKey": self.api_key})


def remove_keys(query: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Return query parameters without the two that carry keys."""
    return tuple((name, value) for name, value in query if name not in (QUERY_COMPANY, QUERY_KEY))


def parse_origin(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port of a URL, with the scheme's own port where it names none."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or _DEFAULT_PORTS.get(parts.scheme)


def is_same_origin(url: str, host: str) -> bool:
    """Whether a URL leads to the host of the connection, where credentials may go; false if it leads nowhere."""
    try:
        return parse_origin(url) == parse_origin(host)
    except ValueError:  # no address, or a port that is no number
        return False


def repeats_credential(location: str, secrets: tuple[str, ...]) -> bool:
    """
    Whether the address of a redirect holds a secret, but for the keys in a query, which are taken out of it.

    Such an address is not followed: logs and errors name the path of every request, and its parts may show parts of the
    secret that nobody recognizes.

    :param location: The address.
    :param secrets: The secrets.
    """
    location = _KEYS_IN_QUERY.sub("", location)
    return hide_secrets(location, secrets) != location


def build_redirect(request: Request, response: Response, host: str, secrets: tuple[str, ...] = ()) -> Request:
    """
    Return the request that follows a redirect, if it stays on the same origin.

    :param request: The request that was answered with a redirect, without credentials.
    :param response: The redirect.
    :param host: Base URL of the connection: scheme, host and port.
    :param secrets: What must not appear in the error.
    :raises RedirectError: The redirect leads elsewhere, or would turn a write into a read.
    """
    details = {"method": request.method, "path": request.path, "status": response.status}
    if repeats_credential(response.location or "", secrets):
        raise RedirectError(f"{request} {REPEATED_CREDENTIAL}", **details)  # type: ignore[arg-type]
    location = _as_sent(response.location or "")
    try:
        target = urljoin(host + request.path, location)
        parts = urlsplit(target)
        same = is_same_origin(target, host)
    except ValueError:  # no address
        parts, same = urlsplit(location.replace("[", "").replace("]", "")), False
    if not same:
        pointed = redact(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}", secrets)
        raise RedirectError(
            f"{request} was redirected to {pointed}, which is not {host}. Credentials go to no other origin: "
            "if that is the right address, set it as the host of the connection.",
            **details,  # type: ignore[arg-type]
        )
    if request.method not in ("GET", "HEAD") and response.status not in (307, 308):
        raise RedirectError(
            f"{request} was redirected ({response.status}) to {redact(parts.path, secrets)}, "
            "which would turn it into a read. Use that path instead.",
            **details,  # type: ignore[arg-type]
        )
    # Whatever the server wrote, what is sent is an address: no blank, control character or letter beyond ASCII.
    path = quote(parts.path or "/", safe=_SAFE_IN_PATH, errors="surrogateescape")
    query = tuple((sanitize_text(name), sanitize_text(value)) for name, value in parse_qsl(parts.query, True))
    return replace(request, path=path, query=remove_keys(query))


def _as_sent(location: str) -> str:
    """Return an address as the server meant it: HTTP libraries read its bytes as Latin-1, or as UTF-8."""
    try:
        return location.encode("latin-1").decode()
    except UnicodeError:
        return location
