from __future__ import annotations

import pytest

from airflow_provider_learning360.api.session_uri import build_session_uri


@pytest.mark.parametrize(
    ("host", "session_id", "uri"),
    [
        ("https://app.360learning.com", "60b8", "learning360://app.360learning.com/programs/sessions/60b8"),
        ("https://app.360learning.com", "", "learning360://app.360learning.com/programs/sessions"),
        ("http://127.0.0.1:8080", "60b8", "learning360://127.0.0.1:8080/programs/sessions/60b8"),
        ("https://[::1]:8443", "", "learning360://[::1]:8443/programs/sessions"),
    ],
)
def test_uri_names_host_and_session(host: str, session_id: str, uri: str) -> None:
    assert build_session_uri(host, session_id) == uri
