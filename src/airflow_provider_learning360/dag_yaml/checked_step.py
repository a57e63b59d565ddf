"""What holds for all templates of steps: which names their texts may use, and where a mistake is."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_learning360.api.errors import LearningError
from airflow_provider_learning360.api.input_errors import did_you_mean, list_known
from airflow_provider_learning360.dag_yaml.earlier_step import current_dag
from airflow_provider_learning360.dag_yaml.forms import Form, place_problem
from airflow_provider_learning360.dag_yaml.references import Reference, find_references
from airflow_provider_learning360.dag_yaml.step_fields import find_output_fields
from airflow_provider_learning360.dag_yaml.step_references import given_arguments, require_step
from airflow_provider_learning360.step_outputs import COUNT

try:
    from airflow.sdk.definitions.context import KNOWN_CONTEXT_KEYS
except ImportError:  # Airflow below 3.0
    from airflow.utils.context import KNOWN_CONTEXT_KEYS  # type: ignore[no-redef,attr-defined]

if TYPE_CHECKING:
    from collections.abc import Callable

    from blueprint import ConfigurationError

    B = TypeVar("B")
    F = TypeVar("F", bound=Form)
    T = TypeVar("T")

STEPS, ITEM = "steps", "item"


def checked_step(render: Callable[[B, F], T]) -> Callable[[B, F], T]:
    """
    Let a step run after the steps that its texts name, and name step and field of each mistake.

    :param render: The method `render` of a template.
    """

    @wraps(render)
    def render_checked(self: Any, config: F) -> T:
        step, arguments = self.step_id, given_arguments(config)
        earlier = [_check_reference(step, field, one, config) for field, one in _list_references(arguments)]
        try:
            task: Any = render(self, config)
        except LearningError as error:
            problem = str(error)
        else:
            run_after(task, earlier)
            built: T = task
            return built
        # Outside of the handler: the error is reported once.
        place, text = place_problem(problem, type(config))
        raise _error(step, ".".join(place), text)

    return render_checked


def run_after(task: Any, earlier: list[Any]) -> None:
    """
    Let a step run after others.

    :param task: Its task, or group of tasks.
    :param earlier: The tasks of the others; None stands for no task.
    """
    for one in {one.task_id: one for one in earlier if one is not None}.values():
        if one.task_id not in task.upstream_task_ids:  # Airflow warns of a second time
            task.set_upstream(one)


def check_output_field(step: str, field: str, name: str, earlier: Any) -> None:
    """
    Refuse a field that an earlier step does not return.

    :param step: Name of the later step, for the error.
    :param field: Its field that names the other, for the error.
    :param name: Name of the field.
    :param earlier: The task of the earlier step.
    :raises ConfigurationError: It is known what the step returns, and it has no such field.
    """
    known = find_output_fields(earlier)
    if known and name not in known:
        raise _error(
            step,
            field,
            f"step {earlier.task_id.partition('.')[0]} returns no {name!r}; it returns {list_known(name, known)}",
        )


def _list_references(arguments: dict[str, Any]) -> list[tuple[str, Reference]]:
    return [(field, one) for field, value in arguments.items() for one in find_references(value)]


def _check_reference(step: str, field: str, reference: Reference, config: Form) -> Any:
    """Return the earlier task to which a reference refers; None if it is about something else."""
    negative = next((part for part in reference.parts if isinstance(part, int) and part < 0), None)
    if negative is not None and reference.root in (STEPS, ITEM):
        raise _error(step, field, f"[{negative}]: items are counted from [0], and not from the end")
    if reference.root == STEPS:
        return _check_step_reference(step, field, reference)
    if reference.root == ITEM:
        return _check_item_reference(step, field, reference, getattr(config, "for_each", None))
    _require_known_name(step, field, reference.root)
    return None


def _check_step_reference(step: str, field: str, reference: Reference) -> Any:
    if not reference.parts:
        raise _error(step, field, "steps: write the name of an earlier step after it, such as context.steps.session")
    name, *parts = reference.parts
    earlier = require_step(step, field, str(name))
    _check_parts(step, field, parts, earlier)
    return earlier


def _check_item_reference(step: str, field: str, reference: Reference, for_each: str | None) -> None:
    if for_each is None:
        raise _error(step, field, f"{reference}: there is no item without for_each: in this step")
    _check_parts(step, field, list(reference.parts), require_step(step, "for_each", for_each))


def _check_parts(step: str, field: str, parts: list[str | int], earlier: Any) -> None:
    names = [part for part in parts if isinstance(part, str) and not part.isdigit()]
    if names and names[0] != COUNT:
        check_output_field(step, field, names[0], earlier)


def _require_known_name(step: str, field: str, name: str) -> None:
    from jinja2.defaults import DEFAULT_NAMESPACE

    known = {*KNOWN_CONTEXT_KEYS, *DEFAULT_NAMESPACE, *(current_dag().user_defined_macros or {}), STEPS, ITEM}
    if name in known:
        return
    if name.isupper() or name.lower() in known:  # blueprint applies filters to the name, and not to the value
        raise _error(step, field, f"{name!r} is not known. Filters such as `| upper` do not work after context")
    raise _error(step, field, f"{name!r} is not a value of Airflow{did_you_mean(name, sorted(known))}")


def _error(step: str, field: str, problem: str) -> ConfigurationError:
    from blueprint import ConfigurationError

    return ConfigurationError(f"Step {step!r}, {field!r}: {problem}")
