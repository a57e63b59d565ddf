"""
What the reference pages take from the code: settings, configuration, policies, steps, commands, errors, operations.

`conf.py` puts each text in the place of a comment such as `<!-- generated: settings -->`.
"""

from __future__ import annotations

import argparse
import inspect
import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any, get_args

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from airflow_provider_learning360.api.catalogue.operation import Operation

MARK = re.compile(r"^<!-- generated: (\w+) -->$", re.MULTILINE)
EVERY_STEP = ("blueprint", "version", "depends_on", "trigger_rule")
LONG_LIST = 8  # values of a field that a table still shows
NO_DEFAULTS: tuple[Any, ...] = (None, [], ())


def fill(text: str) -> str:
    """
    Return a page with the generated texts in their places.

    :param text: The page in Markdown.
    """
    return MARK.sub(lambda mark: TEXTS[mark[1]](), text)


def settings() -> str:
    """Return the settings of a connection, from their model."""
    from airflow_provider_learning360.api.settings import FORM_FIELDS, LearningSettings, extra_settings

    rows = []
    for name in [*FORM_FIELDS, *extra_settings()]:
        field = LearningSettings.model_fields[name]
        form = FORM_FIELDS.get(name)
        default = "required" if field.is_required() else code_of(field.default)
        rows.append((field.title or "", f"`{form}`" if form else f"extra `{name}`", default, field.description or ""))
    return table(("setting", "where", "default", "meaning"), rows)


def configuration() -> str:
    """Return the options in Airflow's configuration, from the provider info."""
    from airflow_provider_learning360.provider_info import get_provider_info

    sections = get_provider_info()["config"]
    rows = [
        (f"`[{section}] {name}`", code_of(json.loads(option["default"].lower())), option["description"])
        for section, content in sections.items()
        for name, option in content["options"].items()
    ]
    return table(("option", "default", "meaning"), rows)


def policy() -> str:
    """Return the fields of a reminder policy, from its JSON Schema."""
    from airflow_provider_learning360.reminders.policy import ReminderPolicy

    schema = ReminderPolicy.json_schema()
    parts = {"Policy": schema, "Rule": schema["$defs"]["ReminderRule"], "Quiet hours": schema["$defs"]["QuietHours"]}
    parts["Duration"] = schema["$defs"]["Duration"]
    return "\n\n".join(f"## {title}\n\n{fields_of(part)}" for title, part in parts.items())


def dag_file() -> str:
    """Return what a DAG file in YAML may say beside its steps, from the shipped JSON Schema."""
    schema = shipped_schema()
    fields = {name: one for name, one in schema["properties"].items() if name != "steps"}
    watch = fields["watch"]
    return f"{fields_of({**schema, 'properties': fields})}\n\n### watch\n\n{fields_of(watch)}"


def steps() -> str:
    """Return the steps of DAG files in YAML, each with its fields, from the shipped JSON Schema."""
    forms = shipped_schema()["definitions"]
    # What every step may say comes first.
    titles = {"step": "Every step", **{name: name for name in sorted(forms) if name != "step"}}
    return "\n\n".join(f"### {title}\n\n{step_fields(forms[name])}" for name, title in titles.items())


def commands() -> str:
    """Return every command with its arguments, from its argparse parser."""
    from airflow_provider_learning360.cli.definition import get_learning360_cli_commands

    (group,) = get_learning360_cli_commands()
    return "\n\n".join(command_text(command) for command in group.subcommands)


def errors() -> str:
    """Return the error tree, from the classes."""
    from airflow_provider_learning360.api import errors as module

    kinds = [
        one
        for _, one in inspect.getmembers(module, inspect.isclass)
        if issubclass(one, module.LearningError) and one is not module.LearningError
    ]
    kinds.sort(key=lambda one: inspect.getsourcelines(one)[1])
    rows = []
    for kind in kinds:
        (parent,) = [base for base in kind.__bases__ if issubclass(base, module.LearningError)]
        below = "" if parent is module.LearningError else "↳ "
        meaning = (inspect.getdoc(kind) or "").splitlines()[0]
        rows.append((f"{below}`{kind.__name__}`", meaning, "yes" if kind.retryable else "no"))
    return table(("error", "what happened, what to do", "repeated"), rows)


def session_fields() -> str:
    """Return every field of a session document, from its documentation."""
    from airflow_provider_learning360.api.documentation import DOCUMENTATION

    rows = [(f"`{name}`", doc.type, doc.meaning) for name, doc in DOCUMENTATION.items() if name.isidentifier()]
    return table(("field", "type", "meaning"), rows)


def operations() -> str:
    """Return every operation of the catalogue, by topic, those of API v2 first."""
    from airflow_provider_learning360.api.catalogue.catalogue import load_operations

    known = load_operations().values()
    topics = dict.fromkeys(one.data["topic"] for one in known)
    return "\n\n".join(
        f"## {topic}\n\n{operation_table([one for one in known if one.data['topic'] == topic])}" for topic in topics
    )


def operation_table(operations: list[Operation]) -> str:
    """
    Return a table of operations.

    :param operations: The operations.
    """
    return table(("operation", "what it does", "request", "care", "scope"), map(operation_row, operations))


def operation_row(operation: Operation) -> tuple[str, ...]:
    """
    Return an operation as a row of a table.

    :param operation: The operation.
    """
    data = operation.data
    name = f"`{operation.name}`"
    linked = f"[{name}]({data['reference']})" if "reference" in data else name
    purpose = " ".join(filter(None, (data["text"], data.get("warning"))))
    scope = f"`{data['scope']}`" if "scope" in data else ""
    return linked, purpose, f"`{operation.method} {operation.path}`", operation_care(operation), scope


