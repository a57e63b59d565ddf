"""The budget of requests that all who use a connection share."""

from __future__ import annotations


class RateLimiter:
    """
    How soon the next request of a connection may leave. Plain arithmetic: the clock is passed in.

    :param rate: Requests per second.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._next = 0.0
        self._paused_until = 0.0

    def reserve(self, now: float) -> float:
        """
        Take the next place in the row; return the seconds until it comes.

        :param now: Monotonic time, in seconds.
        """
        place = max(now, self._next)
        self._next = place + 1 / self.rate
        return place - now

    def pause(self, now: float, seconds: float) -> None:
        """
        Let nobody send before the server wants to be asked again.

        :param now: Monotonic time, in seconds.
        :param seconds: What the server asked for.
        """
        self._paused_until = max(self._paused_until, now + seconds)

    def paused_for(self, now: float) -> float:
        """
        Return for how many more seconds nobody may send; 0 if that is over.

        :param now: Monotonic time, in seconds.
        """
        return max(0.0, self._paused_until - now)
