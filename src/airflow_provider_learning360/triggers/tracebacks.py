"""Tracebacks of unexpected errors without values: a message or a source line may hold personal data or a key."""

from __future__ import annotations

from traceback import walk_tb

from airflow_provider_learning360.api.errors import ContractError

MAX_FRAMES = 30
MAX_CAUSES = 5


def format_frames(error: BaseException) -> str:
    """
    Return the traceback of an error and of its causes: file, line and function of each frame, and the types.

    :param error: The error.
    :returns: The text, of several lines.
    """
    lines: list[str] = []
    one: BaseException | None = error
    for _ in range(MAX_CAUSES):
        if one is None:
            break
        lines += ["while handling:"] if lines else []
        frames = [(frame.f_code, line) for frame, line in walk_tb(one.__traceback__)]
        lines += [f'  File "{code.co_filename}", line {line}, in {code.co_name}' for code, line in frames[-MAX_FRAMES:]]
        lines.append(type(one).__qualname__)
        one = one.__cause__ or one.__context__
    return "\n".join(lines)


class UnexpectedError(ContractError):
    """
    A mistake in this provider that ended a poll.

    :param error: What was raised.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(f"Unexpected {type(error).__name__} while polling; please report it with the traceback above.")
        self.kind = type(error).__name__
        self.frames = format_frames(error)
