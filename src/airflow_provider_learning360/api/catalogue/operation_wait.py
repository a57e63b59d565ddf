"""A wait for an answer: an operation is polled until its answer meets the conditions."""

from __future__ import annotations

import hashlib
import json
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypedDict

from airflow_provider_learning360.api.catalogue.answers import Answer, AnswerChoice
from airflow_provider_learning360.api.catalogue.calls import OperationCall
from airflow_provider_learning360.api.catalogue.catalogue import find_operation
from airflow_provider_learning360.api.catalogue.differences import has_documented_type
from airflow_provider_learning360.api.catalogue.operation import JSON_TYPE
from airflow_provider_learning360.api.catalogue.options import ALL_PAGES, parse_pages
from airflow_provider_learning360.api.catalogue.path_fields import check_names
from airflow_provider_learning360.api.catalogue.until import Conditions
from airflow_provider_learning360.api.errors import ContractError, FixArgumentError
from airflow_provider_learning360.api.platform import Work
from airflow_provider_learning360.api.waiting import Wait

if TYPE_CHECKING:
    from airflow_provider_learning360.api.catalogue.operation import Operation
    from airflow_provider_learning360.api.catalogue.until import ConditionState
    from airflow_provider_learning360.api.platform import Plan, Platform

MAX_PAGES = 100  # pages that one poll reads, unless the author gives a number


class StoredFingerprints(TypedDict):
    """
    What the first poll found, as it is stored: fingerprints, never values.

    `of` stands for the call and its conditions; `values` has one fingerprint for each condition `changed`.
    """

    of: str
    values: list[str]


class PolledAnswer(NamedTuple):
    """
    What a poll read.

    :param answer: The answer.
    :param states: How it meets each condition.
    """

    answer: Answer
    states: list[ConditionState]


class OperationWait(Wait[PolledAnswer, Answer]):
    """
    A wait until the answer of an operation meets all conditions.

    :param call: The call that is polled.
    :param conditions: The conditions.
    :param reads_all: Whether all pages are wanted, up to `MAX_PAGES`.
    :param patience: As in `Wait`: `on_missing`, `max_failures`, `failures`, `longest_wait`.
    """

    def __init__(self, call: OperationCall, conditions: Conditions, *, reads_all: bool, **patience: Any) -> None:
        super().__init__(**patience)
        self.call = call
        self.conditions = conditions
        self.reads_all = reads_all
        self.fingerprints: StoredFingerprints | None = None
        # Whether the last poll found what later polls are compared with.
        self.has_new_fingerprints = False

    @classmethod
    def build(
        cls,
        operation: Any,
        parameters: Any,
        until: Any,
        pages: Any = ALL_PAGES,
        *,
        with_drift: bool = False,
        fingerprints: StoredFingerprints | None = None,
        **patience: Any,
    ) -> Self:
        """
        Build a wait from what a person wrote.

        :param operation: Name of the operation.
        :param parameters: Its parameters, by key; None for none.
        :param until: The conditions.
        :param pages: How many pages of a list a poll reads, or `all` (default).
        :param with_drift: Whether to compare the answer with its schema; default False.
        :param fingerprints: What was stored of an earlier poll; used if it belongs to the same call. Default none.
        :param patience: As in `Wait`.
        :raises FixArgumentError: An argument is not valid.
        """
        number = parse_pages(pages)
        found = require_read(find_operation(operation))
        call = OperationCall.build(
            found,
            parameters,
            choice=AnswerChoice(with_drift=with_drift),
            pages=MAX_PAGES if number is None else number,
        )
        conditions = Conditions.read(until)
        for one in conditions.items:
            check_names(one.path, found)
        wait = cls(call, conditions, reads_all=number is None, **patience)
        if fingerprints is not None and fingerprints["of"] == wait._identity():
            wait.fingerprints = fingerprints
        return wait

    def plan_poll(self, platform: Platform) -> Plan[PolledAnswer]:
        """
        Plan one poll.

        :param platform: The version of the API that the connection speaks.
        :returns: The plan of what `find` evaluates.
        :raises FixArgumentError: The list has more pages than a poll may read.
        :raises ContractError: The answer is of another type than documented.
        """
        answer = yield from self.plan_answer(platform)
        polled: PolledAnswer = yield Work(partial(self.check, answer))
        return polled

    def plan_answer(self, platform: Platform) -> Plan[Answer]:
        """
        Plan to call the operation.

        :param platform: The version of the API that the connection speaks.
        :returns: The plan of the answer, which identical calls may share.
        :raises ContractError: The answer is of another type than documented.
        """
        answer = yield from platform.call_operation(self.call)
        self._require_documented_type(answer)
        return answer

    def check(self, answer: Answer) -> PolledAnswer:
        """
        Compare an answer with the conditions, which may take long.

        :param answer: The answer.
        :returns: What `find` evaluates.
        :raises FixArgumentError: The list has more pages than a poll may read.
        """
        if answer.has_more and self.reads_all:
            raise FixArgumentError(
                f"The list of {self.call.operation.name} has more than {MAX_PAGES} pages, which would be read at each "
                "poll. Ask for less with `parameters`, or give a number of `pages`."
            )
        return PolledAnswer(answer, self.conditions.check(answer.value))

    def find(self, polled: PolledAnswer) -> Answer | None:
        """
        Compare the answer with the conditions, and with the first poll where they ask for a change.

        :param polled: What the poll read.
        :returns: The answer if it meets all conditions, else None.
        """
        now = [one["fingerprint"] for one in polled.states if "fingerprint" in one]
        self.has_new_fingerprints = bool(now) and self.fingerprints is None
        if self.fingerprints is None and now:
            self.fingerprints = StoredFingerprints(of=self._identity(), values=now)
        first = iter(self.fingerprints["values"] if self.fingerprints else ())
        for one in polled.states:
            if "fingerprint" in one:
                one["is_met"] = one["fingerprint"] != next(first)
        return polled.answer if all(one["is_met"] for one in polled.states) else None

    def _require_documented_type(self, answer: Answer) -> None:
        """Refuse an empty or foreign answer: what it lacks would count as a change, or as not there any more."""
        operation = self.call.operation
        documented = operation.data["answer"]
        if documented.get("type", JSON_TYPE) != JSON_TYPE:
            return
        if not has_documented_type(documented.get("schema", {}), operation.schemas, answer.value):
            raise ContractError(
                f"{self.call.request} returned {answer.status}, but not what 360Learning documents: its body is empty, "
                "or a list in place of an object. Check the host of the connection. If it is right, the API may have "
                "changed: please report it."
            )

    def _identity(self) -> str:
        """Return what stands for the call and its conditions: another call must not use the fingerprints of this."""
        request = self.call.request
        # Without their order: each process has its own order of a set.
        names, values = (sorted(parts) for parts in zip(*request.query, strict=True)) if request.query else ([], [])
        text = json.dumps([request.method, request.path, names, values, self.conditions.to_list()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def require_read(operation: Operation) -> Operation:
    """
    Refuse an operation that changes something: a sensor sends its request again and again.

    :param operation: The operation.
    :returns: The same.
    :raises FixArgumentError: It changes something.
    """
    if not operation.is_read:
        raise FixArgumentError(
            f"operation: {operation.name} changes something, and a sensor sends its request again and again. Use "
            "LearningOperationOperator, and a sensor with an operation that reads after it."
        )
    return operation
