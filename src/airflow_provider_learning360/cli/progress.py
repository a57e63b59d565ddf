"""Show on a terminal that a command is still at work."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from threading import Timer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DELAY = 2.0  # seconds after which a command shows its progress


@contextmanager
def show_progress(text: str, total: int | None = None) -> Iterator[Callable[[], None]]:
    """
    Show a progress bar on standard error, if that is a terminal and the block takes longer than `DELAY`.

    :param text: What the command does.
    :param total: Number of steps; default unknown.
    :returns: A function to call after each step.
    """
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    # Standard output is for the result. rich would send it to the terminal.
    bar = Progress(console=Console(stderr=True), transient=True, redirect_stdout=False)
    task = bar.add_task(text, total=total)
    timer = Timer(DELAY, bar.start)
    timer.daemon = True
    timer.start()
    try:
        yield lambda: bar.advance(task)
    finally:
        timer.cancel()
        timer.join()
        bar.stop()
