"""Operator that calls any documented operation of 360Learning."""

from __future__ import annotations

__all__ = ["LearningOperationOperator"]

import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow.providers.common.compat.sdk import BaseOperator, conf

from airflow_provider_learning360 import DEFAULT_CONN_ID
from airflow_provider_learning360.api.counts import count_of
from airflow_provider_learning360.api.errors import FixArgumentError, LearningError, TimedOutError, UnknownOutcomeError
from airflow_provider_learning360.argument_checks import (
    require_flag,
    require_no_operator,
    require_no_params,
    require_wait,
    seconds_of,
)
from airflow_provider_learning360.document_options import check_xcom_size
from airflow_provider_learning360.dry_run import check_dry_run, render_dry_run
from airflow_provider_learning360.learning_operator import LearningOperator
from airflow_provider_learning360.operators.sent_request import SentRequest
from airflow_provider_learning360.policies.retry import (
    HAS_RETRY_POLICIES,
    LearningRetryPolicy,
    fail_fast,
    with_retry_policy,
)
from airflow_provider_learning360.rendering import is_template

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_learning360.api.catalogue.answers import Answer
    from airflow_provider_learning360.api.catalogue.bulk_operation import BulkResult
    from airflow_provider_learning360.api.catalogue.calls import OperationCall
    from airflow_provider_learning360.api.catalogue.operation import Operation
    from airflow_provider_learning360.api.contract import ContractPolicy
    from airflow_provider_learning360.triggers.bulk_operation import BulkOperationEvent

MAPPED = "{{ mapped }}"  # stands for an argument of `.partial(...)` that is given later
SMALLER_ANSWER = "Push less with `fields`, or use an object-storage XCom backend."
TO_SEND_AGAIN = "To send it again on purpose, clear the task."
# The trigger ends the wait. Airflow's own timeout of a deferral only matters if no triggerer runs.
DEFERRAL_MARGIN = timedelta(seconds=60)


