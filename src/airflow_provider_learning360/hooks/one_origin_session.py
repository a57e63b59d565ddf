"""A `requests` session that keeps credentials on one origin, and out of its errors."""

from __future__ import annotations

from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests

from airflow_provider_learning360.api.credentials import (
    REPEATED_CREDENTIAL,
    Credentials,
    is_same_origin,
    repeats_credential,
)
from airflow_provider_learning360.api.errors import RedirectError, redact
from airflow_provider_learning360.hooks.log_records import without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator


class OneOriginSession(requests.Session):
    """
    A session whose redirects stay on one origin: `requests` would carry the key headers to any host.

    :param host: Base URL of the connection: scheme, host and port.
    :param credentials: The credentials of the connection; they are hidden in errors and responses.
    """

    def __init__(self, host: str, credentials: Credentials) -> None:
        super().__init__()
        self._host = host
        self._credentials = credentials
        # No request of the hook sends a cookie, so the session stores none.
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send a request; hide credentials in its response and errors."""
        try:
            response = super().send(request, **kwargs)
        except requests.RequestException as error:
            kind, text = type(error), _text_of(error)
            hidden = without_secrets(text, self._credentials.secrets)
            if hidden == str(error) and self._credentials.mode != "query":
                raise
        else:
            # `raise_for_status` shows both.
            response.url = without_secrets(response.url or "", self._credentials.secrets)
            response.reason = without_secrets(response.reason or "", self._credentials.secrets)
            return response
        # Outside the handler: the transport's own exception shows the URL, with the keys in it.
        raise kind(hidden)

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """Merge the settings of a request with those of the session and of the environment."""
        # Always given: otherwise a CA bundle of the environment would win over `verify: false`.
        given = self.verify if verify is None else verify
        return super().merge_environment_settings(url, proxies, stream, given, cert)

    def resolve_redirects(self, *args: Any, yield_requests: bool = False, **kwargs: Any) -> Iterator[Any]:
        """Yield the responses of redirects that the caller asked to follow."""
        if yield_requests:
            # `requests` would only prepare `Response.next`, which nobody uses: the exchange reads the redirect itself.
            return iter(())
        followed: Iterator[Any] = super().resolve_redirects(*args, **kwargs)
        return followed

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return where a response redirects to; refuse a target that repeats a credential."""
        target = super().get_redirect_target(resp)
        if target and repeats_credential(target, self._credentials.secrets):
            raise RedirectError(f"{resp.request.method} {REPEATED_CREDENTIAL}", status=resp.status_code)
        return target

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Sign a redirected request; refuse one to another origin."""
        parts = urlsplit(prepared_request.url or "")
        if not is_same_origin(parts.geturl(), self._host):
            target = redact(f"{parts.scheme}://{parts.hostname}", self._credentials.secrets)
            raise RedirectError(
                f"{self._host} redirects to {target}. Credentials are not sent to another host. "
                f"If {target} is the right address, set it as the host of the connection.",
                status=response.status_code,
            )
        # Keys in the query do not survive a redirect on their own.
        prepared_request.prepare_auth(self.auth)


def _text_of(error: requests.RequestException) -> str:
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        # Its own text quotes a part of the response, which may be a part of a secret that no search finds.
        return "The response broke off, or its chunks cannot be read."
    return str(error)