def operation_care(operation: Operation) -> str:
    """
    Return what a caller must know before an operation is sent.

    :param operation: The operation.
    """
    data = operation.data
    words = [{"read": "reads", "repeatable": "writes", "once": "writes once"}[operation.repeat]]
    if "replaces" in data:
        words.append(f"replaces {data['replaces']}")
    if operation.is_asynchronous:
        words.append("asynchronous")
    if data.get("people"):
        words.append("people")
    return ", ".join(words)


@cache
def literal_types() -> dict[str, str]:
    """Return the values that arguments take, by the name of their type."""
    from airflow_provider_learning360.api.contract import ContractPolicy
    from airflow_provider_learning360.api.waiting import OnMissing
    from airflow_provider_learning360.api.watch_state import PollKind, WatchOnMissing
    from airflow_provider_learning360.operators.changes import Kind

    types = {
        "ContractPolicy": ContractPolicy,
        "Kind": Kind,
        "WatchOnMissing": WatchOnMissing,
        "OnMissing": OnMissing,
        "PollKind": PollKind,
    }
    return {name: " | ".join(map(repr, get_args(one))) for name, one in types.items()}


def command_text(command: Any) -> str:
    """
    Return one command in Markdown: usage, purpose, arguments.

    :param command: An `ActionCommand` of Airflow.
    """
    parser = argparse.ArgumentParser(prog=f"airflow learning360 {command.name}", add_help=False)
    for argument in command.args:
        argument.add_to_parser(parser)
    rows = [(invocation(action), action.help or "") for action in actions_of(parser)]
    usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
    arguments = f"\n\n{table(('argument', 'meaning'), rows)}" if rows else ""
    return f"## {command.name}\n\n{command.help}.\n\n```text\n{usage}\n```{arguments}"


def actions_of(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """
    Return the arguments of a parser.

    :param parser: The parser.
    """
    return parser._actions


def invocation(action: argparse.Action) -> str:
    """
    Return how an argument is written on the command line.

    :param action: The argument.
    """
    value = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    if action.choices is not None:
        value = " or ".join(map(str, action.choices))
    if not action.option_strings:
        return f"`{action.metavar or action.dest}`"
    names = ", ".join(f"`{name}`" for name in action.option_strings)
    return names if action.nargs == 0 else f"{names} {value}"


def fields_of(schema: Mapping[str, Any]) -> str:
    """
    Return a table of the fields of an object.

    :param schema: Its JSON Schema.
    """
    required = schema.get("required", ())
    rows = [
        (f"`{name}`", kind_of(field), "required" if name in required else code_of(field.get("default")), meaning(field))
        for name, field in schema["properties"].items()
    ]
    return table(("field", "value", "default", "meaning"), rows)


def step_fields(schema: Mapping[str, Any]) -> str:
    """
    Return what a step does, and its fields.

    :param schema: Its JSON Schema.
    """
    # Every step has these; they are in a table of their own.
    own = {name: one for name, one in schema["properties"].items() if name not in EVERY_STEP or "allOf" in schema}
    purpose = schema.get("description", "")
    return f"{purpose}\n\n{fields_of({**schema, 'properties': own})}".strip()


def meaning(field: Mapping[str, Any]) -> str:
    """
    Return what a field means.

    :param field: Its JSON Schema.
    """
    return str(field.get("description") or field.get("title") or "")


def kind_of(field: Mapping[str, Any]) -> str:
    """
    Return which values a field takes, in words.

    :param field: Its JSON Schema.
    """
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return values_of(field["enum"])
    if "$ref" in field:
        return field["$ref"].rpartition("/")[2].removeprefix("Reminder").lower().replace("quiethours", "quiet hours")
    if "anyOf" in field:
        kinds = [kind_of(one) for one in field["anyOf"] if one.get("type") != "null"]
        if len(kinds) == 2 and kinds[1] == f"list of {kinds[0]}":
            return f"one, or a list, of {kinds[0]}"
        return " or ".join(filter(None, kinds))
    kinds = [field["type"]] if isinstance(field.get("type"), str) else list(field.get("type", ()))
    named = [NAMES.get(one, one) for one in kinds if one != "null"]
    if named == ["list"]:
        items = kind_of(field.get("items", {}))
        return f"list of {items}" if items else "list"
    return " or ".join(named)


def values_of(values: list[Any]) -> str:
    """
    Return the values that a field takes, or what they are if there are many.

    :param values: The values.
    """
    shown = [f"`{one}`" for one in values if one is not None]
    if "modifiedAt" in values:
        return "names of fields"
    return ", ".join(shown) if len(shown) <= LONG_LIST else f"{shown[0]}, {shown[1]}, …"


NAMES = {"string": "text", "integer": "whole number", "object": "mapping", "array": "list", "boolean": "true or false"}


def shipped_schema() -> dict[str, Any]:
    """Return the JSON Schema of DAG files that the package ships."""
    from airflow_provider_learning360.dag_yaml.schema import shipped_schema as text

    schema: dict[str, Any] = json.loads(text())
    return schema


def code_of(value: Any) -> str:
    """
    Return a default as it is written in JSON; nothing for none.

    :param value: The default.
    """
    if isinstance(value, dict):  # a duration: nothing is said of parts that are zero
        value = {name: one for name, one in value.items() if one} or value
    return "" if value in NO_DEFAULTS else f"`{json.dumps(value)}`"


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """
    Return a table in Markdown.

    :param head: Names of the columns.
    :param rows: The cells, row by row.
    """
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


TEXTS: dict[str, Callable[[], str]] = {
    "settings": settings,
    "configuration": configuration,
    "policy": policy,
    "dag_file": dag_file,
    "steps": steps,
    "commands": commands,
    "errors": errors,
    "session_fields": session_fields,
    "operations": operations,
}
