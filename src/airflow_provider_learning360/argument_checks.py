"""What the arguments of operators and sensors may be, checked when the DAG is parsed."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from functools import cache
from typing import Any, get_args

from airflow_provider_learning360.api.errors import FixArgumentError, InvalidIdError, redact
from airflow_provider_learning360.api.input_errors import describe_choice, find_closest, format_value
from airflow_provider_learning360.api.session_ids import find_session_id
from airflow_provider_learning360.rendering import is_reference, is_template

Check = Callable[[Any, str], object]

MAX_SECONDS = 36500 * 86400.0  # 100 years: a later moment may be none that Python can write
DURATION_PARTS = ("days", "hours", "minutes", "seconds")


def check_argument(name: str, value: Any) -> None:
    """
    Refuse the value of an argument if it cannot work in any run.

    Templates and results of other tasks are left to the run, and so is `None`, which means the default.

    :param name: Name of the argument.
    :param value: Its value, as the author wrote it.
    :raises FixArgumentError: The value is not valid.
    :raises InvalidIdError: The value is not the ID of a program session.
    """
    require_no_operator(name, value)
    check = _checks().get(name)
    if check is not None and value is not None and not is_template(value):
        check(value, name)


def require_known_names(kind: type, names: Mapping[str, Any]) -> None:
    """
    Refuse an argument that an operator does not have, if it is known which one is meant.

    All other unknown names are left to Airflow, which refuses them too.

    :param kind: Class of the operator or sensor.
    :param names: The arguments that were given.
    :raises TypeError: The operator has no such argument; names the right one.
    """
    known = _argument_names(kind)
    for name in names:
        if name in known:
            continue
        # Closer than elsewhere: it may be an argument of Airflow's that is not known here.
        if meant := find_closest(name, known, cutoff=0.8):
            raise TypeError(f"{kind.__name__} has no argument {name!r}; use {meant!r}.")


def require_no_params(given: Mapping[str, Any], known: Iterable[str]) -> None:
    """
    Refuse `params`, which are Airflow's own, where the parameters of an operation are meant.

    :param given: The arguments that are known.
    :param known: How the parameters of the operation are written.
    :raises FixArgumentError: A parameter of the operation is in `params`, and there are no `parameters`.
    """
    params = given.get("params")
    if given.get("parameters") or not isinstance(params, Mapping):
        return
    if name := next((one for one in known if one in params), None):
        raise FixArgumentError(
            f"params: {name} is a parameter of the operation, but `params` are Airflow's own, so it would not be sent. "
            "Write `parameters` instead of `params`."
        )


def require_no_operator(name: str, value: Any) -> None:
    """
    Refuse an operator in place of its output.

    :param name: Name of the argument.
    :param value: Its value, or a list or mapping of values.
    :raises FixArgumentError: The value is an operator.
    """
    for one in _items(value):
        if hasattr(one, "task_id") and hasattr(one, "output"):
            raise FixArgumentError(
                f"{name}: got task {one.task_id!r} itself in place of its result. Use .output: "
                f"{name}={one.task_id}.output"
            )


def require_choice(name: str, value: Any, choices: Any) -> None:
    """
    Refuse a value that is not one of the choices.

    :param name: Name of the argument.
    :param value: Its value.
    :param choices: A `Literal`.
    :raises FixArgumentError: The value is not one of them.
    """
    if not isinstance(value, str) or value not in get_args(choices):
        problem = describe_choice(value, get_args(choices))
        raise FixArgumentError(f"{name}: {problem}" + ("" if problem.endswith("?") else "."))


def require_literal(name: str, value: Any) -> None:
    """
    Refuse a template, or the result of a task, where only the DAG file itself can give the value.

    :param name: Name of the argument.
    :param value: Its value.
    :raises FixArgumentError: The value is not known before a run.
    """
    require_no_operator(name, value)
    if any(is_reference(one) for one in _items(value)) or is_template(value):
        raise FixArgumentError(
            f"{name}: a template or the output of a task has no value here, because a watched asset has no DAG run. "
            "Write the value itself."
        )


def require_flag(name: str, value: Any) -> None:
    """
    Refuse a value that is neither true nor false: Python takes the text `false` for true.

    :param name: Name of the argument, which takes no template.
    :param value: Its value, or the result of another task.
    :raises FixArgumentError: It is neither.
    """
    if not (isinstance(value, bool) or is_reference(value)):
        raise FixArgumentError(
            f"{name}: {format_value(value)} is neither true nor false. Write True or False, without quotes."
        )


def require_wait(name: str, value: Any) -> None:
    """
    Refuse a duration that nobody can wait for.

    :param name: Name of the argument.
    :param value: Its value, or the result of another task.
    :raises FixArgumentError: It is not a duration, negative, or too long.
    """
    if is_reference(value):
        return
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not 0 <= (value if is_number else seconds_of(value, name)) <= MAX_SECONDS:  # NaN neither
        raise FixArgumentError(f"{name}: {format_value(value)} is not a time from 0 seconds to 100 years.")


def seconds_of(value: Any, argument: str) -> float:
    """
    Return a duration in seconds.

    :param value: A number of seconds, a `timedelta`, or a mapping such as `{"minutes": 5}`.
    :param argument: Name of the argument, for the message.
    :raises FixArgumentError: It is not a duration.
    """
    if isinstance(value, bool):
        raise _not_a_duration(value, argument)
    if isinstance(value, int | float):
        return float(value)
    return _timedelta(value, argument).total_seconds()


def duration_parts(value: Any, argument: str) -> dict[str, Any]:
    """
    Return a duration as `days`, `hours` and `minutes`, where days count on the wall clock of a time zone.

    :param value: A mapping of these parts, which is returned as it is; a `timedelta`, whose days count on the wall
        clock too; or a number of seconds, which elapse.
    :param argument: Name of the argument, for the message.
    :raises FixArgumentError: It is not a duration of whole minutes.
    """
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        days, rest = 0, _timedelta({"seconds": value}, argument)
    else:
        whole = _timedelta(value, argument)
        days, rest = whole.days, timedelta(seconds=whole.seconds, microseconds=whole.microseconds)
    minutes, left = divmod(rest, timedelta(minutes=1))
    if left or days < 0 or minutes < 0:
        kind = "a timedelta" if isinstance(value, timedelta) else "a number of seconds"
        raise FixArgumentError(f"{argument}: {kind} must be 0 or more, in whole minutes; got {value!r}.")
    return {name: count for name, count in (("days", days), ("minutes", minutes)) if count}


def _timedelta(value: Any, argument: str) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, Mapping) or not value or set(value) - set(DURATION_PARTS):
        raise _not_a_duration(value, argument)
    try:
        return timedelta(**value)
    except (TypeError, ValueError, OverflowError):
        raise _not_a_duration(value, argument) from None


def _not_a_duration(value: Any, argument: str) -> FixArgumentError:
    return FixArgumentError(
        f"{argument}: {format_value(value)} is not a duration; write {{days: 1}}, with any of "
        f"{', '.join(DURATION_PARTS)}; or a timedelta, or a number of seconds."
    )


def _items(value: Any) -> list[Any]:
    """Return a value itself, or the values in a list or mapping."""
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, list | tuple | set | frozenset) else [value]


@cache
def _argument_names(kind: type) -> frozenset[str]:
    inits = [vars(one)["__init__"] for one in kind.__mro__ if "__init__" in vars(one)]
    parameters = [one for init in inits for one in inspect.signature(init).parameters.values()]
    return frozenset(one.name for one in parameters if one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL))


@cache
def _checks() -> dict[str, Check]:
    """Return the checks by name of the argument, which means the same in all operators and sensors."""
    from airflow_provider_learning360.api.changes import parse_datetime
    from airflow_provider_learning360.api.contract import ContractPolicy
    from airflow_provider_learning360.api.enrolment import read_group_ids
    from airflow_provider_learning360.api.fields import require_field_names
    from airflow_provider_learning360.api.people import read_people
    from airflow_provider_learning360.api.progress import Who

    times = ("starts_after", "starts_before", "ends_after", "ends_before", "modified_since")
    return {
        "session_id": _check_session_id,
        "sessions": _check_sessions,
        "people": read_people,
        "groups": read_group_ids,
        "learning_conn_id": _check_conn_id,
        "contract": lambda value, name: require_choice(name, value, ContractPolicy),
        "who": lambda value, name: require_choice(name, value, Who),
        "max_failures": lambda value, name: _check_count(value, name, 0),
        "max_xcom_bytes": lambda value, name: _check_count(value, name, 1),
        **dict.fromkeys(("fields", "exclude", "watch"), require_field_names),
        # Without the warning about a missing zone: the execution logs it.
        **dict.fromkeys(times, lambda value, name: value == "" or parse_datetime(value, name, warn=False)),
    }


def _check_sessions(value: Any, name: str) -> None:
    if not isinstance(value, list | tuple | set | frozenset):
        raise FixArgumentError(f"{name}: {redact(repr(value))} is not a list of IDs or documents of program sessions.")
    for one in value:
        if not is_template(one):
            _check_session_id(one, name)


def _check_session_id(value: Any, name: str) -> None:
    try:
        find_session_id(value)
    except InvalidIdError as error:
        raise InvalidIdError(f"{name}: {error}") from None


def _check_conn_id(value: Any, _: str) -> None:
    from airflow_provider_learning360.hooks.lookup import check_conn_id

    check_conn_id(value)


def _check_count(value: Any, name: str, smallest: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < smallest:
        raise FixArgumentError(f"{name}: {value!r} is not a whole number, {smallest} or more.")
