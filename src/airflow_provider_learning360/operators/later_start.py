"""Let Airflow start a task again at a later time, without a retry."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS, AIRFLOW_V_3_1_PLUS

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.providers.common.compat.sdk import BaseOperator


def start_again_at(task: BaseOperator, moment: datetime, method_name: str) -> NoReturn:
    """
    End this start of a task, so that it is started again at a time.

    Airflow reschedules it. Below Airflow 3.1 only sensors are rescheduled at a time: any other task would start again
    at once, over and over. So there it is deferred, which needs a triggerer.

    :param task: The task.
    :param moment: When it is started again.
    :param method_name: Its method that continues after the deferral; it is called with `context` and `event`.
    :raises AirflowRescheduleException: Always, from Airflow 3.1 on.
    :raises TaskDeferred: Always, below Airflow 3.1.
    """
    if AIRFLOW_V_3_1_PLUS:
        raise _reschedule_exception()(moment)
    module = "airflow.providers.standard.triggers.temporal" if AIRFLOW_V_3_0_PLUS else "airflow.triggers.temporal"
    task.defer(trigger=import_module(module).DateTimeTrigger(moment), method_name=method_name)


def _reschedule_exception() -> type[Exception]:
    try:
        from airflow.sdk.exceptions import AirflowRescheduleException
    except ImportError:  # Airflow below 3.2
        from airflow.exceptions import AirflowRescheduleException
    return AirflowRescheduleException
