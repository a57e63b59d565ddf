"""The asset URI of a program session; the same for both versions of the API, so that DAGs need no change."""

from __future__ import annotations

from urllib.parse import urlsplit


def build_session_uri(host: str, session_id: str = "") -> str:
    """
    Return the asset URI of a program session, or of all sessions.

    :param host: Base URL of the connection.
    :param session_id: ID of the session; default all sessions of that host.
    :returns: The URI.
    """
    return f"learning360://{urlsplit(host).netloc}/programs/sessions" + (f"/{session_id}" if session_id else "")
