"""The rate limit that all hooks of a connection share."""

from __future__ import annotations


class RateLimiter:
    """
    When the next request of a connection may be sent. Plain arithmetic: the clock is passed in.

    :param rate: Requests per second.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._next = 0.0
        self._paused_until = 0.0

    def reserve(self, now: float) -> float:
        """
        Reserve the time of the next request.

        :param now: Reading of the monotonic clock, in seconds.
        :returns: Seconds until that time.
        """
        reserved = max(now, self._next)
        self._next = reserved + 1 / self.rate
        return reserved - now

    def pause(self, now: float, seconds: float) -> None:
        """
        Hold back all requests, since the server asked to wait.

        :param now: Reading of the monotonic clock, in seconds.
        :param seconds: How long the server asked to wait.
        """
        self._paused_until = max(self._paused_until, now + seconds)

    def paused_for(self, now: float) -> float:
        """
        Return how much longer all requests are held back.

        :param now: Reading of the monotonic clock, in seconds.
        :returns: Seconds; 0 if requests may be sent.
        """
        return max(0.0, self._paused_until - now)
