"""The routes of all other operations of API v2: sample answers, and nothing is stored but bulk operations."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.simulator import responses
from airflow_provider_learning360.simulator.bulk_operations import BULK_PATH, BulkOperations
from airflow_provider_learning360.simulator.documented import Match, find_documented, find_unknown
from airflow_provider_learning360.simulator.operation_answers import PDF, make_answer, make_items
from airflow_provider_learning360.simulator.operation_bodies import read_body
from airflow_provider_learning360.simulator.operation_filters import read_conditions
from airflow_provider_learning360.simulator.pages import next_link, read_position, take_page
from airflow_provider_learning360.simulator.responses import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date, datetime

    from airflow_provider_learning360.simulator.credentials import Credentials
    from airflow_provider_learning360.simulator.filters import Condition
    from airflow_provider_learning360.simulator.pages import Position
    from airflow_provider_learning360.simulator.request_log import SeenRequest

_PAGE_SIZE = 500  # where the vendor says none


class OperationsV2:
    """The operations of API v2 that have no route of their own.

    :param credentials: the valid tokens.
    :param today: the day around which dates are.
    :param now: the clock.
    :param page_size: items in a page of every list; default: as documented for each.
    """

    def __init__(
        self, credentials: Credentials, today: date, now: Callable[[], datetime], page_size: int | None = None
    ) -> None:
        self._credentials = credentials
        self._today = today
        self._page_size = page_size
        self._bulk = BulkOperations(now)
        self._calls: Counter[str] = Counter()

    def respond(self, seen: SeenRequest) -> Response:
        """Return the response to a request."""
        match = find_documented("v2", seen.method, seen.path)
        if match is None:
            return responses.route_not_found()
        refused = self._credentials.refuse(seen, match.operation.data["scope"])
        if refused is not None:
            return refused
        unknown = find_unknown(match)
        if unknown is not None:
            return responses.v2_error(*unknown, "The request names what does not exist.")
        try:
            conditions = read_conditions(match.operation, seen.query_pairs)
            after = read_position(seen, conditions)
        except ValueError as error:
            return responses.invalid_query(str(error))
        if match.operation.is_list:
            return self._list(match, seen, conditions, after)
        return self._act(match, seen)

    def _list(
        self, match: Match, seen: SeenRequest, conditions: tuple[Condition, ...], after: Position | None
    ) -> Response:
        if match.operation.name == "list-bulk-operation-results":
            return self._list_results(match, seen, after)
        if match.operation.path == BULK_PATH:
            items = self._bulk.list(conditions, after)
        else:
            items = make_items(match, self._today, conditions, after)
        return self._page(match, seen, conditions, items)

    def _page(
        self,
        match: Match,
        seen: SeenRequest,
        conditions: tuple[Condition, ...],
        items: Iterator[tuple[Position, Any]],
    ) -> Response:
        size = self._page_size or match.operation.data.get("page_size", _PAGE_SIZE)
        page, last = take_page(items, size)
        headers = {} if last is None else {"Link": next_link(seen, conditions, last)}
        return Response(body=responses.to_json(page), headers=headers)

    def _list_results(self, match: Match, seen: SeenRequest, after: Position | None) -> Response:
        bulk = self._bulk.get(match.values["bulkOperationId"])
        if bulk.status != "completed":
            return responses.v2_error(400, "bulkOperationNotRun", "The bulk operation has not run yet.")
        first = -1 if after is None else after[0]
        items = (((place,), one) for place, one in enumerate(bulk.results()) if place > first)
        return self._page(match, seen, (), items)

    def _act(self, match: Match, seen: SeenRequest) -> Response:
        operation = match.operation
        try:
            body = read_body(operation, seen)
        except ValueError as error:
            codes = operation.data.get("errors", {}).get("400", ())
            return responses.v2_error(400, "invalidInput" if "invalidInput" in codes else "badRequest", str(error))
        if operation.data.get("asynchronous"):
            return Response(202, headers={"Location": f"{BULK_PATH}/{self._bulk.start(operation, body['input'])}"})
        if operation.answer is None:
            return Response(operation.status)
        if operation.data["answer"].get("type") == "application/pdf":
            return Response(body=PDF, content_type="application/pdf")
        if operation.name == "get-bulk-operation":
            return responses.json_response(self._bulk.poll(match.values["bulkOperationId"]))
        number = self._calls[operation.name]
        self._calls[operation.name] += 1
        return responses.json_response(make_answer(match, self._today, body, number), operation.status)
