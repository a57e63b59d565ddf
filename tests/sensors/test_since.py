"""A `since` whose template gave `None` is an error that names the template."""

from __future__ import annotations

from typing import Any

import lazy_object_proxy
import pytest

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.api.models import ProgramSession
from airflow_provider_learning360.operators.program_session import GetProgramSessionOperator
from airflow_provider_learning360.sensors.memory import TaskMemory
from airflow_provider_learning360.sensors.program_session import ProgramSessionModifiedSensor

ID = "60b8d2956e20ae1a0f8e44f1"


class TaskInstance:
    """A task instance for which no other task pushed anything."""

    map_index = -1
    _upstream_map_indexes: dict[str, Any] = {}  # noqa: RUF012

    def xcom_pull(self, *_: Any, **__: Any) -> None:
        return None


def rendered(since: Any, *, native: bool = False, context: Any = None) -> ProgramSessionModifiedSensor:
    with DAG("one", schedule=None, render_template_as_native_obj=native):
        sensor = ProgramSessionModifiedSensor(task_id="wait", session_id=ID, since=since)
    sensor.render_template_fields({"ti": TaskInstance(), "dag_run": {"conf": {}}, **(context or {})})
    return sensor


def wait(sensor: ProgramSessionModifiedSensor) -> Any:
    return sensor.build_wait(TaskMemory({}, {}))


NOTHING = [
    "{{ ti.xcom_pull('get') }}",
    "{{ none }}",
    "  {{ none }} \n",
    "{{ prev_start_date_success }}",
    "{{ dag_run.conf.get('since') }}",
]
EMPTY = [
    "{{ '' }}",
    "  {{ '' }} \n",
    "{{ dag_run.conf.get('since', '') }}",
    "{{ none or '' }}",
]
# With native rendering, these give None.
EMPTY_TEXT = [*EMPTY, "{% if false %}2026-03-01{% endif %}", "{# later #}"]

# As Airflow gives it to a template.
NO_SUCCESS = {"prev_start_date_success": lazy_object_proxy.Proxy(lambda: None)}


@pytest.mark.parametrize("native", [True, False], ids=["native", "text"])
@pytest.mark.parametrize("since", NOTHING)
def test_template_that_gave_none_is_named(since: str, native: bool) -> None:
    with pytest.raises(FixArgumentError) as caught:
        wait(rendered(since, native=native, context=NO_SUCCESS))
    assert str(caught.value).startswith(f"since: the template {since.strip()} gave nothing.")


@pytest.mark.parametrize(
    ("since", "native"), [*((one, True) for one in EMPTY), *((one, False) for one in EMPTY_TEXT)], ids=str
)
def test_template_that_gave_an_empty_text_starts_from_the_first_poll(since: str, native: bool) -> None:
    sensor = rendered(since, native=native)
    memory = TaskMemory({}, {})
    first = sensor.build_wait(memory)
    assert first.watermark is None
    session = ProgramSession.model_validate({"_id": ID, "modifiedAt": "2026-03-01T08:00:00.000Z"})
    assert first.evaluate(session) is None
    sensor.on_poll(session, first, memory)
    assert sensor.build_wait(memory).watermark == first.watermark  # it is remembered


def test_task_that_returned_none_is_named() -> None:
    with DAG("two", schedule=None):
        get = GetProgramSessionOperator(task_id="get_session", session_id=ID)
        sensor = ProgramSessionModifiedSensor(task_id="wait", session_id=ID, since=get.output["modifiedAt"])
    sensor._written, sensor.since = {"since": sensor.since}, None  # as Airflow resolves it
    with pytest.raises(FixArgumentError, match=r"since: the template .*get_session.* gave nothing"):
        wait(sensor)


@pytest.mark.parametrize("since", [None, ""])
def test_since_left_out_starts_from_the_first_poll(since: Any) -> None:
    assert wait(rendered(since)).watermark is None


def test_template_may_give_a_time() -> None:
    assert wait(rendered("{{ at }}", context={"at": "2026-03-01T08:00:00Z"})).watermark.modified_at.year == 2026


def test_text_that_is_not_a_time_is_refused() -> None:
    with pytest.raises(FixArgumentError, match="'soon' is not a time"):
        wait(rendered("{{ 'soon' }}"))
