"""The routes of all other operations of API v1: sample answers, and nothing is stored."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.simulator import responses
from airflow_provider_learning360.simulator.documented import Match, find_documented, find_unknown, is_malformed
from airflow_provider_learning360.simulator.operation_bodies import read_body
from airflow_provider_learning360.simulator.responses import Response

if TYPE_CHECKING:
    from airflow_provider_learning360.simulator.request_log import SeenRequest
    from airflow_provider_learning360.simulator.samples_v1 import SamplesV1


class OperationsV1:
    """The operations of API v1 that have no route of their own.

    :param samples: the answers.
    """

    def __init__(self, samples: SamplesV1) -> None:
        self._samples = samples
        self._calls: Counter[str] = Counter()

    def respond(self, seen: SeenRequest) -> Response:
        """Return the response to a request with valid keys."""
        match = find_documented("v1", seen.method, seen.path)
        if match is None or any(is_malformed(name, match) for name in match.values):
            return responses.route_not_found()
        unknown = find_unknown(match)
        if unknown is not None:
            return responses.error_response(*unknown)
        try:
            read_body(match.operation, seen)
        except ValueError as error:
            return responses.invalid_request(str(error))
        if match.operation.answer is None:
            return Response(match.operation.status)
        try:
            return responses.json_response(self._answer(match), match.operation.status)
        except KeyError:  # the company has no session to make a sample of
            return responses.session_not_found()

    def _answer(self, match: Match) -> Any:
        name = match.operation.name
        read = self._samples.reads.get(name)
        if read is None:
            self._calls[name] += 1
            return self._samples.write(name, self._calls[name])
        return read(*match.values.values())
