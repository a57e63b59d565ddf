"""On a real Airflow: no response of the server ends one of its processes, or disturbs a task that is not attacked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hostile.catalogue import CATALOGUE, Attack, attack_named
from hostile.responses import SESSION_ID, Bounds
from hostile.server import CALM, FarServers
from real_airflow import Airflow

pytestmark = pytest.mark.slow

DAGS = Path(__file__).resolve().parent / "dags"
BOUNDS = Bounds(document=1024 * 1024, listing=4 * 1024 * 1024, error=64 * 1024)
PATIENCE = 600  # seconds until a condition that does not come true fails a test
ENDED = ("success", "failed", "skipped", "upstream_failed", "removed")

# For watched assets: all attacks of the kinds that reach Airflow's own encoders and stores, and a sample of the others.
WHOLE_KINDS = ("text", "number", "nesting")
SAMPLE = (
    "endless_text", "endless_403", "gzip_bomb", "one_byte_over", "brotli",
    "slow_body", "slow_100", "flood_of_headers", "hang_after_accept", "hang_in_body",
    "wait_1e12", "wait_1e300", "wait_minus_1", "wait_nan", "wait_year_9999", "wait_twice",
    "expires_in_0", "expires_in_nan", "expires_in_10_400", "token_crlf", "token_surrogate", "token_number",
    "item_number", "item_wrong_types", "item_id_path", "other_id", "item_broken", "duplicate_ids",
    "date_year_9999", "date_beyond_9999", "date_year_1", "modified_beyond_9999", "modified_month_13",
    "header_without_colon", "header_nul", "status_garbage", "status_http_09", "status_99",
    "redirect_to_itself", "redirect_elsewhere", "redirect_long",
    "reset_in_body", "close_at_once", "close_without_notice",
)  # fmt: skip
ASSETS = [one for one in CATALOGUE if one.kind in WHOLE_KINDS or one.name in SAMPLE]
# For deferred sensors, each of which costs two worker processes.
SENSORS = [
    attack_named(name)
    for name in (
        "surrogate_in_name", "surrogate_in_field_name", "surrogate_in_403", "raw_bytes_in_far_location", "nul_in_name",
        "integer_2_70", "integer_5000_digits", "nan", "deep_objects", "deep_watched", "endless_text", "hang_in_body",
        "wait_1e300", "token_crlf", "modified_beyond_9999", "status_garbage", "reset_in_body",
    )
]  # fmt: skip
# For tasks that are not deferred, with retries.
TASKS = [attack_named(name) for name in ("surrogate_in_name", "surrogate_in_403", "integer_2_70", "wait_1e12")]
# Every poll of these finds that a watched field has changed.
REPORTED = [one for one in ASSETS if one.kind in ("text", "number") and one.watch and one.rest_is_read]


def connection(url: str, attack: Attack | None = None) -> dict[str, Any]:
    """
    Return a connection to a hostile server, or to the calm one.

    The calm one keeps the default time limits: a busy machine must not look like a disturbance.
    """
    extra: dict[str, Any] = {"retry_attempts": 1}
    if attack:
        extra |= {
            "auth": "oauth2" if attack.kind == "token" else "headers",
            # Attacks that hang last as long as these. With shorter ones, a busy machine fails before the attack.
            "timeout": 10,
            "max_document_seconds": 12,
            "max_list_seconds": 12,
            "max_document_bytes": BOUNDS.document,
            "max_list_bytes": BOUNDS.listing,
            "max_error_bytes": BOUNDS.error,
        }
    return {"conn_type": "learning360", "host": url, "login": "demo-company", "password": "demo-key", "extra": extra}


class Scene:
    """
    An Airflow on which all attacks run at once.

    `processes_before` and `edited` keep what was observed before and after the attacks.
    """

    def __init__(self, airflow: Airflow, servers: FarServers) -> None:
        self.airflow, self.servers = airflow, servers

    def attack(self) -> None:
        """Wait until all sensors wait and all assets are watched; attack; wait until every server has attacked."""
        airflow = self.airflow
        waiting = len(SENSORS) + 1

        def all_wait() -> bool:
            assert not self.count("failed", "attacked", "unrelated"), (
                f"a sensor failed before the attack: {airflow.task_log('attacked')}{airflow.task_log('unrelated')}"
            )
            return self.count("deferred", "attacked", "unrelated") == waiting

        airflow.wait_until(all_wait, "all sensors wait", PATIENCE)
        airflow.wait_until(lambda: self.watching() == 2 * len(ASSETS) + 1, "all assets are watched", PATIENCE)
        self.processes_before = self.processes()
        self.servers.arm()
        airflow.wait_until(self.all_have_attacked, "every server has attacked", PATIENCE)
        airflow.wait_until(lambda: self.count(ENDED, "attacked") == len(SENSORS), "the sensors end", PATIENCE)
        self.edited = self.servers.edit(CALM)

    def processes(self) -> dict[str, Any]:
        """Return the ID of each service, and of the triggerer's runner."""
        services = {name: process.pid for name, process in self.airflow.services.items() if process.poll() is None}
        return {**services, "runner": self.airflow.runner()}

    def count(self, state: str | tuple[str, ...], *dags: str) -> int:
        """Return how many tasks of these DAGs are in a state."""
        states = (state,) if isinstance(state, str) else state
        marks = f"state in ({','.join('?' * len(states))}) and dag_id in ({','.join('?' * len(dags))})"
        ((number,),) = self.airflow.query(f"select count(*) from task_instance where {marks}", *states, *dags)
        return int(number)

    def watching(self) -> int:
        """Return for how many assets a watermark is stored."""
        ((number,),) = self.airflow.query(
            "select count(distinct asset_id) from asset_state_store where key like 'learning360_watermarks_%'"
        )
        return int(number)

    def all_have_attacked(self) -> bool:
        """Whether every server of an asset has attacked twice; once is enough for a pause."""
        counts = self.servers.counts()
        return all(counts[one.name] >= (1 if one.kind == "wait" else 2) for one in ASSETS)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    attacks = {one.name: one for one in (*ASSETS, *SENSORS)}
    for_tasks = {f"task_{one.name}": one for one in TASKS}
    given = {
        "session_id": SESSION_ID,
        "sensors": {one.name: list(one.watch) for one in SENSORS},
        "assets": {one.name: list(one.watch) for one in ASSETS},
        "tasks": list(for_tasks),
    }
    with (
        FarServers(attacks, bounds=BOUNDS) as servers,
        FarServers([one.name for one in TASKS], armed=[one.name for one in TASKS], bounds=BOUNDS) as servers_for_tasks,
    ):
        connections = {
            "hostile_calm": connection(servers.urls[CALM]),
            **{f"hostile_{name}": connection(servers.urls[name], one) for name, one in attacks.items()},
            **{f"hostile_{name}": connection(servers_for_tasks.urls[one.name], one) for name, one in for_tasks.items()},
        }
        extra = {
            "HOSTILE_ATTACKS": json.dumps(given),
            "AIRFLOW__CORE__PARALLELISM": "4",
            # Many tasks at once keep the API server of a small machine busy.
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
        }
        with Airflow.running(tmp_path_factory.mktemp("airflow"), connections, DAGS, extra) as airflow:
            scene = Scene(airflow, servers)
            scene.attack()
            yield scene


