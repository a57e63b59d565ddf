"""Operator that calls any documented operation of 360Learning."""

from __future__ import annotations

__all__ = ["LearningOperationOperator"]

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_learning360 import DEFAULT_CONN_ID
from airflow_provider_learning360.document_options import check_xcom_size
from airflow_provider_learning360.learning_operator import LearningOperator
from airflow_provider_learning360.policies.retry import fail_fast, with_retry_policy
from airflow_provider_learning360.rendering import is_template

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_learning360.api.catalogue.operation import Operation
    from airflow_provider_learning360.api.contract import ContractPolicy


class LearningOperationOperator(LearningOperator, BaseOperator):
    """
    Call an operation of 360Learning by its name, and push its answer to XCom as plain JSON.

    :param operation: Name of the operation, such as `list-path-sessions`; `airflow learning360 operations` lists all.
    :param parameters: Its parameters by name, such as `{"modifiedAt[gte]": "2026-03-01T00:00:00Z"}`; default none.
    :param body: Its body; default none.
    :param learning_conn_id: ID of the Airflow connection; default `learning360_default`.
    :param pages: How many pages of a list to read: a number, or `all` (default).
    :param fields: Names of the fields to push, of the object or of each item of the list; default all.
    :param contract: What to do if the answer differs from the documentation: `ignore`, `warn` (default) or `strict`.
    :param max_xcom_bytes: Size of the answer, in bytes, above which the task fails; default no limit, and a warning
        above 1 MiB.
    :returns: The object, or the list of all items; None if the operation has no answer.

    Source: 360Learning API v1 and v2; the catalogue of this package.
    """

    template_fields: Sequence[str] = ("parameters", "body", "learning_conn_id", "fields")
    ui_color = "#e8f3f1"

    def __init__(
        self,
        *,
        operation: str,
        parameters: Mapping[str, Any] | None = None,
        body: Any = None,
        learning_conn_id: str = DEFAULT_CONN_ID,
        pages: int | str = "all",
        fields: list[str] | None = None,
        contract: ContractPolicy = "warn",
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
        self.max_xcom_bytes = max_xcom_bytes
        self.check_own_arguments()

    @classmethod
    def check_arguments(cls, given: Mapping[str, Any]) -> None:
        """
        Refuse arguments that cannot work in any run.

        :param given: The arguments that are known when the DAG is parsed.
        :raises FixArgumentError: The operation, a parameter, a type or a value is not valid.
        """
        from airflow_provider_learning360.api.catalogue.arguments import check_arguments
        from airflow_provider_learning360.api.catalogue.catalogue import find_operation

        operation = find_operation(given["operation"])
        check_arguments(operation, given["parameters"], given["body"], is_template)

    def execute(self, context: Context) -> Any:
        """
        Call the operation, and return its answer.

        :param context: Airflow's task context.
        """
        from airflow_provider_learning360.api.catalogue.answers import AnswerChoice
        from airflow_provider_learning360.api.catalogue.calls import OperationCall
        from airflow_provider_learning360.api.catalogue.catalogue import find_operation

        with fail_fast():
            operation: Operation = find_operation(self.operation)
            choice = AnswerChoice(None if self.fields is None else tuple(self.fields), self.contract != "ignore")
            pages = None if self.pages == "all" else int(self.pages)
            call = OperationCall.build(operation, self.parameters, self.body, choice=choice, pages=pages)
            answer = self.hook.run_plan(self.hook.platform.call_operation(call))
            advice = "Push less with `fields`, or use an object-storage XCom backend."
            check_xcom_size(f"The answer of {operation.name}", answer.value, self.max_xcom_bytes, advice, self.log)
            return answer.value
