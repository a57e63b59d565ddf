"""What the operators and sensors of this provider share: the hook, and checks when the DAG is parsed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_learning360.argument_checks import check_argument, require_known_names
from airflow_provider_learning360.rendering import SafeRendering

try:
    from airflow.sdk.definitions.mappedoperator import OperatorPartial
except ImportError:  # Airflow below 3.0
    from airflow.models.mappedoperator import OperatorPartial  # type: ignore[no-redef]

if TYPE_CHECKING:
    from airflow_provider_learning360.hooks.learning import LearningHook


class CheckedOperator(SafeRendering):
    """
    Find mistakes when the DAG is parsed: in the constructor, and in `.partial(...)` and `.expand(...)`.

    Put it before `BaseOperator` among the base classes, and call `check_own_arguments` at the end of the constructor.

    Source: Airflow's `BaseOperator.partial`.
    """

    # Whether mapped arguments can be checked only together with those of `.partial(...)`.
    checks_together: ClassVar[bool] = False

    def __init__(self, **kwargs: Any) -> None:
        require_known_names(type(self), kwargs)
        super().__init__(**kwargs)

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        """
        Check the arguments, and return what Airflow makes of them.

        :param kwargs: The arguments of the operator that are the same for all mapped tasks.
        """
        require_known_names(cls, kwargs)
        cls.check_arguments(kwargs)
        partial = super().partial(**kwargs)
        partial.__class__ = CheckedPartial  # Airflow makes the object; the subclass only checks what is mapped
        return partial

    @classmethod
    def check_arguments(cls, given: Mapping[str, Any]) -> None:
        """
        Refuse arguments that cannot work in any run. A subclass adds what holds for several arguments together.

        :param given: The arguments that are known: all of them, or those of `.partial(...)` or of one mapped task.
        :raises FixArgumentError: An argument is not valid.
        """
        for name, value in given.items():
            check_argument(name, value)

    def check_own_arguments(self, **more: Any) -> None:
        """
        Refuse the arguments of the constructor that cannot work, unless a run has given them.

        :param more: Arguments that are stored under another name.
        """
        # Airflow makes a mapped task in its run. An error there would be retried; the execution raises it without.
        if not getattr(self, "_BaseOperator__from_mapped", False):
            own = {name: value for name, value in vars(self).items() if not name.startswith("_")}
            self.check_arguments({**own, "params": self._own_params(), **more})

    def _own_params(self) -> dict[str, Any]:
        """Return the `params` of the task; Airflow adds those of the DAG."""
        dag = self.get_dag()
        of_dag = {} if dag is None else dag.params
        return {name: value for name, value in self.params.items() if name not in of_dag}


class LearningOperator(CheckedOperator):
    """An operator or sensor that talks to 360Learning through the connection `learning_conn_id`."""

    learning_conn_id: str

    @cached_property
    def hook(self) -> LearningHook:
        """The hook for the connection."""
        from airflow_provider_learning360.hooks.learning import LearningHook

        return LearningHook(self.learning_conn_id)


class CheckedPartial(OperatorPartial):
    """What `.partial(...)` returns; it checks the values that are mapped over, where the DAG file holds them."""

    __slots__ = ()

    def expand(self, **mapped_kwargs: Any) -> Any:
        """
        Check the values, and return the mapped task.

        :param mapped_kwargs: A list of values for each argument, or the result of a task.
        """
        for name, values in mapped_kwargs.items():
            for value in values if isinstance(values, list | tuple) else ():
                self._check({name: value})
        return super().expand(**mapped_kwargs)

    def expand_kwargs(self, kwargs: Any, *, strict: bool = True) -> Any:
        """
        Check the arguments of each mapped task, and return the mapped task.

        :param kwargs: A list of mappings, one for each mapped task, or the result of a task.
        :param strict: Whether an argument may not be given twice; default True.
        """
        for given in kwargs if isinstance(kwargs, list | tuple) else ():
            if isinstance(given, Mapping):
                self._check(given)
        return super().expand_kwargs(kwargs, strict=strict)

    def _check(self, given: Mapping[str, Any]) -> None:
        kind: Any = self.operator_class
        try:
            require_known_names(kind, given)
            kind.check_arguments({**self.kwargs, **given} if kind.checks_together else given)
        except Exception:
            self._expand_called = True  # otherwise Airflow adds a warning that the task was never mapped
            raise