def test_processes_survive_all_attacks(scene: Scene) -> None:
    assert scene.processes() == scene.processes_before
    for service in ("triggerer", "scheduler", "api-server"):
        log = scene.airflow.logs_of(service)
        for word in (
            "Trigger runner failed",
            "OverflowError",
            "UnicodeEncodeError",
            "Unexpected",
            "Internal Server Error",
        ):
            assert word not in log, f"{word} in the log of {service}"


def test_unrelated_sensor_succeeds(scene: Scene) -> None:
    airflow = scene.airflow
    airflow.wait_until(lambda: scene.count(ENDED, "unrelated") == 1, "the unrelated sensor ends")
    assert scene.count("success", "unrelated") == 1, airflow.task_log("unrelated", "calm")
    (run,) = airflow.runs("unrelated")
    assert airflow.task_xcom("unrelated", run.run_id, "calm")["modifiedAt"] == scene.edited


def test_unrelated_asset_starts_its_dag(scene: Scene) -> None:
    airflow = scene.airflow

    def ended_runs() -> list[Any]:
        return [run for run in airflow.runs("unrelated_asset") if run.state in ("success", "failed")]

    airflow.wait_until(ended_runs, "the DAG of the unrelated asset runs")
    assert {run.state for run in ended_runs()} == {"success"}
    seen = [
        change["modifiedAt"]["to"]
        for run in ended_runs()
        for change in airflow.task_xcom("unrelated_asset", run.run_id, "changed")
    ]
    assert scene.edited in seen


def test_attack_affects_its_own_task_only(scene: Scene) -> None:
    states = dict(scene.airflow.query("select task_id, state from task_instance where dag_id = 'attacked'"))
    assert set(states) == {one.name for one in SENSORS}
    assert set(states.values()) <= {"success", "failed"}


@pytest.mark.parametrize("poll", ["single", "list"])
@pytest.mark.parametrize("attack", [pytest.param(one, id=one.name) for one in REPORTED])
def test_odd_value_of_a_watched_field_is_reported_once(attack: Attack, poll: str, scene: Scene) -> None:
    events = scene.airflow.wait_until(lambda: scene.airflow.events(f"{poll} {attack.name}"), "an event")
    assert len(events) == 1, events


def test_retry_delay_of_a_task_is_limited(scene: Scene) -> None:
    airflow = scene.airflow
    state = "select state, end_date from task_instance where task_id = 'get_task_wait_1e12'"
    airflow.wait_until(lambda: airflow.query(state)[0][0] == "up_for_retry", "the task waits for its retry")
    # The scheduler evaluates the run again and again, and must not fail.
    assert "OverflowError" not in airflow.logs_of("scheduler")


def test_odd_documents_are_stored_as_xcom(scene: Scene) -> None:
    names = [f"{kind}_task_{name}" for kind in ("get", "list") for name in ("surrogate_in_name", "integer_2_70")]
    query = "select task_id, state from task_instance where dag_id = 'attacked_at_once'"
    scene.airflow.wait_until(
        lambda: all(dict(scene.airflow.query(query))[name] in ENDED for name in names), "the tasks end"
    )
    states = dict(scene.airflow.query(query))
    assert {name: states[name] for name in names} == dict.fromkeys(names, "success")
