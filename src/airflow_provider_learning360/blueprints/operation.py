"""Blueprint templates that call any documented operation of 360Learning, and wait for an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from blueprint import Blueprint
from pydantic import BeforeValidator, Field, WithJsonSchema

from airflow_provider_learning360.api.catalogue.arguments import check_arguments
from airflow_provider_learning360.api.catalogue.catalogue import find_operation, load_operations
from airflow_provider_learning360.api.catalogue.options import ALL_PAGES
from airflow_provider_learning360.api.catalogue.until import check_until
from airflow_provider_learning360.api.contract import ContractPolicy  # noqa: TC001 - pydantic reads it
from airflow_provider_learning360.api.waiting import OnMissing  # noqa: TC001 - pydantic reads it
from airflow_provider_learning360.dag_yaml.checked_step import checked_step
from airflow_provider_learning360.dag_yaml.forms import CONN_ID, CONTRACT, Form, Length, Period
from airflow_provider_learning360.dag_yaml.step_references import (
    AnyValues,
    AnyValuesOrNone,
    Conditions,
    Values,
    given_arguments,
)
from airflow_provider_learning360.operators.operation import LearningOperationOperator
from airflow_provider_learning360.rendering import is_template
from airflow_provider_learning360.sensors.operation import LearningOperationSensor

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator

# Blueprint allows no union.
PageCount = Annotated[
    int | None,
    BeforeValidator(lambda value: None if value == ALL_PAGES else value),
    Field(examples=[1, ALL_PAGES]),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"const": ALL_PAGES}]}),
]
_OPERATION: Any = Field(
    min_length=1,
    description="Name of the operation; airflow learning360 operations lists all.",
    examples=["list-path-sessions"],
    json_schema_extra={"enum": [*load_operations()]},
)
_PARAMETERS: Any = Field(
    Values(),
    description="Parameters of the operation, by name.",
    examples=[{"modifiedAt[gte]": "2026-03-01T08:00:00Z"}],
)
_FIELDS: Any = Field(
    None,
    min_length=1,
    description="Names of the fields to keep of the answer; default all.",
    examples=[["_id", "name"]],
)


class CallOperationForm(Form, title="learning360_operation"):
    """The operation to call, and what it takes."""

    operation: str = _OPERATION
    parameters: AnyValues = _PARAMETERS
    body: AnyValuesOrNone = Field(
        None, description="Body of the request, for operations that write.", examples=[{"name": "Safety"}]
    )
    pages: PageCount = Field(None, description="How many pages of a list to read: a number, or all (default).")
    fields: list[str] | None = _FIELDS
    contract: ContractPolicy = CONTRACT
    replace: bool = Field(
        False, description="Must be true for an operation that replaces a whole collection.", examples=[True]
    )
    dry_run: bool = Field(False, description="Log what would be sent, and send nothing.", examples=[True])
    wait_for: bool = Field(
        False, description="Wait until 360Learning has done the work of a bulk operation.", examples=[True]
    )
    poke_interval: Length = Field(
        Period(seconds=30), description="With wait_for: time between two polls.", examples=[{"minutes": 1}]
    )
    timeout: Length = Field(
        Period(hours=1), description="With wait_for: maximum time to wait.", examples=[{"hours": 2}]
    )
    deferrable: bool = Field(True, description="With wait_for: wait in the triggerer, which takes no worker slot.")
    learning_conn_id: str = CONN_ID

    def check(self) -> None:
        """Refuse an unknown operation, and arguments that it does not take."""
        _check_call(self.operation, self.parameters, self.body)


class CallOperation(Blueprint[CallOperationForm]):
    """Call a documented operation of 360Learning, and push its answer to XCom."""

    name = "learning360_operation"
    version = 1

    @checked_step
    def render(self, config: CallOperationForm) -> BaseOperator:
        """Return the task."""
        arguments = given_arguments(config)
        return LearningOperationOperator(task_id=self.step_id, **arguments)


class WaitUntilForm(Form, title="learning360_wait_until"):
    """The operation to poll, and the condition to wait for."""

    operation: str = _OPERATION
    parameters: AnyValues = _PARAMETERS
    until: Conditions = Field(
        description="The condition: a path in the answer, and exists, equals, not_equals, at_least or changed.",
        examples=[{"path": "status", "equals": "completed"}],
    )
    poke_interval: Length = Field(
        Period(minutes=1), description="Time between two polls.", examples=[{"minutes": 5}, {"hours": 1}]
    )
    timeout: Length = Field(Period(days=7), description="Maximum time to wait.", examples=[{"days": 7}])
    soft_fail: bool = Field(False, description="Skip the step instead of failing it after the timeout.")
    pages: PageCount = Field(None, description="How many pages of a list a poll reads: a number, or all (default).")
    on_missing: OnMissing = Field("fail", description="What to do if there is nothing with this ID.", examples=["skip"])
    max_failures: int = Field(10, ge=0, description="Failed polls in a row before the step fails.", examples=[10])
    deferrable: bool = Field(True, description="Wait in the triggerer, which takes no worker slot.")
    fields: list[str] | None = _FIELDS
    contract: ContractPolicy = CONTRACT
    learning_conn_id: str = CONN_ID

    def check(self) -> None:
        """Refuse an unknown operation, parameters that it does not take, and a condition that is none."""
        _check_call(self.operation, self.parameters, None)
        check_until([one.given for one in self.until], is_template)


class WaitUntil(Blueprint[WaitUntilForm]):
    """Poll a documented operation of 360Learning until its answer meets a condition."""

    name = "learning360_wait_until"
    version = 1

    @checked_step
    def render(self, config: WaitUntilForm) -> BaseOperator:
        """Return the task."""
        arguments = given_arguments(config)
        return LearningOperationSensor(task_id=self.step_id, **arguments)


def _check_call(operation: str, parameters: Values, body: Values | None) -> None:
    check_arguments(find_operation(operation), parameters.given, body.given if body else None, is_template)
