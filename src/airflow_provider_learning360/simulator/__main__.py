"""The simulator as a command."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_learning360.simulator.simulator import DEMO_CLIENT_ID, Simulator

if TYPE_CHECKING:
    from collections.abc import Sequence


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the simulator's arguments to a parser, also to that of another command.

    :param parser: the parser.
    """
    parser.add_argument("--host", default="127.0.0.1", help="loopback address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=8360, help="TCP port; 0 for any free one (%(default)s)")
    parser.add_argument("--sessions", type=int, default=12, help="program sessions (%(default)s)")
    parser.add_argument("--learners", type=int, default=20, help="learners in each session (%(default)s)")
    parser.add_argument(
        "--seed", type=int, default=360, help="random seed: the same seed and day give the same data (%(default)s)"
    )
    parser.add_argument(
        "--today",
        type=date.fromisoformat,
        help="day around which the sessions start and end, such as 2026-06-01 (default: today)",
    )
    parser.add_argument("--company-id", default="demo-company", help="company ID to accept (%(default)s)")
    parser.add_argument("--api-key", default="demo-key", help="API key to accept (%(default)s)")
    parser.add_argument("--client-id", default=DEMO_CLIENT_ID, help="client ID to accept for API v2 (%(default)s)")
    parser.add_argument(
        "--client-secret", default="demo-secret", help="client secret to accept for API v2 (%(default)s)"
    )
    parser.add_argument("--scopes", nargs="*", metavar="SCOPE", help="scopes of API v2 that the client has (all)")
    parser.add_argument(
        "--page-size", type=int, help="items in a page of every list of API v2 (default: as documented for each)"
    )
    parser.add_argument("--users", type=int, default=0, help="users who are in no session (%(default)s)")
    parser.add_argument("--token-life", type=float, default=3600, help="seconds that a token is valid (%(default)s)")
    parser.add_argument("--scenario", type=Path, metavar="FILE.json", help="JSON file with scenarios to start with")


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT, and return the exit status.

    :param arguments: the parsed arguments.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        simulator = _create_simulator(arguments)
        simulator.start()
    except (OSError, ValueError, OverflowError) as error:
        print(f"simulator: {error}", file=sys.stderr)
        return 1
    print(
        f"360Learning simulator on {simulator.url}  company ID {simulator.company_id}  "
        f"API key {simulator.api_key}  ({arguments.sessions} sessions)  "
        f"API v2: client ID {simulator.client_id}  client secret {simulator.client_secret}",
        flush=True,
    )
    stop.wait()
    simulator.stop()
    return 0


def _create_simulator(arguments: argparse.Namespace) -> Simulator:
    simulator = Simulator(
        sessions=arguments.sessions,
        learners=arguments.learners,
        seed=arguments.seed,
        today=arguments.today,
        company_id=arguments.company_id,
        api_key=arguments.api_key,
        token_life=arguments.token_life,
        client_id=arguments.client_id,
        client_secret=arguments.client_secret,
        scopes=arguments.scopes,
        page_size=arguments.page_size,
        users=arguments.users,
        host=arguments.host,
        port=arguments.port,
        log=sys.stderr,
    )
    if arguments.scenario is not None:
        simulator.play(json.loads(arguments.scenario.read_text(encoding="utf-8")))
    return simulator


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command, and return the exit status.

    :param argv: arguments; default those of the process.
    """
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_learning360.simulator",
        description=(
            "A simulator of the 360Learning API on this machine, with sample data. All documented operations respond."
        ),
    )
    add_arguments(parser)
    return run(parser.parse_args(argv))


if __name__ == "__main__":
    raise SystemExit(main())
