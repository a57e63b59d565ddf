"""The credentials of a connection: keys in headers, keys in the query, or an OAuth2 token; and where they may go."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import SplitResult, parse_qsl, quote, urljoin, urlsplit

from airflow_provider_learning360.api.errors import RedirectError, redact
from airflow_provider_learning360.api.redaction import hide_secrets
from airflow_provider_learning360.api.sanitizer import sanitize_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_learning360.api.messages import Request, Response

log = logging.getLogger(__name__)

AuthMode = Literal["headers", "query", "oauth2"]

QUERY_COMPANY, QUERY_KEY = "company", "apiKey"
TOKEN_LEAD = 120.0  # seconds before its end at which a token is renewed
REPEATED_CREDENTIAL = (
    "was redirected to an address that repeats a credential. The address is not followed, and not shown. "
    "Check the host of the connection. If it is right, the API may have changed: please report it."
)
_KEYS_IN_QUERY = re.compile(rf"(?<=[?&])(?:{QUERY_COMPANY}|{QUERY_KEY})=[^&#]*")
_SAFE_IN_PATH = "%/:@!$&'()*+,;=~"
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Token:
    """
    An OAuth2 access token.

    :param value: The token.
    :param lifetime: Seconds from its receipt to its expiry.
    :param received_at: Reading of the monotonic clock, in seconds, when it was received; default 0.
    :param note: What is wrong with the lifetime that 360Learning gave; default nothing.
    """

    value: str = field(repr=False)
    lifetime: float
    received_at: float = 0.0
    note: str | None = field(default=None, compare=False)

    def is_fresh(self, now: float) -> bool:
        """
        Whether the token may still be used; a token with a short lifetime is used for half of it.

        :param now: Reading of the monotonic clock, in seconds.
        """
        lead = min(TOKEN_LEAD, self.lifetime / 2)
        return now < self.received_at + self.lifetime - lead


class KeyNames(NamedTuple):
    """
    What 360Learning calls the two keys of a connection.

    :param id: Name of the login.
    :param secret: Name of the password.
    """

    id: str
    secret: str


COMPANY_KEYS = KeyNames("company ID", "API key")
CLIENT_KEYS = KeyNames("client ID", "client secret")


@dataclass
class Credentials:
    """
    The company's keys, and how they are sent.

    :param mode: `headers`, `query` or `oauth2`.
    :param company_id: Company ID.
    :param api_key: API key.
    :param token: The OAuth2 token in use; only in mode `oauth2`; default none.
    :param version_headers: Headers of every signed request that say which version of the API it means; default none.
    :param key_names: What 360Learning calls the keys; default company ID and API key.
    :param have_worked: Whether the API has accepted a request with these keys; default False.
    """

    mode: AuthMode
    company_id: str
    api_key: str = field(repr=False)
    token: Token | None = field(default=None, repr=False)
    version_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    key_names: KeyNames = field(default=COMPANY_KEYS, repr=False)
    have_worked: bool = field(default=False, repr=False, compare=False)
    _previous_token: Token | None = field(default=None, init=False, repr=False, compare=False)
    _has_warned: bool = field(default=False, init=False, repr=False, compare=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no log line and no error may contain; `hide_secrets` finds the encoded forms too."""
        # A response may still contain the token that was just replaced.
        tokens = (self.token, self._previous_token)
        return (self.api_key, *(one.value for one in tokens if one is not None))

    def accept_token(self, token: Token, now: float) -> None:
        """
        Use a token from now on; warn once if 360Learning gave no usable lifetime.

        :param token: The token as it was parsed.
        :param now: Reading of the monotonic clock, in seconds.
        """
        if token.note and not self._has_warned:
            log.warning("%s", token.note)
            self._has_warned = True
        self._previous_token, self.token = self.token, replace(token, received_at=now)

    def needs_token(self, refused: Token | None, now: float) -> bool:
        """
        Whether a token must be fetched before the next request.

        :param refused: The token that the API just refused, or None.
        :param now: Reading of the monotonic clock, in seconds.
        """
        return self.token is None or self.token is refused or not self.token.is_fresh(now)

    def sign(self, request: Request) -> Request:
        """
        Add the credentials to a request.

        :param request: The request.
        :returns: A new request.
        """
        request = request.with_headers(self.version_headers) if self.version_headers else request
        if self.mode == "query":
            keys = ((QUERY_COMPANY, self.company_id), (QUERY_KEY, self.api_key))
            return replace(request, query=remove_keys(request.query) + keys)
        if self.mode == "oauth2":
            return request.with_headers({"Authorization": f"Bearer {self.token.value}"} if self.token else {})
        return request.with_headers({"X-company-id": self.company_id, "X-apiKey": self.api_key})


