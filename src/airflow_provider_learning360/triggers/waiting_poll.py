"""The next poll of one trigger: due at a time of its own, or earlier together with the polls of others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.errors import LearningError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from airflow_provider_learning360.triggers.poll_target import PollTarget


class WaitingPoll:
    """
    A poll that a trigger waits for. Times are those of the event loop, in seconds.

    :param target: What is polled.
    :param seconds: Seconds until the poll is due.
    :param early: How many seconds earlier it may be.
    :param joined_at: When the trigger started, on the monotonic clock.
    """

    def __init__(self, target: PollTarget, seconds: float, early: float, joined_at: float) -> None:
        loop = asyncio.get_running_loop()
        self.target = target
        self.joined_at = joined_at
        self.due = loop.time() + seconds
        self.earliest = self.due - early
        self.is_due = False
        # Whether a request for it is under way, or the next list is to show it.
        self.is_taken = self.awaits_list = False
        # Called if its trigger stops waiting while a request is under way.
        self.note_given_up: Callable[[], None] | None = None
        self._outcome: asyncio.Future[Any] = loop.create_future()
        self._sleep: asyncio.Timeout | None = None

    @property
    def is_over(self) -> bool:
        """Whether it has its outcome, or its trigger waits no longer."""
        return self._outcome.done()

    @property
    def is_free(self) -> bool:
        """Whether a request may begin for it."""
        return not (self.is_taken or self.awaits_list or self._outcome.done())

    async def sleep(self, seconds: float) -> None:
        """
        Sleep until the poll is due, or has its outcome.

        :param seconds: Seconds until it is due.
        """
        try:
            async with asyncio.timeout(None) as self._sleep:
                await asyncio.sleep(seconds)
        except TimeoutError:
            if not self._outcome.done():
                raise
        finally:
            self._sleep = None

    async def wait(self) -> Any:
        """
        Return what was read.

        :raises LearningError: The poll has failed.
        """
        value, error, traceback = await self._outcome
        if error is not None:
            # Others may raise the same exception: its traceback must not grow.
            raise error.with_traceback(traceback)
        return value

    def give_up(self) -> None:
        """Note that the trigger waits no longer."""
        # Its task may have cancelled the outcome already.
        if (self._outcome.cancel() or self._outcome.cancelled()) and self.note_given_up is not None:
            self.note_given_up()

    def deliver(self, value: Any) -> None:
        """
        Pass on what was read.

        :param value: The outcome.
        """
        self._end(value, None, None)

    def fail(self, error: BaseException) -> None:
        """
        Pass on why the poll has failed.

        :param error: The error; of a `LearningError`, each trigger gets a copy.
        """
        if type(error).__reduce__ is LearningError.__reduce__:
            copy = LearningError.from_dict(error.to_dict())  # type: ignore[attr-defined]
            error = copy if type(copy) is type(error) else error
        self._end(None, error, error.__traceback__)

    def _end(self, value: Any, error: BaseException | None, traceback: TracebackType | None) -> None:
        if self._outcome.done():
            return
        self._outcome.set_result((value, error, traceback))
        if self._sleep is not None:
            self._sleep.reschedule(asyncio.get_running_loop().time())
