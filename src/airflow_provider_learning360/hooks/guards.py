"""Guards of the `requests` transport: where credentials may go, and what may be logged."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus, urlencode, urlsplit

import requests

from airflow_provider_learning360.api.credentials import QUERY_COMPANY, QUERY_KEY, same_origin
from airflow_provider_learning360.api.errors import RedirectError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_learning360.api.credentials import Credentials


class OneOriginSession(requests.Session):
    """A session whose redirects stay on one origin: `requests` would carry the key headers to any host."""

    def __init__(self, host: str, credentials: Credentials) -> None:
        super().__init__()
        self._host = host
        self._credentials = credentials

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        if self._credentials.mode != "query":
            return super().send(request, **kwargs)
        try:
            return super().send(request, **kwargs)
        except requests.RequestException as error:
            kind, text = type(error), str(error)
        # Outside of the handler: the transport's own exception shows the URL, with the keys in it.
        raise kind(without_secrets(text, self._credentials))

    def resolve_redirects(self, *args: Any, yield_requests: bool = False, **kwargs: Any) -> Iterator[Any]:
        if yield_requests:
            # Nobody follows: `requests` would only prepare `Response.next`. The exchange looks at the answer itself.
            return iter(())
        followed: Iterator[Any] = super().resolve_redirects(*args, **kwargs)
        return followed

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        parts = urlsplit(prepared_request.url or "")
        if not same_origin(parts.geturl(), self._host):
            raise RedirectError(
                f"{self._host} redirects to {parts.scheme}://{parts.hostname}, where no credential goes. "
                "If that is the right address, set it as the host of the connection.",
                status=response.status_code,
            )
        # Keys in the query do not survive a redirect by themselves.
        prepared_request.prepare_auth(self.auth)


class QueryKeysFilter(logging.Filter):
    """Keep the keys of query authentication out of what `urllib3` logs."""

    def __init__(self, credentials: Credentials) -> None:
        super().__init__()
        self._credentials = credentials
        self._keys = (credentials.company_id, credentials.api_key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, QueryKeysFilter) and other._keys == self._keys

    def __hash__(self) -> int:
        return hash(self._keys)

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                without_secrets(one, self._credentials) if isinstance(one, str) else one for one in record.args
            )
        return True


def without_secrets(text: str, credentials: Credentials) -> str:
    """Return a text that may hold URLs without the keys of query authentication, in whatever order they stand."""
    text = text.replace(urlencode({QUERY_COMPANY: credentials.company_id, QUERY_KEY: credentials.api_key}), "***")
    for one in (quote_plus(credentials.api_key), quote(credentials.api_key), *credentials.secrets):
        text = text.replace(one, "***")
    return text
