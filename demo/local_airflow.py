"""`make airflow`: a local Airflow with the examples, the simulator and a ready connection, for clicking around."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
HOME = REPOSITORY / ".airflow"


def main() -> int:
    from airflow_provider_learning360.simulator import Simulator

    port = os.environ.get("PORT", "8080")
    signal.signal(signal.SIGTERM, interrupt)
    HOME.mkdir(exist_ok=True)
    with Simulator(sessions=12, learners=20, log=sys.stderr) as simulator:
        connection = {
            "conn_type": "learning360",
            "host": simulator.url,
            "login": simulator.company_id,
            "password": simulator.api_key,
        }
        environment = {
            "AIRFLOW_HOME": str(HOME),
            # `standalone` starts its parts as `airflow`, which a virtual environment does not put there by itself.
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "AIRFLOW__API__PORT": port,
            "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags_examples"),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
            "AIRFLOW_CONN_LEARNING360_DEFAULT": json.dumps(connection),
        }
        edit = f"curl -X POST {simulator.url}/_simulator/sessions/{simulator.session_ids[0]}"
        print(f"Airflow       http://127.0.0.1:{port} (no login; ready in about 15 s; Ctrl-C ends it)")
        print(f"simulator     {simulator.url}, behind the connection learning360_default")
        print(f"try           trigger wait_then_act with session_id {simulator.session_ids[0]}, then:")
        print(f"""              {edit} -d '{{"startDate": "2027-03-01T09:00:00.000Z"}}'""", flush=True)
        airflow = subprocess.Popen(
            [sys.executable, "-m", "airflow", "standalone"],
            env={**os.environ, **environment},
            cwd=HOME,
            start_new_session=True,
        )
        try:
            return airflow.wait()
        except KeyboardInterrupt:
            return stop(airflow)


def interrupt(*_: object) -> None:
    """Treat SIGTERM like Ctrl-C, also where SIGINT is ignored, as in the background of a script."""
    raise KeyboardInterrupt


def stop(airflow: subprocess.Popen[bytes]) -> int:
    """End Airflow and all that it started."""
    os.killpg(airflow.pid, signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        airflow.wait(timeout=20)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(airflow.pid, signal.SIGKILL)
    airflow.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
