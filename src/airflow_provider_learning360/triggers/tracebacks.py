"""Where an unexpected error happened, without any value: a message or a source line may hold a person or a key."""

from __future__ import annotations

from traceback import walk_tb

MAX_FRAMES = 30
MAX_CAUSES = 5


def format_frames(error: BaseException) -> str:
    """
    Return the traceback of an error and of its causes: file, line and function of each frame, and the types.

    :param error: The error.
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
