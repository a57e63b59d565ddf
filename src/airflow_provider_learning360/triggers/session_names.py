"""How a line of the log names many sessions."""

from __future__ import annotations

MAX_NAMED = 3  # sessions in one line


def name_sessions(session_ids: list[str], count: int | None = None) -> str:
    """
    Return how many sessions there are, and the IDs of the first.

    :param session_ids: The IDs, or the first of them.
    :param count: How many there are in all; default as many as IDs.
    """
    total = len(session_ids) if count is None else count
    named = ", ".join(session_ids[:MAX_NAMED])
    return f"{total} program session{'s' * (total > 1)} ({named}{', …' * (total > MAX_NAMED)})"
