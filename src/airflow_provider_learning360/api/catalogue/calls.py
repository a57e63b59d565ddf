"""A call of an operation: its request, and how its answer is read, page by page."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.catalogue.answers import (
    Answer,
    AnswerChoice,
    ListReader,
    has_objects,
    parse_answer,
    parse_values,
)
from airflow_provider_learning360.api.catalogue.arguments import build_request
from airflow_provider_learning360.api.messages import Call

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_learning360.api.catalogue.operation import Operation
    from airflow_provider_learning360.api.messages import Request, Response


@dataclass(frozen=True)
class OperationCall:
    """
    One call of an operation.

    :param operation: The operation.
    :param request: Its request.
    :param choice: What is wanted of the answer; default all.
    :param pages: How many pages of a list are read at most; None for all.
    """

    operation: Operation
    request: Request
    choice: AnswerChoice = field(default_factory=AnswerChoice)
    pages: int | None = None

    @classmethod
    def build(
        cls,
        operation: Operation,
        parameters: Mapping[str, Any] | None = None,
        body: Any = None,
        **options: Any,
    ) -> OperationCall:
        """
        Build a call from what a person wrote.

        :param operation: The operation.
        :param parameters: Its parameters, by key; default none.
        :param body: Its body; default none.
        :param options: `choice` and `pages`.
        :raises FixArgumentError: An argument is not valid.
        """
        return cls(operation, build_request(operation, parameters, body), **options)


def read_whole(call: OperationCall) -> Call[Answer]:
    """
    Build the API call that reads an answer that has no pages.

    :param call: The call of the operation.
    """
    if not call.operation.is_list:
        return Call(call.request, partial(parse_answer, call.operation, call.choice))
    if not has_objects(call.operation):
        return Call(call.request, partial(parse_values, call.operation, call.choice), kind="list")
    return Call(
        call.request,
        partial(read_page, call),
        kind="list",
        build_reader=partial(ListReader, call.operation, call.choice),
    )


def read_page(call: OperationCall, response: Response) -> Answer:
    """
    Read one page of a list, or a whole list.

    :param call: The call of the operation.
    :param response: The response.
    :raises ContractError: It is not a list.
    """
    if not has_objects(call.operation):
        return parse_values(call.operation, call.choice, response)
    reader: ListReader | None = response.reader
    if reader is None:
        reader = ListReader(call.operation, call.choice, response).read(response.body)
    else:
        reader.close()
    return Answer(
        reader.items,
        response.status,
        byte_count=reader.byte_count,
        drift=reader.drift,
        unreadable=reader.unreadable,
    )
