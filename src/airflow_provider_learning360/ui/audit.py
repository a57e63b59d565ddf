"""Entries of Airflow's audit log about what the page requests: who and what, without people's data."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fastapi import Request

from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.api_fastapi.logging.decorators import action_logging

from airflow_provider_learning360.api.catalogue.catalogue import load_operations
from airflow_provider_learning360.api.catalogue.masking import MASK, is_id_or_date

if TYPE_CHECKING:
    from starlette.types import Message

MAX_ITEMS = 20  # of a list

_log_operation = action_logging(event="learning360_test_operation")
_log_plan = action_logging(event="learning360_plan_reminders")


async def audit_operation(request: Request, session: SessionDep, user: GetUserDep) -> None:
    """
    Write to Airflow's audit log who called which operation, even if it was refused.

    Airflow would store the whole body of the request, which may name people.

    :param request: The request.
    :param session: Database session.
    :param user: The user.
    """
    await _log_operation(_with_body(request, mask_call(_parse(await request.body()))), session, user)


async def audit_reminders(request: Request, session: SessionDep, user: GetUserDep) -> None:
    """
    Write to Airflow's audit log who planned reminders, without the policy: it may have mail addresses.

    :param request: The request.
    :param session: Database session.
    :param user: The user.
    """
    await _log_plan(_with_body(request, {}), session, user)


def mask_call(call: Any) -> dict[str, Any]:
    """
    Return a call without people's data: IDs, dates, numbers and names of parameters are kept.

    :param call: The body of the request, as JSON.
    """
    if not isinstance(call, dict):
        return {}
    operation = load_operations().get(str(call.get("name")))
    known = {key for key, _ in operation.keys} if operation else set()
    given = call.get("parameters")
    parameters = given.items() if isinstance(given, dict) else ()
    return {
        "name": operation.name if operation else MASK,
        "parameters": {key: _mask(value) for key, value in parameters if key in known},
        "body": None if call.get("body") is None else MASK,
        "pages": call.get("pages") if isinstance(call.get("pages"), int) else None,
        "reveal": call.get("reveal") is True,
    }


def _mask(value: Any) -> Any:
    if isinstance(value, list):
        return [_mask(one) for one in value[:MAX_ITEMS]]
    if isinstance(value, bool | int | float) or value is None:
        return value
    return value if isinstance(value, str) and is_id_or_date(value) else MASK


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _with_body(request: Request, body: Any) -> Request:
    content = json.dumps(body).encode()

    async def receive() -> Message:
        return {"type": "http.request", "body": content}

    return Request(request.scope, receive)
