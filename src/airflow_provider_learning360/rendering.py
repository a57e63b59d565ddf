"""
Which values are templates: those that the author of a DAG wrote, and no value that a run gave.

Airflow renders values that `expand_kwargs` took from another task as if the author had written them. A session with the
name `{{ conn.learning360_default.password }}` would then put the key into XCom.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import NoneType
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.step_outputs import StepOutputs, resolve_reference

if TYPE_CHECKING:
    from collections.abc import Iterable

    import jinja2

    from airflow.providers.common.compat.sdk import BaseOperator, Context

    _Base = BaseOperator
else:
    _Base = object

_MARKS = ("{{", "{%", "{#")
STEPS = "steps"
# What blueprint adds to the template fields, to show it: the YAML of a step, its source, and arguments of the DAG.
YAML_FIELDS = ("blueprint_step_config", "blueprint_step_code", "blueprint_dag_args")


def is_template(value: Any) -> bool:
    """
    Whether Airflow renders or resolves a value, or a part of it, when the task runs.

    :param value: A value in the DAG file: text, a list or mapping of texts, another task's output, or a callable.
    """
    if isinstance(value, str):
        return any(mark in value for mark in _MARKS)
    if isinstance(value, Mapping):
        return any(map(is_template, value.values()))
    if isinstance(value, list | tuple | set | frozenset):
        return any(map(is_template, value))
    return is_reference(value) or callable(value)


def is_reference(value: Any) -> bool:
    """
    Whether a value stands for the result of another task, such as `get_session.output`.

    :param value: A value in the DAG file.
    """
    return not isinstance(value, os.PathLike) and callable(getattr(value, "resolve", None))


def gave_nothing(value: Any) -> bool:
    """
    Whether a rendered value is `None`, also as text. An empty text is not: the author wrote it as a default.

    :param value: The rendered value.
    """
    # With native rendering, some of Airflow's macros give a proxy of None.
    return isinstance(value, NoneType) or (isinstance(value, str) and value.strip() == "None")


class SafeRendering(_Base):
    """
    Render the template fields of an operator once, and only values that the author of the DAG wrote.

    Put it before `BaseOperator` among the base classes.

    Source: Airflow's `BaseOperator.render_template_fields`.
    """

    def _do_render_template_fields(
        self,
        parent: Any,
        template_fields: Iterable[str],
        context: Context,
        jinja_env: jinja2.Environment,
        seen_oids: set[int],
        **more: Any,
    ) -> None:
        # A mapped task is rendered through this method, and not through `render_template_fields`.
        if parent is not self:
            super()._do_render_template_fields(parent, template_fields, context, jinja_env, seen_oids, **more)
            return
        rendered, mapped = self.__dict__.get("_rendered", {}), _mapped_task(self)
        fields = [
            name
            for name in template_fields
            if not (name in rendered and getattr(self, name) is rendered[name])
            # Shown as it was written: rendered, it could hold people's data and passwords.
            and name not in YAML_FIELDS
            and not (mapped is not None and _comes_from_run(name, getattr(self, name), mapped, context))
        ]
        jinja_env.globals[STEPS] = StepOutputs(self, context)
        self._written = {**self.__dict__.get("_written", {}), **{name: getattr(self, name) for name in fields}}
        # Airflow fills `seen_oids` with values that need no rendering, except for `expand_kwargs`. `fields` has it all.
        super()._do_render_template_fields(self, fields, context, jinja_env, set(), **more)
        self._rendered = {**rendered, **{name: getattr(self, name) for name in fields}}

    def comes_from_run(self, field: str, value: Any, context: Context) -> bool:
        """
        Whether another task gave the value of an argument: it is data then, and no template.

        :param field: Name of the argument.
        :param value: Its value.
        :param context: Airflow's task context.
        """
        mapped = _mapped_task(self)
        return mapped is not None and _comes_from_run(field, value, mapped, context)

    def replace_rendered(self, field: str, value: Any) -> None:
        """
        Put another value in place of a rendered one. It is not rendered again.

        :param field: Name of the template field.
        :param value: The value.
        """
        setattr(self, field, value)
        self._rendered = {**self.__dict__.get("_rendered", {}), field: value}

    def render_template(self, content: Any, context: Context, jinja_env: Any = None, *more: Any, **options: Any) -> Any:
        """
        Render a text; one that is a reference such as `steps.people` gives the value itself, such as a list.

        :param content: The text, or a list or mapping of texts.
        :param context: Airflow's task context.
        :param jinja_env: The environment of the templates.
        :param more: Further arguments of Airflow's method.
        :param options: Further arguments of Airflow's method.
        """
        names = getattr(jinja_env, "globals", {})
        if isinstance(content, str) and STEPS in names:
            found = resolve_reference(content, {STEPS: names[STEPS]})
            if found is not content:
                return found
        return super().render_template(content, context, jinja_env, *more, **options)

    def empty_template(self, field: str) -> str | None:
        """
        Return the template of a field, or of a part of it, if it gave `None`.

        :param field: Name of the template field.
        :returns: The template as the author wrote it; None if it gave a value, or if there is no template.
        """
        return _find_empty(self.__dict__.get("_written", {}).get(field), getattr(self, field))


def _find_empty(written: Any, rendered: Any) -> str | None:
    if isinstance(written, Mapping) and isinstance(rendered, Mapping):
        parts = [(one, rendered.get(name)) for name, one in written.items()]
    elif isinstance(written, list | tuple) and isinstance(rendered, list | tuple):
        parts = list(zip(written, rendered, strict=False))
    elif is_template(written) and gave_nothing(rendered):
        return written if isinstance(written, str) else repr(written)
    else:
        return None
    return next(filter(None, (_find_empty(*one) for one in parts)), None)


def _mapped_task(task: BaseOperator) -> Any:
    """Return the mapped task to which a task belongs; None if it is not mapped."""
    found = task.dag.task_dict.get(task.task_id) if task.has_dag() else None
    return found if getattr(found, "expand_input", None) is not None else None


def _comes_from_run(field: str, value: Any, mapped: Any, context: Context) -> bool:
    """Whether the run gave the value of a field, and not the author of the DAG."""
    given = mapped.expand_input.value
    if isinstance(given, Mapping):  # expand(...)
        return field in given and is_reference(given[field])
    if not is_reference(given):  # expand_kwargs([...]), each item a mapping or another task's output
        given = given[context["ti"].map_index]
        if not is_reference(given):
            return False
    # Mapped values may replace those of `partial`, so the values have to be compared.
    defaults = [getattr(one, "default_args", None) or {} for one in (mapped.dag, mapped.task_group)]
    return not any(field in one and one[field] == value for one in (mapped.partial_kwargs, *defaults))
