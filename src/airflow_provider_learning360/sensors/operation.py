"""A sensor that waits until the answer of any operation of 360Learning meets conditions."""

from __future__ import annotations

__all__ = ["LearningOperationSensor"]

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.errors import FixArgumentError, redact
from airflow_provider_learning360.argument_checks import require_no_operator, require_no_params
from airflow_provider_learning360.document_options import check_xcom_size
from airflow_provider_learning360.rendering import is_template
from airflow_provider_learning360.sensors.polling import PollingSensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_learning360.api.catalogue.answers import Answer
    from airflow_provider_learning360.api.catalogue.operation import Operation
    from airflow_provider_learning360.api.catalogue.operation_wait import OperationWait, PolledAnswer
    from airflow_provider_learning360.hooks.learning import LearningHook
    from airflow_provider_learning360.sensors.memory import TaskMemory
    from airflow_provider_learning360.triggers.operation import LearningOperationTrigger
    from airflow_provider_learning360.triggers.polling import PollEvent


class LearningOperationSensor(PollingSensor):
    """
    Wait until the answer of an operation of 360Learning meets conditions, and push the answer to XCom as plain JSON.

    `until` is a condition such as `{"path": "status", "equals": "ended"}`, or a list of conditions that must all hold.
    `path` is a JSONPath; `count($[*])` is how many values a path has. The other key is one of `exists`, `equals`,
    `not_equals`, `at_least` (a number, or a date) and `changed` (since the first poll). If a path has several values,
    all must meet the condition. `poke_interval`, `timeout`, `soft_fail` and `exponential_backoff` mean the same in
    every mode.

    :param operation: Name of an operation that only reads, such as `get-path-session`; `airflow learning360 operations`
        lists all.
    :param until: The condition, or a list of them.
    :param parameters: Parameters of the operation by name; default none.
    :param pages: How many pages of a list a poll reads: a number, or `all` (default). With `all`, a list of more than
        100 pages is an error.
    :param fields: Names of the fields to push, of the object or of each item of the list; default all. The conditions
        see all fields.
    :param learning_conn_id: ID of the Airflow connection; default `learning360_default`.
    :param on_missing: What to do if the API answers that it does not exist (any more): `fail` (default), `skip` or
        `wait`.
    :param max_failures: Failed polls in a row that are allowed; with one more the task fails. Default 10.
    :param contract: What to do if the answer differs from the documentation: `ignore`, `warn` (default) or `strict`.
    :param max_xcom_bytes: Size of the answer, in bytes, above which the task fails; default no limit, and a warning
        above 1 MiB.
    :param deferrable: Wait in the triggerer; default Airflow's `[operators] default_deferrable`.
    :returns: The object, or the list of all items.

    Source: 360Learning API v1 and v2; the catalogue of this package; RFC 9535; Airflow's `BaseSensorOperator`.
    """

    template_fields: Sequence[str] = ("parameters", "until", "pages", "fields", "learning_conn_id")

    def __init__(
        self,
        *,
        operation: str,
        until: dict[str, Any] | list[dict[str, Any]],
        parameters: dict[str, Any] | None = None,
        pages: int | str = "all",
        fields: list[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.operation = operation
        self.until = until
        self.parameters = parameters
        self.pages = pages
        self.fields = fields
        self.check_own_arguments()

    @classmethod
    def check_arguments(cls, given: Mapping[str, Any]) -> None:
        """
        Refuse arguments that cannot work in any run.

        :param given: The arguments that are known when the DAG is parsed.
        :raises FixArgumentError: The operation, a parameter, a condition, a type or a value is not valid.
        """
        from airflow_provider_learning360.api.catalogue.options import parse_pages
        from airflow_provider_learning360.api.catalogue.until import check_until

        # Elsewhere, `fields` are those of a session.
        super().check_arguments({name: value for name, value in given.items() if name != "fields"})
        require_no_operator("fields", given.get("fields"))
        if "pages" in given and not is_template(given["pages"]):
            parse_pages(given["pages"])
        operation = _check_call(given) if "operation" in given else None
        if "until" in given:
            check_until(given["until"], is_template, operation)

    @property
    def subject(self) -> str:
        """The answer, by the name of the operation."""
        return f"the answer of {self.operation}"

    def subject_arguments(self) -> dict[str, Any]:
        """Return the call, as plain JSON."""
        from airflow_provider_learning360.api.catalogue.arguments import simplify_parameters
        from airflow_provider_learning360.api.catalogue.catalogue import find_operation

        parameters = simplify_parameters(find_operation(self.operation), self.parameters)
        return {"operation": self.operation, "parameters": parameters, "pages": self.pages}

    def poll(self, hook: LearningHook, wait: Any) -> PolledAnswer:
        """
        Call the operation, and compare its answer with the conditions.

        :param hook: The hook, with the time limit of the poll.
        :param wait: The wait before the poll.
        """
        polled: PolledAnswer = hook.run_plan(wait.plan_poll(hook.platform))
        return polled

    def build_wait(self, memory: TaskMemory) -> OperationWait:
        """
        Return the wait as it stands.

        :param memory: What the task remembers: what the first poll found.
        :raises FixArgumentError: A rendered argument is not valid.
        """
        from airflow_provider_learning360.api.catalogue.answers import check_fields
        from airflow_provider_learning360.api.catalogue.operation_wait import OperationWait
        from airflow_provider_learning360.api.catalogue.options import split_names

        for name in ("parameters", "until"):
            if (template := self.empty_template(name)) is not None:
                raise FixArgumentError(
                    f"{name}: the template {redact(template)} gave nothing. Check the task or field that it names."
                )
        wait = OperationWait.build(
            self.operation,
            self.parameters,
            self.until,
            self.pages,
            with_drift=self.contract != "ignore",
            fingerprints=memory.fingerprints if self._compares_with_first_poll() else None,
            **self.wait_options(memory),
        )
        check_fields(wait.call.operation, split_names(self.fields))
        return wait

    def build_trigger(self, wait: Any, **polling_arguments: Any) -> LearningOperationTrigger:
        """
        Build the trigger that continues the wait.

        :param wait: The wait after the last poll.
        :param polling_arguments: The arguments that all polling triggers take.
        """
        from airflow_provider_learning360.triggers.operation import LearningOperationTrigger

        return LearningOperationTrigger(
            until=wait.conditions.to_list(), fingerprints=wait.fingerprints, **polling_arguments
        )

    def describe_wait(self) -> str:
        """Return the conditions."""
        from airflow_provider_learning360.api.catalogue.until import Conditions

        return str(Conditions.read(self.until))

    def describe_state(self, polled: PolledAnswer, wait: Any) -> str:
        """
        Return which conditions are not met, without values of the answer.

        :param polled: What the poll read.
        :param wait: The wait after the poll.
        """
        described: str = wait.conditions.describe(polled.states)
        return described

    def build_document(self, context: Context, result: PolledAnswer) -> Any:
        """
        Build what is pushed: the answer with the wanted fields.

        :param context: Airflow's task context.
        :param result: What the last poll read.
        :raises ContractError: The answer differs from the documentation, and `contract` is `strict`.
        :raises FixArgumentError: The answer is larger than `max_xcom_bytes`.
        """
        from airflow_provider_learning360.api.contract import report_drift

        answer, what = result.answer, f"The answer of {self.operation}"
        warnings = [report_drift(what, answer.drift, self.contract), answer.unreadable.report(self.contract)]
        for warning in filter(None, warnings):
            self.log.warning("%s", warning)
        document = self._keep_fields(answer)
        advice = "Push less with `fields`, or use an object-storage XCom backend."
        check_xcom_size(what, document, self.max_xcom_bytes, advice, self.log)
        return document

    def on_found(self, context: Context, result: PolledAnswer, found: Answer, memory: TaskMemory) -> None:
        """
        Log that the wait is over.

        :param context: Airflow's task context.
        :param result: What the last poll read.
        :param found: The answer.
        :param memory: What the task remembers.
        """
        self.log.info("The wait for %s is over: %s.", self.subject, self.describe_wait())

    def on_poll(self, polled: PolledAnswer, wait: Any, memory: TaskMemory) -> None:
        """
        Remember what the first poll found.

        :param polled: What the poll read.
        :param wait: The wait after the poll.
        :param memory: Where to remember it.
        """
        if wait.has_new_fingerprints:
            memory.keep_fingerprints(wait.fingerprints)

    def on_resume(self, event: PollEvent, memory: TaskMemory) -> None:
        """
        Remember what the first poll of the trigger found.

        :param event: The event of the trigger.
        :param memory: Where to remember it.
        """
        if fingerprints := event.get("fingerprints"):
            memory.keep_fingerprints(fingerprints)

    def _keep_fields(self, answer: Answer) -> Any:
        from airflow_provider_learning360.api.catalogue.answers import AnswerChoice
        from airflow_provider_learning360.api.catalogue.options import split_names

        choice = AnswerChoice(split_names(self.fields))
        if isinstance(answer.value, list):
            return [choice.keep(one) for one in answer.value]
        return choice.keep(answer.value)

    def _compares_with_first_poll(self) -> bool:
        conditions = self.until if isinstance(self.until, list | tuple) else [self.until]
        return any(isinstance(one, Mapping) and "changed" in one for one in conditions)


def _check_call(given: Mapping[str, Any]) -> Operation:
    """Check the operation, and of its arguments what is known when the DAG is parsed; return the operation."""
    from airflow_provider_learning360.api.catalogue.answers import check_fields
    from airflow_provider_learning360.api.catalogue.arguments import check_arguments
    from airflow_provider_learning360.api.catalogue.catalogue import find_operation
    from airflow_provider_learning360.api.catalogue.operation_wait import require_read
    from airflow_provider_learning360.api.catalogue.options import ALL_PAGES, parse_pages, split_names

    operation = require_read(find_operation(given["operation"]))
    require_no_params(given, dict(operation.keys))
    if "parameters" in given:
        check_arguments(operation, given["parameters"], None, is_template)
    if not is_template(fields := given.get("fields")):
        check_fields(operation, split_names(fields))
    if not is_template(pages := given.get("pages", ALL_PAGES)) and parse_pages(pages) and not operation.has_pages:
        raise FixArgumentError(f"pages: {operation.name} has no pages. Leave it out.")
    return operation
