"""The simulator as a command, which writes down what passes on API v2 if the tests ask for it."""

from __future__ import annotations

import os
from pathlib import Path

from airflow_provider_learning360.simulator.__main__ import main
from airflow_provider_learning360.simulator.simulator import Simulator
from contract.exchanges import record_to

if __name__ == "__main__":
    if folder := os.environ.get("LEARNING360_CONTRACT_RECORDS"):
        record_to(Simulator, Path(folder, f"{os.getpid()}.jsonl"))
    raise SystemExit(main())
