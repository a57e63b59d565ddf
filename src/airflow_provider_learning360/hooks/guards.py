"""Guards of the `requests` transport: where credentials may go, and what may be logged."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

import requests

from airflow_provider_learning360.api.credentials import QUERY_COMPANY, QUERY_KEY, origin
from airflow_provider_learning360.api.errors import RedirectError

if TYPE_CHECKING:
    from airflow_provider_learning360.api.credentials import Credentials


class OneOriginSession(requests.Session):
    """A session whose redirects stay on one origin: `requests` would carry the key headers to any host."""

    def __init__(self, host: str) -> None:
        super().__init__()
        self._host = host

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        target = prepared_request.url or ""
        if origin(target) != origin(self._host):
            parts = urlsplit(target)
            raise RedirectError(
                f"{self._host} redirects to {parts.scheme}://{parts.hostname}, where no credential goes. "
                "If that is the right address, set it as the host of the connection."
            )


class QueryKeysFilter(logging.Filter):
    """Keep the keys of query authentication out of what `urllib3` logs at level DEBUG."""

    def __init__(self, credentials: Credentials) -> None:
        super().__init__()
        self._keys = urlencode({QUERY_COMPANY: credentials.company_id, QUERY_KEY: credentials.api_key})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, QueryKeysFilter) and other._keys == self._keys

    def __hash__(self) -> int:
        return hash(self._keys)

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(one.replace(self._keys, "***") if isinstance(one, str) else one for one in record.args)
        return True
