"""The base class of the steps that act: their texts may use what earlier steps returned."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar
from zoneinfo import ZoneInfo

from airflow.providers.common.compat.sdk import BaseHook, BaseOperator

from airflow_provider_learning360.api.errors import SettingsError
from airflow_provider_learning360.hooks.lookup import require_missing
from airflow_provider_learning360.policies.retry import fail_fast, with_retry_policy
from airflow_provider_learning360.rendering import SafeRendering
from airflow_provider_learning360.step_outputs import StepOutputs, StepValue, resolve_reference

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection, Context


class ActionOperator(SafeRendering, BaseOperator):
    """
    A step that acts, such as sending a mail.

    Its texts are rendered when it runs, and not before: Airflow stores rendered fields and shows them, and these may
    contain people's data. What earlier steps returned is data: it is never rendered itself.

    :param item: The item that this task is about, if the step runs for each item of a list; default none.
    :param time_zone: Name of the time zone in which times are written; default `UTC`.
    """

    ui_color = "#f3ede8"
    # Names of the arguments whose texts are rendered.
    texts: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *, item: Any = None, time_zone: str = "UTC", **kwargs: Any) -> None:
        super().__init__(**with_retry_policy(kwargs))
        self.item = item
        self.time_zone = time_zone

    def execute(self, context: Context) -> Any:
        """
        Render the texts, and act.

        :param context: Airflow's task context.
        """
        zone = ZoneInfo(self.time_zone)
        names = {"steps": StepOutputs(self, context, zone), "item": StepValue(self.item, zone, "item")}
        environment = self.get_template_env()
        environment.globals.update(names)

        def render(value: Any) -> Any:
            if isinstance(value, dict):
                return {name: render(one) for name, one in value.items()}
            if isinstance(value, list | tuple):
                return [render(one) for one in value]
            if not isinstance(value, str) or "{" not in value:
                return value
            found = resolve_reference(value, names)
            # By Airflow: on 2.11, a copy of the context warns of each of its deprecated keys.
            return found if found is not value else self.render_template(value, context, environment)

        with fail_fast():
            return self.act(context, {name: render(getattr(self, name)) for name in self.texts})

    def find_connection(self, conn_id: str, conn_type: str) -> Connection:
        """
        Return an Airflow connection.

        :param conn_id: Its ID.
        :param conn_type: Its type, for the error.
        :raises SettingsError: There is none with this ID.
        :raises TryAgainError: Airflow did not respond.
        """
        try:
            return BaseHook.get_connection(conn_id)
        except Exception as error:  # noqa: BLE001 - Airflow raises many types if it does not respond
            require_missing(conn_id, error)
        raise SettingsError(f"Airflow connection {conn_id!r} is not defined. Add one of type {conn_type}.")

    @abstractmethod
    def act(self, context: Context, texts: dict[str, Any]) -> Any:
        """
        Act.

        :param context: Airflow's task context.
        :param texts: The rendered arguments, by name.
        :returns: What the step pushes to XCom: no people's data.
        """
