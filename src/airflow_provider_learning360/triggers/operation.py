"""A trigger that waits until the answer of any operation of 360Learning meets conditions."""

from __future__ import annotations

__all__ = ["LearningOperationTrigger"]

import asyncio
import json
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_learning360.triggers.poll_target import AnswerTarget
from airflow_provider_learning360.triggers.polling import PollingTrigger

if TYPE_CHECKING:
    from airflow_provider_learning360.api.catalogue.answers import Answer
    from airflow_provider_learning360.api.catalogue.operation_wait import (
        OperationWait,
        PolledAnswer,
        StoredFingerprints,
    )
    from airflow_provider_learning360.api.catalogue.until import ConditionData
    from airflow_provider_learning360.hooks.learning_async import LearningAsyncHook


class LearningOperationTrigger(PollingTrigger):
    """
    Wake the sensor when the answer of an operation meets its conditions.

    Its arguments hold what the author of the DAG wrote; its event holds fingerprints at most.

    :param operation: Name of the operation.
    :param parameters: Its parameters, by key, as plain JSON; None for none.
    :param until: The conditions, as plain JSON.
    :param pages: How many pages of a list a poll reads: a number, or `all` (default).
    :param fingerprints: What the first poll found; None (default) if there was none yet.
    :param polling_arguments: The other arguments of `PollingTrigger`.

    Source: Airflow's `BaseTrigger`.
    """

    own_arguments: ClassVar[tuple[str, ...]] = ("operation", "parameters", "until", "pages", "fingerprints")
    builds_quickly: ClassVar[bool] = False

    def __init__(
        self,
        operation: str,
        parameters: dict[str, Any] | None,
        until: list[ConditionData],
        pages: int | str = "all",
        fingerprints: StoredFingerprints | None = None,
        **polling_arguments: Any,
    ) -> None:
        super().__init__(**polling_arguments)
        self.operation = operation
        self.parameters = parameters
        self.until = until
        self.pages = pages
        self.fingerprints = fingerprints

    @property
    def subject(self) -> str:
        """The answer, by the name of the operation."""
        return f"the answer of {self.operation}"

    def build_wait(self) -> OperationWait:
        """Return the wait at its beginning."""
        from airflow_provider_learning360.api.catalogue.operation_wait import OperationWait

        return OperationWait.build(
            self.operation,
            self.parameters,
            self.until,
            self.pages,
            fingerprints=self.fingerprints,
            on_missing=self.on_missing,
            max_failures=self.max_failures,
            failures=self.failures,
        )

    def build_target(self, wait: Any) -> AnswerTarget:
        """
        Return the answer. Identical calls share it, also if their conditions differ.

        :param wait: The wait.
        """

        async def read(hook: LearningAsyncHook) -> Answer:
            answer: Answer = await hook.run_plan(wait.plan_answer(await hook.get_platform()))
            return answer

        key = json.dumps([self.operation, self.parameters, self.pages], sort_keys=True)
        return AnswerTarget(("answer", key), read)

    async def prepare(self, read: Answer, wait: Any) -> PolledAnswer:
        """
        Compare the answer with the conditions, in a thread.

        :param read: The answer.
        :param wait: The wait before the poll.
        """
        polled: PolledAnswer = await asyncio.to_thread(wait.check, read)
        return polled

    def describe_wait(self, wait: Any) -> str:
        """
        Return the conditions.

        :param wait: The wait.
        """
        return str(wait.conditions)

    def describe_state(self, polled: PolledAnswer, wait: Any) -> str:
        """
        Return which conditions are not met, without values of the answer.

        :param polled: What the poll read.
        :param wait: The wait after the poll.
        """
        described: str = wait.conditions.describe(polled.states)
        return described

    def is_over(self, wait: Any, found: Any) -> bool:
        """
        Whether the conditions are met, or the first poll found what later ones are compared with: the worker stores it.

        :param wait: The wait after a poll.
        :param found: The answer, or None.
        """
        return found is not None or wait.has_new_fingerprints

    def event_payload(self, wait: Any) -> dict[str, Any]:
        """
        Return what the first poll found, as fingerprints.

        :param wait: The wait after the last poll.
        """
        return {"fingerprints": wait.fingerprints} if wait.fingerprints else {}
