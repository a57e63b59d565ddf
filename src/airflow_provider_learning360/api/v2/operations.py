"""Calls of operations of API v2: a list has pages, and each names the next one."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_learning360.api.catalogue.answers import Answer
from airflow_provider_learning360.api.catalogue.calls import read_page
from airflow_provider_learning360.api.catalogue.plan import send_once
from airflow_provider_learning360.api.v2.links import PagedList

if TYPE_CHECKING:
    from airflow_provider_learning360.api.catalogue.calls import OperationCall
    from airflow_provider_learning360.api.platform import Plan


def read_pages_of(call: OperationCall, host: str) -> Plan[Answer]:
    """
    Plan to read the answer of an operation, and of a list as many pages as are wanted.

    :param call: The call of the operation.
    :param host: Base URL of the connection.
    :returns: The plan of the answer, with the items of all pages.
    """
    if not call.operation.has_pages:
        return (yield from send_once(call))
    pages = PagedList(call.request.path, call.request.query, host=host)
    answer = Answer([], 0, pages=0)
    while (request := pages.request) is not None:
        if call.pages is not None and answer.pages >= call.pages:
            answer.has_more = True
            break
        answer.add_page((yield pages.read_page(request, partial(read_page, call))))
    return answer.require_readable()
