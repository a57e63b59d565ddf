"""Ports that stay free until they are used."""

from __future__ import annotations

import random
import socket


def free_port() -> int:
    """
    Return a port that nobody listens on.

    Not one that the system hands out by itself: that could become the near end of somebody's connection while the
    process that is to listen here starts, or starts again. Clients that keep calling a dead server do that to it.
    """
    for port in random.sample(range(20_000, 32_000), 100):
        with socket.socket() as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no free port")
