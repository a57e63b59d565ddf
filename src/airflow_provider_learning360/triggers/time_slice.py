"""Time slices of long work on the event loop, so that the other triggers of the triggerer can run."""

from __future__ import annotations

import asyncio
import time

TIME_SLICE = 0.005  # seconds of work in one go


class TimeSlice:
    """The time that some work has taken since other triggers could run."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    async def let_others_run(self) -> None:
        """Let other triggers run, if it has been long."""
        if time.monotonic() - self._since > TIME_SLICE:
            await asyncio.sleep(0)
            self._since = time.monotonic()
