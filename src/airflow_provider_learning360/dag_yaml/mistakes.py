"""What is told about a YAML file that is no DAG: which step and field, in words of ours, and no mail address."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from yaml import YAMLError

from airflow_provider_learning360.api.errors import redact
from airflow_provider_learning360.yaml_loader import find_key_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from blueprint import DAGConfig

NAME = r"^[\w.-]+$"  # of a DAG and of a task
LONGEST_NAME = 250

_WORD_WITH_AT = re.compile(r"\S*(?:@|%40)\S*")
_PRESET = re.compile(r"['\"]?@[a-z]+\W*")
# How blueprint's messages, and ours, name a step and a field.
_STEP = re.compile(r"\b[Ss]tep '([^']+)'")
_FIELD = re.compile(r"'([\w.]+(?: -> [\w.]+)*)':")
_FIELD_OF_SHAPE = re.compile(r"\bstep '[^']+': (\w+): ")
_JINJA = (
    "For Airflow's values write dots after context, such as {{ context.dag_run.conf.session_id }}; "
    "in comments too, braces are read."
)
_NO_DAG_ARGS = "Put dag_args.py beside the file, with a class of LearningDagArgs: blueprint by itself knows less."
_MUST_BE = {
    "dag_id": "the ID of the DAG, a text",
    "steps": "a mapping of names to steps, one at least",
    "step": "a mapping that names a template, such as {blueprint: learning360_list_sessions}",
    "blueprint": "the name of a template, a text",
    "depends_on": "a list of names of steps, such as [one, another]",
    "[key]": "a text; put the name in quotes",
    "version": "a whole number; leave it out for the newest",
}


def without_addresses(text: str) -> str:
    """
    Return a text of several lines without mail addresses.

    :param text: What is told.
    """
    return _WORD_WITH_AT.sub(lambda word: word[0] if _PRESET.fullmatch(word[0]) else redact(word[0]), text)


def describe_mistake(error: Exception, document: Mapping[str, Any]) -> str:
    """
    Return what is wrong with a file.

    :param error: The exception that the file caused.
    :param document: What the file holds; empty if that is not known.
    """
    return without_addresses(_describe(error, document))


def find_line(reason: str, text: str) -> int | None:
    """
    Return the line of the step and the field that a reason names.

    :param reason: A text of `describe_mistake`.
    :param text: The YAML.
    :returns: The line, from 1; None if the reason names neither, or the text is no YAML.
    """
    step, field = _STEP.search(reason), _FIELD.search(reason) or _FIELD_OF_SHAPE.search(reason)
    keys = re.split(r"\.| -> ", field[1]) if field else []
    try:
        return find_key_line(
            text, ["steps", step[1], *keys] if step else keys or re.split(r"\W", reason, maxsplit=1)[:1]
        )
    except (ValueError, RecursionError, YAMLError):
        return None


def check_names(config: DAGConfig) -> None:
    """
    Refuse names that Airflow would refuse without saying which step has it.

    :param config: What a file holds.
    :raises ValueError: A name is none.
    """
    for place, name in [("dag_id", config.dag_id), *(("step", step) for step in config.steps)]:
        if re.fullmatch(NAME, name) is None or len(name) > LONGEST_NAME:
            raise ValueError(
                f"{place} {redact(repr(name))}: a name has up to {LONGEST_NAME} letters, digits, dots, dashes and "
                "underscores, and no blanks"
            )


def _describe(error: Exception, document: Mapping[str, Any]) -> str:
    from blueprint import BlueprintError
    from jinja2 import TemplateError
    from pydantic import ValidationError

    match error:
        case ValidationError():
            return "; ".join(_of_the_shape(error))
        case UnicodeDecodeError():
            return "it, or its blueprint.vars.yaml, is no text in UTF-8; save it as that"
        case BlueprintError():
            steps = _steps_with(document, getattr(error, "blueprint_name", None))
            hint = _JINJA if isinstance(error.__cause__, TemplateError) else _of_dag_args(str(error))
            return f"{steps}{error}" + (f"\n  {hint}" if hint else "")
        case ValueError():
            return str(error)
        case _:
            return f"{type(error).__name__}: {error}"


def _of_the_shape(error: Any) -> Iterator[str]:
    """Return what is wrong with a file that is no mapping of steps; pydantic would show what is in it."""
    for detail in error.errors(include_input=False, include_url=False, include_context=False):
        # The model that has no place is the file: it has no steps.
        steps, *inner = [str(one) for one in detail["loc"]] or ["steps"]
        field = steps if not inner else inner[1] if len(inner) > 1 else "step"
        place = ": ".join([f"step {inner[0]!r}", *inner[1:2]]).removesuffix(": [key]") if inner else steps
        what = "it is missing; " if detail["type"] == "missing" else ""
        yield f"{place}: {what}it must be {_must_be(field)}"


def _must_be(field: str) -> str:
    if field != "trigger_rule":
        return _MUST_BE.get(field, "a text")
    from airflow.providers.common.compat.sdk import TriggerRule

    return f"one of {', '.join(sorted(rule.value for rule in TriggerRule))}"


def _steps_with(document: Mapping[str, Any], template: str | None) -> str:
    """Return the names of the steps that use a template; blueprint does not say which when it has no such template."""
    steps = document.get("steps", {}).items() if template else ()
    names = [repr(name) for name, step in steps if step.get("blueprint") == template]
    return f"step {', '.join(names)}: " if names else ""


def _of_dag_args(text: str) -> str:
    rejected = re.findall(r"- '(\w+)': Extra inputs are not permitted", text)
    if not rejected:
        return ""
    from airflow_provider_learning360.dag_yaml.arguments import LearningDagArgsConfig

    return _NO_DAG_ARGS if set(rejected) & set(LearningDagArgsConfig.model_fields) else ""
