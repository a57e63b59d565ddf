"""Describe what is wrong with a YAML file: the step, the field, and what is allowed, without mail addresses."""

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
MAX_NAME_LENGTH = 250

_WORD_WITH_AT = re.compile(r"\S*(?:@|%40)\S*")
_PRESET = re.compile(r"['\"]?@[a-z]+\W*")
# How blueprint's messages, and ours, name a step and a field.
_STEP = re.compile(r"\b[Ss]tep '([^']+)'")
_FIELD = re.compile(r"(?:- |, )'([\w.$-][\w.$\[\]-]*(?: -> [\w.$-][\w.$\[\]-]*)*)':")
_FIELD_OF_SHAPE = re.compile(r"\bstep '[^']+': (\w+): ")
_JINJA_HINT = (
    "Write Airflow's values with a dot after each name, such as {{ context.dag_run.conf.session_id }}. "
    "Blueprint also renders templates in comments."
)
_DAG_ARGS_HINT = (
    "Blueprint alone has fewer fields. Put dag_args.py, with a class based on LearningDagArgs, beside the file."
)
_EXPECTED = {
    "dag_id": "the ID of the DAG, a text",
    "steps": "a mapping of names to steps, with at least one step",
    "step": "a mapping that names a template, such as {blueprint: learning360_list_sessions}",
    "blueprint": "the name of a template, a text",
    "depends_on": "a list of names of steps, such as [one, another]",
    "[key]": "a text; put the name in quotes",
    "version": "a whole number; leave it out for the newest",
}


def without_addresses(text: str) -> str:
    """
    Return a text without the mail addresses in it.

    :param text: A text, also of several lines.
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
    :returns: The line, from 1; None if the reason names neither, or the text is not YAML.
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
    Refuse names that Airflow would refuse without naming the step.

    :param config: The content of a file.
    :raises ValueError: The ID of the DAG, or the name of a step, is not valid.
    """
    for place, name in [("dag_id", config.dag_id), *(("step", step) for step in config.steps)]:
        if re.fullmatch(NAME, name) is None or len(name) > MAX_NAME_LENGTH:
            raise ValueError(
                f"{place} {redact(repr(name))} is not a name: write up to {MAX_NAME_LENGTH} letters, digits, dots, "
                "dashes and underscores, without blanks"
            )


def _describe(error: Exception, document: Mapping[str, Any]) -> str:
    from blueprint import BlueprintError
    from jinja2 import TemplateError
    from pydantic import ValidationError

    match error:
        case ValidationError():
            return "; ".join(_describe_shape(error))
        case UnicodeDecodeError():
            return "the file, or its blueprint.vars.yaml, is not in UTF-8; save it in UTF-8"
        case BlueprintError():
            steps = _name_steps(document, getattr(error, "blueprint_name", None))
            hint = _JINJA_HINT if isinstance(error.__cause__, TemplateError) else _hint_at_dag_args(str(error))
            return f"{steps}{error}" + (f"\n  {hint}" if hint else "")
        case ValueError():
            return str(error)
        case _:
            return f"{type(error).__name__}: {error}"


def _describe_shape(error: Any) -> Iterator[str]:
    """Say what is wrong with a file that is not a mapping of steps, without its content, which pydantic would show."""
    for detail in error.errors(include_input=False, include_url=False, include_context=False):
        # An error without a place is about the whole file: it has no steps.
        steps, *inner = [str(one) for one in detail["loc"]] or ["steps"]
        field = steps if not inner else inner[1] if len(inner) > 1 else "step"
        place = ": ".join([f"step {inner[0]!r}", *inner[1:2]]).removesuffix(": [key]") if inner else steps
        what = "it is missing; " if detail["type"] == "missing" else ""
        yield f"{place}: {what}it must be {_name_expected(field)}"


def _name_expected(field: str) -> str:
    if field != "trigger_rule":
        return _EXPECTED.get(field, "a text")
    from airflow.providers.common.compat.sdk import TriggerRule

    return f"one of {', '.join(sorted(rule.value for rule in TriggerRule))}"


def _name_steps(document: Mapping[str, Any], template: str | None) -> str:
    """Name the steps that use a template: blueprint names the template only, if it does not exist."""
    steps = document.get("steps", {}).items() if template else ()
    names = [repr(name) for name, step in steps if step.get("blueprint") == template]
    return f"step {', '.join(names)}: " if names else ""


def _hint_at_dag_args(text: str) -> str:
    rejected = re.findall(r"- '(\w+)': Extra inputs are not permitted", text)
    if not rejected:
        return ""
    from airflow_provider_learning360.dag_yaml.arguments import LearningDagArgsConfig

    return _DAG_ARGS_HINT if set(rejected) & set(LearningDagArgsConfig.model_fields) else ""