def remove_keys(query: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """
    Return query parameters without the two that carry keys.

    :param query: Names and values.
    :returns: The other names and values.
    """
    return tuple((name, value) for name, value in query if name not in (QUERY_COMPANY, QUERY_KEY))


def parse_origin(url: str) -> tuple[str, str, int | None]:
    """
    Return scheme, host and port of a URL.

    :param url: The URL.
    :returns: The three; the port is the default of the scheme where the URL has none.
    :raises ValueError: It is not a URL, or its port is not a number.
    """
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or _DEFAULT_PORTS.get(parts.scheme)


def is_same_origin(url: str, host: str) -> bool:
    """
    Whether a URL leads to the host of the connection, where credentials may go; false if the URL is not valid.

    :param url: The URL.
    :param host: Base URL of the connection: scheme, host and port.
    """
    try:
        return parse_origin(url) == parse_origin(host)
    except ValueError:
        return False


def repeats_credential(location: str, secrets: tuple[str, ...]) -> bool:
    """
    Whether the address of a redirect contains a secret. Keys in its query do not count: they are removed.

    Such an address is not followed: logs and errors show the path of every request, and a part of a path may be a part
    of the secret that no search finds.

    :param location: The address.
    :param secrets: The secrets.
    """
    location = _KEYS_IN_QUERY.sub("", location)
    return hide_secrets(location, secrets) != location


def build_redirect(request: Request, response: Response, host: str, secrets: tuple[str, ...] = ()) -> Request:
    """
    Return the request that follows a redirect, if it stays on the same origin.

    :param request: The redirected request, without credentials.
    :param response: The redirect.
    :param host: Base URL of the connection: scheme, host and port.
    :param secrets: What must not appear in the error; default nothing.
    :returns: The request, without credentials.
    :raises RedirectError: The redirect leads to another origin, or would turn a write into a read.
    """
    details = {"method": request.method, "path": request.path, "status": response.status}
    if repeats_credential(response.location or "", secrets):
        raise RedirectError(f"{request} {REPEATED_CREDENTIAL}", **details)  # type: ignore[arg-type]
    parts, is_same_origin = _target_of(_as_sent(response.location or ""), request, host)
    if not is_same_origin:
        address = redact(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}", secrets)
        raise RedirectError(
            f"{request} was redirected to {address}, which is not {host}. Credentials are not sent to another host. "
            "If that is the right address, set it as the host of the connection.",
            **details,  # type: ignore[arg-type]
        )
    if request.method not in ("GET", "HEAD") and response.status not in (307, 308):
        raise RedirectError(
            f"{request} was redirected ({response.status}) to {redact(parts.path, secrets)}, "
            "which would turn the write into a read. Use that path instead.",
            **details,  # type: ignore[arg-type]
        )
    # Only characters of a URL are sent: no blank, control character or character beyond ASCII.
    path = quote(parts.path or "/", safe=_SAFE_IN_PATH, errors="surrogateescape")
    query = tuple((sanitize_text(name), sanitize_text(value)) for name, value in parse_qsl(parts.query, True))
    return replace(request, path=path, query=remove_keys(query))


def _target_of(location: str, request: Request, host: str) -> tuple[SplitResult, bool]:
    """Return the parts of the address of a redirect, and whether it stays on the same origin."""
    try:
        target = urljoin(host + request.path, location)
        return urlsplit(target), is_same_origin(target, host)
    except ValueError:  # not a URL
        return urlsplit(location.replace("[", "").replace("]", "")), False


def _as_sent(location: str) -> str:
    """Return an address as the server wrote it: HTTP libraries read its bytes as Latin-1, or as UTF-8."""
    try:
        return location.encode("latin-1").decode()
    except UnicodeError:
        return location