class LearningOperationOperator(LearningOperator, BaseOperator):
    """
    Call an operation of 360Learning by its name, and push its answer to XCom as plain JSON.

    A list is read with all its pages. A write that must not be sent twice is never repeated, neither by a retry of the
    task, if its outcome is not known: the task fails with `UnknownOutcomeError`.

    :param operation: Name of the operation, such as `list-path-sessions`; `airflow learning360 operations` lists all.
    :param parameters: Its parameters by name, such as `{"modifiedAt[gte]": "2026-03-01T00:00:00Z"}`; default none. In
        place of an ID, a document with `_id`.
    :param body: Its body; default none. In place of a file, its path on the worker.
    :param learning_conn_id: ID of the Airflow connection; default `learning360_default`.
    :param pages: How many pages of a list to read: a number, or `all` (default).
    :param fields: Names of the fields to push, of the object or of each item of the list; default all.
    :param contract: What to do if the answer differs from the documentation: `ignore`, `warn` (default) or `strict`.
    :param replace: Must be true for operations that replace a whole collection, such as an audience; default false.
    :param dry_run: Log what would be sent, with people masked, and send nothing; default false. Takes a template.
    :param wait_for: Wait until the bulk operation that the request starts has ended; default false.
    :param poke_interval: Time between two polls of the bulk operation, in seconds, or a mapping such as
        `{"minutes": 1}`; default 30 seconds.
    :param timeout: How long to wait for the bulk operation; default 1 hour.
    :param deferrable: Wait in the triggerer; default Airflow's `[operators] default_deferrable`.
    :param max_xcom_bytes: Size of the answer, in bytes, above which the task fails; default no limit, and a warning
        above 1 MiB.
    :returns: The object, or the list of all items; None if the operation has no answer, or for a dry run. A file is
        `contentType`, `size` and `base64`. A bulk operation is `bulkOperationId`; with `wait_for`, it is the ended
        operation with `succeeded`, `failed` and up to 1,000 `results`.

    Source: 360Learning API v1 and v2; the catalogue of this package.
    """

    template_fields: Sequence[str] = ("parameters", "body", "learning_conn_id", "pages", "fields")
    ui_color = "#e8f3f1"
    checks_together: ClassVar[bool] = True

    def __init__(
        self,
        *,
        operation: str,
        parameters: dict[str, Any] | None = None,
        body: dict[str, Any] | list[Any] | str | None = None,
        learning_conn_id: str = DEFAULT_CONN_ID,
        pages: int | str = "all",
        fields: list[str] | None = None,
        contract: ContractPolicy = "warn",
        replace: bool = False,
        dry_run: bool | str = False,
        wait_for: bool = False,
        poke_interval: float | timedelta | dict[str, Any] = 30,
        timeout: float | timedelta | dict[str, Any] = 3600,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        max_xcom_bytes: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**with_retry_policy(kwargs))
        self.operation = operation
        self.parameters = parameters
        self.body = body
        self.learning_conn_id = learning_conn_id
        self.pages = pages
        self.fields = fields
        self.contract = contract
        self.replace = replace
        self.wait_for = wait_for
        self.poke_interval = poke_interval
        self.timeout = timeout
        self.deferrable = deferrable
        self.max_xcom_bytes = max_xcom_bytes
        self._dry_run = dry_run  # Airflow's operators have a method `dry_run`
        self.check_own_arguments(dry_run=dry_run)

    @classmethod
    def check_arguments(cls, given: Mapping[str, Any]) -> None:
        """
        Refuse arguments that cannot work in any run.

        :param given: The arguments that are known when the DAG is parsed.
        :raises FixArgumentError: The operation, a parameter, a type or a value is not valid.
        """
        # The names of fields depend on the operation.
        super().check_arguments({name: value for name, value in given.items() if name != "fields"})
        require_no_operator("fields", given.get("fields"))
        for name in ("poke_interval", "timeout"):
            if name in given:
                require_wait(name, given[name])
        for name in ("replace", "wait_for", "deferrable"):
            if name in given:
                require_flag(name, given[name])
        if "dry_run" in given:
            check_dry_run(given["dry_run"])
        if "operation" in given:
            _check_call(given)

    def execute(self, context: Context) -> Any:
        """
        Call the operation, and return its answer.

        :param context: Airflow's task context.
        """
        with self._failing():
            operation = self._find_operation()
            is_dry = render_dry_run(self, self._dry_run, context)
            sent = SentRequest({} if operation.is_read or is_dry else context)
            started = sent.bulk_operation_id
            if started is not None:
                self.log.info("An earlier try has started bulk operation %s. Waiting for it.", started)
                return self._wait(started, context)
            call = self._build_call(operation)
            if is_dry:
                self._log_request(operation)
                return None
            return self._finish(operation, self._send(call, sent), sent, context)

    def execute_complete(self, context: Context, event: BulkOperationEvent) -> Any:
        """
        Continue after the trigger ended.

        :param context: Airflow's task context.
        :param event: How the wait ended.
        """
        with self._failing():
            bulk_operation_id = event["bulk_operation_id"]
            if event["kind"] == "error":
                raise self._end_wait(LearningError.from_dict(event["error"]), context)
            if event["kind"] == "timeout":
                raise self._end_wait(self._timed_out(bulk_operation_id), context)
            return self._read_result(bulk_operation_id, context)

    def _failing(self) -> Any:
        # Another retry policy than ours would send the request again after an unknown outcome.
        return fail_fast(not (HAS_RETRY_POLICIES and isinstance(self.retry_policy, LearningRetryPolicy)))

    def _find_operation(self) -> Operation:
        """Return the operation; the rendered arguments are checked as when the DAG is parsed."""
        from airflow_provider_learning360.api.catalogue.catalogue import find_operation
        from airflow_provider_learning360.api.catalogue.text_values import parse_texts

        operation = find_operation(self.operation)
        if operation.body is not None:
            # A template gives texts. Those that the author wrote were checked when the DAG was parsed.
            self.body = parse_texts(operation.body["schema"], operation.schemas, self.body)
        # In a run, `params` has those of the run too.
        known = {name: value for name, value in vars(self).items() if not name.startswith("_") and name != "params"}
        self.check_arguments(known)
        return operation

    def _build_call(self, operation: Operation) -> OperationCall:
        from airflow_provider_learning360.api.catalogue.answers import AnswerChoice
        from airflow_provider_learning360.api.catalogue.arguments import check_arguments
        from airflow_provider_learning360.api.catalogue.calls import OperationCall
        from airflow_provider_learning360.api.catalogue.options import parse_pages, split_names
        from airflow_provider_learning360.uploaded_files import read_files

        check_arguments(operation, self.parameters, self.body)
        body = read_files(operation, self.body)
        choice = AnswerChoice(split_names(self.fields), self.contract != "ignore")
        return OperationCall.build(operation, self.parameters, body, choice=choice, pages=parse_pages(self.pages))

    def _log_request(self, operation: Operation) -> None:
        from airflow_provider_learning360.api.catalogue.preview import describe_request

        text = describe_request(operation, self.parameters, self.body)
        self.log.info("Dry run: nothing was sent. %s would send: %s", operation.name, text)

    def _send(self, call: OperationCall, sent: SentRequest) -> Answer:
        """Send the request; what is remembered says at each moment whether it may have been sent."""
        from airflow_provider_learning360.api.catalogue.unknown_outcome import say_how_to_find_out

        operation = call.operation
        if sent.is_carried_out:
            raise UnknownOutcomeError(
                f"An earlier try of this task carried out {operation}, and ended before Airflow had stored its result. "
                f"It is not sent again. Find the result in 360Learning. {TO_SEND_AGAIN}"
            )
        if sent.is_open:
            sent.forget()
            raise UnknownOutcomeError(
                f"An earlier try of this task began to send {operation}, and ended before it had the response. The "
                "request may or may not have been carried out, so it is not sent again. "
                f"{say_how_to_find_out(operation)} {TO_SEND_AGAIN}"
            )
        self.log.info("Calling %s.", operation)
        if call.request.is_once:
            sent.note_sending()
        try:
            answer = self.hook.run_plan(self.hook.platform.call_operation(call))
        except LearningError as error:
            if call.request.is_once:
                sent.forget()
            if isinstance(error, UnknownOutcomeError):
                raise error.with_note(TO_SEND_AGAIN) from None
            raise
        return answer

    def _finish(self, operation: Operation, answer: Answer, sent: SentRequest, context: Context) -> Any:
        from airflow_provider_learning360.api.catalogue.bulk_operation import find_bulk_operation_id

        bulk_operation_id = find_bulk_operation_id(answer)
        if self.wait_for and bulk_operation_id is not None:
            sent.note_bulk_operation(bulk_operation_id)
            self.log.info("360Learning does the work as bulk operation %s.", bulk_operation_id)
            return self._wait(bulk_operation_id, context)
        if operation.repeat == "once":
            sent.note_carried_out()
        value = answer.value if bulk_operation_id is None else {"bulkOperationId": bulk_operation_id}
        with _saying_that_it_was_done(operation):
            self._log_answer(operation, answer)
            self._check_size(value)
        return value

    def _log_answer(self, operation: Operation, answer: Answer) -> None:
        """Log what was returned, without values, and report how it differs from the documentation."""
        from airflow_provider_learning360.api.contract import report_drift

        items = ""
        if operation.is_list:
            more = " There are more pages." if answer.has_more else ""
            items = f": {count_of(len(answer.value), 'item')}, {count_of(answer.pages, 'page')}.{more}"
        self.log.info("%s returned %d%s", operation.name, answer.status, items or ".")
        if self.wait_for and operation.is_asynchronous:
            self.log.warning(
                "The response has no ID of a bulk operation, so the task does not wait. list-bulk-operations shows all."
            )
        if warning := report_drift(f"The answer of {operation.name}", answer.drift, self.contract):
            self.log.warning("%s", warning)
        if warning := answer.unreadable.report(self.contract):
            self.log.warning("%s", warning)

    def _check_size(self, value: Any) -> None:
        check_xcom_size(f"The answer of {self.operation}", value, self.max_xcom_bytes, SMALLER_ANSWER, self.log)

    def _wait(self, bulk_operation_id: str, context: Context) -> Any:
        seconds, interval = seconds_of(self.timeout, "timeout"), seconds_of(self.poke_interval, "poke_interval")
        deadline = datetime.now(tz=UTC) + timedelta(seconds=seconds)
        self.log.info("Waiting until %s; polling every %g s.", deadline.isoformat(timespec="seconds"), interval)
        if self.deferrable:
            self._defer(bulk_operation_id, deadline, interval)
        end = time.monotonic() + seconds
        try:
            while not self._has_ended(bulk_operation_id):
                if time.monotonic() + interval > end:
                    raise self._timed_out(bulk_operation_id)
                time.sleep(interval)
        except LearningError as error:
            raise self._end_wait(error, context) from None
        return self._read_result(bulk_operation_id, context)

    def _defer(self, bulk_operation_id: str, deadline: datetime, interval: float) -> NoReturn:
        from airflow_provider_learning360.triggers.bulk_operation import BulkOperationTrigger

        trigger = BulkOperationTrigger(bulk_operation_id, self.learning_conn_id, deadline.isoformat(), interval)
        left = max(deadline - datetime.now(tz=UTC), timedelta(0))
        self.defer(trigger=trigger, method_name="execute_complete", timeout=left + DEFERRAL_MARGIN)

    def _has_ended(self, bulk_operation_id: str) -> bool:
        from airflow_provider_learning360.api.catalogue.bulk_operation import has_ended

        return has_ended(self._read_status(bulk_operation_id))

    def _read_status(self, bulk_operation_id: str) -> Any:
        from airflow_provider_learning360.api.catalogue.bulk_operation import read_status

        return self.hook.run_plan(self.hook.platform.call_operation(read_status(bulk_operation_id))).value

    def _read_result(self, bulk_operation_id: str, context: Context) -> BulkResult:
        """Return the ended bulk operation with the results of its items; fail if it did not complete."""
        from airflow_provider_learning360.api.catalogue.bulk_operation import (
            build_result,
            read_results,
            require_completed,
        )
        from airflow_provider_learning360.api.catalogue.catalogue import find_operation

        try:
            status = self._read_status(bulk_operation_id)
            require_completed(self.operation, bulk_operation_id, status)
            results = self.hook.run_plan(self.hook.platform.call_operation(read_results(bulk_operation_id))).value
        except LearningError as error:
            raise self._end_wait(error, context) from None
        result, operation = build_result(status, results), find_operation(self.operation)
        sent = SentRequest(context)
        if operation.repeat == "once":
            sent.note_carried_out()
        else:
            sent.forget()
        done = count_of(result["succeeded"], "item")
        self.log.info("Bulk operation %s has ended: %s succeeded.", bulk_operation_id, done)
        if result["failed"]:
            every = count_of(len(results), "item")
            self.log.warning("%d of %s failed; `results` begins with them.", result["failed"], every)
        with _saying_that_it_was_done(operation):
            self._check_size(result)
        return result

    def _end_wait(self, error: LearningError, context: Context) -> LearningError:
        """Return the error to raise. A retry of the task continues to wait: it never sends the request again."""
        if not error.retryable:
            SentRequest(context).forget()
        return error

    def _timed_out(self, bulk_operation_id: str) -> TimedOutError:
        return TimedOutError(
            f"Bulk operation {bulk_operation_id} of {self.operation} has not ended within "
            f"{seconds_of(self.timeout, 'timeout'):g} s. It continues in 360Learning. A retry of the task continues "
            "to wait for it. Raise `timeout` if such operations take longer."
        )


