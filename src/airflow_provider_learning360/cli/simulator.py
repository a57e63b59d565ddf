"""`simulate`: the simulator as an Airflow command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_learning360.simulator.__main__ import run

if TYPE_CHECKING:
    from argparse import Namespace


def simulate(args: Namespace) -> None:
    """
    Serve until the process is asked to end.

    :param args: The arguments of the simulator.
    """
    args.scenario = Path(args.scenario) if args.scenario else None
    raise SystemExit(run(args))
