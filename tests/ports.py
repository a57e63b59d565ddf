"""Find ports that stay free until they are used."""

from __future__ import annotations

import os
import random
import socket

PORTS = range(20_000, 32_000)
# Tests that run side by side take different ports: a free port stays free until its server starts.
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
# Not the global generator: Hypothesis seeds it, so that two runs would try the same ports.
CHANCE = random.SystemRandom()


def free_port() -> int:
    """
    Return a port of loopback that no process listens on.

    The port is outside the range from which the system takes the local ports of outgoing connections. Otherwise a
    client that calls a stopped server could occupy the port before the server starts again.
    """
    for port in CHANCE.sample(PORTS[WORKER::WORKERS], 100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no free port")