@contextmanager
def _saying_that_it_was_done(operation: Operation) -> Iterator[None]:
    """Add to an error about the answer of a write that the write itself was carried out."""
    try:
        yield
    except LearningError as error:
        if operation.is_read:
            raise
        raise error.with_note(f"{operation.name} was carried out; clearing the task sends it again.") from None


def _check_call(given: Mapping[str, Any]) -> None:
    """Check the arguments that depend on the operation, as far as they are known."""
    from airflow_provider_learning360.api.catalogue.answers import check_fields
    from airflow_provider_learning360.api.catalogue.arguments import check_arguments
    from airflow_provider_learning360.api.catalogue.catalogue import find_operation
    from airflow_provider_learning360.api.catalogue.options import parse_pages, split_names

    operation = find_operation(given["operation"])
    body = given.get("body", None if operation.body is None else MAPPED)
    require_no_params(given, dict(operation.keys))
    check_arguments(operation, given.get("parameters", MAPPED), body, is_template)
    if not is_template(fields := given.get("fields")):
        check_fields(operation, split_names(fields))
    if not is_template(pages := given.get("pages", "all")) and parse_pages(pages) and not operation.has_pages:
        raise FixArgumentError(f"pages: {operation.name} has no pages. Leave it out.")
    if not isinstance(given.get("wait_for", False), bool):
        raise FixArgumentError("wait_for: it is neither true nor false. Write True or False, without quotes.")
    if given.get("wait_for") and not operation.is_asynchronous:
        raise FixArgumentError(
            f"wait_for: {operation.name} is not a bulk operation: there is nothing to wait for. Leave it out."
        )
    if not given.get("replace", True) and (replaced := operation.data.get("replaces")):
        raise FixArgumentError(
            f"replace: {operation.name} replaces {replaced} as a whole: everything that is not in the body is removed. "
            "Write replace=True if that is intended."
        )
