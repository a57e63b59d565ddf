"""The step that sends a message through a notifier of Airflow, such as that for Slack or Teams."""

from __future__ import annotations

from importlib import import_module
from inspect import signature
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_learning360.api.errors import FixArgumentError, redact
from airflow_provider_learning360.api.input_errors import list_known
from airflow_provider_learning360.dag_yaml.action import ActionOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseNotifier, Context


class MessageOperator(ActionOperator):
    """
    Send a message through a notifier.

    :param notifier: Path of the class of the notifier.
    :param arguments: Its arguments; default none.

    Source: Airflow's `BaseNotifier`.
    """

    texts: ClassVar[tuple[str, ...]] = ("arguments",)

    def __init__(self, *, notifier: str, arguments: dict[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.notifier = notifier
        self.arguments = arguments or {}

    def act(self, context: Context, texts: dict[str, Any]) -> None:
        """
        Send the message.

        :param context: Airflow's task context.
        :param texts: The rendered arguments.
        """
        # Not by calling the notifier: it would render the arguments again, and they hold data of 360Learning.
        build_notifier(self.notifier, texts["arguments"]).notify(context)
        self.log.info("The message was handed to %s.", self.notifier)


def build_notifier(path: str, arguments: dict[str, Any]) -> BaseNotifier:
    """
    Build a notifier.

    :param path: Path of its class.
    :param arguments: Its arguments.
    :raises FixArgumentError: There is no such class, or it does not take these arguments.
    """
    kind = find_notifier(path)
    try:
        notifier: BaseNotifier = kind(**arguments)
        return notifier
    except TypeError as error:
        problem = redact(str(error))
    # Python names what is missing first, also if it is missing because its name is wrong.
    known = [name for name in signature(kind).parameters if name != "kwargs"]
    for name in arguments:
        if name not in known:
            raise FixArgumentError(
                f"arguments.{redact(name)}: {kind.__name__} has no such argument; known are {list_known(name, known)}"
            )
    raise FixArgumentError(f"arguments: {kind.__name__} refused them ({problem}). Its arguments are {', '.join(known)}")


def find_notifier(path: str) -> Any:
    """
    Return the class of a notifier.

    :param path: Its path, such as `airflow.providers.slack.notifications.slack.SlackNotifier`.
    :raises FixArgumentError: There is no such class.
    """
    from airflow.providers.common.compat.sdk import BaseNotifier

    module, _, name = path.rpartition(".")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError):
        raise FixArgumentError(
            f"notifier: there is no {redact(repr(path))}. Install the provider that has it, and check the path."
        ) from None
    if not (isinstance(found, type) and issubclass(found, BaseNotifier)):
        raise FixArgumentError(f"notifier: {redact(repr(path))} is not a notifier of Airflow.")
    return found
