"""Steps that use what earlier steps returned: which must run before, and tasks for each item of a list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from airflow_provider_learning360.api.errors import redact
from airflow_provider_learning360.api.input_errors import did_you_mean
from airflow_provider_learning360.dag_yaml.earlier_step import current_dag
from airflow_provider_learning360.dag_yaml.forms import Form, Period, to_arguments
from airflow_provider_learning360.step_outputs import find_step_task

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator

FOR_EACH: Any = Field(
    None,
    min_length=1,
    description="An earlier step that returns a list: this step runs for each of its items.",
    examples=["sessions"],
)
TIME_ZONE: Any = Field(
    "UTC", min_length=1, description="Time zone in which times are written.", examples=["Europe/Paris"]
)


class Values(BaseModel):
    """Names and values, of any kind."""

    # Blueprint allows no field of type `Any`; a model that takes all fields is the same.
    model_config = ConfigDict(extra="allow", frozen=True)

    @property
    def given(self) -> dict[str, Any]:
        """The values by name."""
        return dict(self.model_extra or {})


# In place and not as a reference: blueprint loses a reference that has a description beside it.
_MAPPING = WithJsonSchema({"type": "object"})
AnyValues = Annotated[Values, _MAPPING]
AnyValuesOrNone = Annotated[Values | None, _MAPPING]


def _to_list(value: Any) -> Any:
    return [value] if isinstance(value, str | dict) else value


# Blueprint allows no union: one text stands for a list of it.
_TEXTS = WithJsonSchema({"anyOf": [{"type": "array", "minItems": 1, "items": {"type": "string"}}, {"type": "string"}]})
Texts = Annotated[list[str], BeforeValidator(_to_list), _TEXTS]
TextsOrNone = Annotated[list[str] | None, BeforeValidator(_to_list), _TEXTS]
# Each is a mapping; one stands for a list of it.
Conditions = Annotated[
    list[Values],
    BeforeValidator(_to_list),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "minItems": 1, "items": {"type": "object"}},
                {"type": "object", "required": ["path"]},
            ]
        }
    ),
]


def check_time_zone(name: str) -> None:
    """
    Check the name of a time zone.

    :param name: The name.
    :raises ValueError: There is none.
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"time_zone: {redact(repr(name))} is not a time zone; write Europe/Paris") from None


def build_task(
    step: str, operator: type[BaseOperator], config: Form, *, lists: tuple[str, ...] = (), **more: Any
) -> BaseOperator:
    """
    Build the task of a step, or one for each item of a list.

    :param step: Name of the step.
    :param operator: Class of the task.
    :param config: The fields of the step.
    :param lists: Fields that name a step whose list is meant; default none.
    :param more: Further arguments of the task.
    :raises ConfigurationError: A field refers to a step that is not an earlier one.
    """
    arguments = given_arguments(config, "for_each")
    arguments |= {name: _refer_to(arguments[name]) for name in lists if name in arguments}
    for_each = getattr(config, "for_each", None)
    if for_each is None:
        task: Any = operator(task_id=step, **arguments, **more)
    else:
        earlier = require_step(step, "for_each", for_each)
        task = operator.partial(task_id=step, **arguments, **more).expand(item=earlier.output)
    for name in lists:
        if (listing := getattr(config, name)) is not None:
            task.set_upstream(require_step(step, name, listing))
    built: BaseOperator = task
    return built


def given_arguments(config: Form, *without: str) -> dict[str, Any]:
    """
    Return the fields of a step that are given, as arguments of an operator with the same names.

    :param config: The fields.
    :param without: Names of fields that are not arguments.
    """
    values = {name: value for name, value in to_arguments(config).items() if name not in without and value is not None}
    return {name: _to_plain(value) for name, value in values.items()}


def _to_plain(value: Any) -> Any:
    if isinstance(value, Values):
        return value.given
    if isinstance(value, Period):
        return value.length.total_seconds()
    return [_to_plain(one) for one in value] if isinstance(value, list) else value


def require_step(step: str, field: str, name: str) -> Any:
    """
    Return the task whose output is that of an earlier step.

    :param step: Name of the later step, for the error.
    :param field: Its field that names the earlier one, for the error.
    :param name: Name of the earlier step.
    :raises ConfigurationError: There is no earlier step with this name.
    """
    from blueprint import ConfigurationError

    dag = current_dag()
    found = find_step_task(dag, name)
    if found is None or name == step:
        known = list(dict.fromkeys(one.partition(".")[0] for one in dag.task_dict if one != step))
        raise ConfigurationError(
            f"Step {step!r}, {field!r}: {name!r} is not an earlier step. "
            f"There are: {', '.join(known) or 'none'}{did_you_mean(name, known)}"
        )
    return found


def _refer_to(step: str) -> str:
    return "{{ steps.STEP }}".replace("STEP", step)
