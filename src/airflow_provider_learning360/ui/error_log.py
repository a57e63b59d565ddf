"""Log unexpected errors: once, with the traceback, without values."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from logging import Logger

MAX_CAUSES = 5


def log_unexpected(log: Logger, doing: str, error: BaseException) -> None:
    """
    Log an unexpected error.

    Its message is left out, because it may contain a key or a name: `http.client` and `codecs` quote what they
    cannot send.

    :param log: The logger.
    :param doing: What failed, after "while": "reading the list".
    :param error: The error.
    """
    frames = "\n".join(
        f"{type(one).__name__}, at\n{''.join(traceback.format_tb(one.__traceback__)).rstrip()}"
        for one in _causes_of(error)
    )
    log.error("Unexpected %s while %s; please report it with this traceback:\n%s", type(error).__name__, doing, frames)


def _causes_of(error: BaseException) -> Iterator[BaseException]:
    one: BaseException | None = error
    for _ in range(MAX_CAUSES):
        if one is None:
            return
        yield one
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
