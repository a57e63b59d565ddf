"""Failures as codes: the page has a sentence for each, in each of its languages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import HTTPException

from airflow_provider_learning360.api.errors import (
    ContractError,
    FixArgumentError,
    FixConnectionError,
    FixIdError,
    ForbiddenError,
    InvalidIdError,
    LearningError,
    NotFoundError,
    RateLimitedError,
    RedirectError,
    SettingsError,
    TimedOutError,
    TooLargeError,
    TryAgainError,
    UnauthorizedError,
    UnavailableError,
    UnknownOutcomeError,
    UnreachableError,
)
from airflow_provider_learning360.ui.text import readable_name, readable_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_learning360.ui.responses import Action, ArgumentProblemItem, Failure, FailureCode

ACTIONS: Mapping[FailureCode, Action] = {
    "argument": "choose_session",
    "arguments": "edit_request",
    "body_too_large": "edit_request",
    "connection": "fix_connection",
    "connection_id_not_allowed": "fix_connection",
    "contract": "report",
    "forbidden": "ask",
    "host_not_allowed": "fix_connection",
    "http_error": "retry",
    "internal": "retry",
    "invalid_id": "choose_session",
    "list_failed": "retry",
    "list_incomplete": "retry",
    "list_too_long": "retry",
    "no_connection": "fix_connection",
    "no_file": "reload",
    "no_operation": "choose_operation",
    "no_workflow": "reload",
    "not_found": "fix_connection",
    "not_json": "reload",
    "not_logged_in": "log_in",
    "not_permitted": "ask",
    "object_not_found": "edit_request",
    "other_version": "choose_operation",
    "other_site": "reload",
    "people_not_permitted": "ask",
    "rate_limited": "retry",
    "rate_limited_seconds": "retry",
    "redirect": "fix_connection",
    "scope_missing": "ask",
    "session_not_found": "choose_session",
    "settings": "fix_connection",
    "settings_not_allowed": "fix_connection",
    "temporary": "retry",
    "timed_out": "retry",
    "too_large": "fix_connection",
    "too_many_lists": "retry",
    "too_many_requests": "retry",
    "too_many_searches": "retry",
    "unauthorized": "fix_connection",
    "unavailable": "retry",
    "unknown_company": "fix_connection",
    "unknown_outcome": "report",
    "unknown_request": "reload",
    "unreachable": "retry",
}
_CODES: Mapping[type, FailureCode] = {
    ContractError: "contract",
    FixArgumentError: "argument",
    FixConnectionError: "connection",
    FixIdError: "invalid_id",
    ForbiddenError: "forbidden",
    InvalidIdError: "invalid_id",
    LearningError: "contract",
    NotFoundError: "not_found",
    RateLimitedError: "rate_limited",
    RedirectError: "redirect",
    SettingsError: "settings",
    TimedOutError: "timed_out",
    TooLargeError: "too_large",
    TryAgainError: "temporary",
    UnauthorizedError: "unauthorized",
    UnavailableError: "unavailable",
    UnknownOutcomeError: "unknown_outcome",
    UnreachableError: "unreachable",
}


class PageError(HTTPException):
    """
    The page refuses a request.

    :param status_code: HTTP status of the response.
    :param code: What failed.
    """

    def __init__(self, status_code: int, code: FailureCode) -> None:
        super().__init__(status_code, code)
        self.failure = build_failure(code)


class ArgumentsRefusedError(HTTPException):
    """
    The arguments of an operation are not valid.

    :param problems: Place and text of each problem.
    """

    def __init__(self, problems: Iterable[tuple[str, str]]) -> None:
        super().__init__(422, "arguments")
        self.problems = list_problems(problems)


class OtherVersionError(FixArgumentError):
    """
    The operation is one of the other version of the API.

    :param error: The error of the provider.
    :param values: Values for the placeholders of the sentence.
    """

    def __init__(self, error: FixArgumentError, **values: str) -> None:
        super().__init__(str(error))
        self.failure = build_failure("other_version", detail=str(error), **values)


class ConnectionRefusedByPageError(SettingsError):
    """
    The page does not use a connection that a DAG may use.

    :param code: Why.
    :param values: Values for the placeholders of the sentence.
    """

    def __init__(self, code: FailureCode, **values: str) -> None:
        super().__init__(f"The page does not use this connection ({code}): {', '.join(values.values())}.")
        self.failure = build_failure(code, **values)


def list_problems(problems: Iterable[tuple[str, str]]) -> list[ArgumentProblemItem]:
    """
    Return problems as the page's routes send them.

    :param problems: Place and text of each problem.
    """
    return [{"place": readable_name(place), "text": readable_text(text)} for place, text in problems]


def build_failure(code: FailureCode, *, detail: str | None = None, **values: str | float) -> Failure:
    """
    Return a failure.

    :param code: What failed.
    :param detail: The technical text, in English; default none.
    :param values: Values for the placeholders of the sentence.
    """
    return {
        "code": code,
        "action": ACTIONS[code],
        "values": values,
        "detail": None if detail is None else readable_text(detail),
    }


def failure_from_error(error: LearningError) -> Failure:
    """
    Return the failure for an error of the provider.

    :param error: The error; its text becomes the detail.
    """
    if isinstance(error, ConnectionRefusedByPageError | OtherVersionError):
        return error.failure
    if error.scope:
        return build_failure("scope_missing", detail=str(error), scope=error.scope)
    code = next(_CODES[kind] for kind in type(error).__mro__ if kind in _CODES)
    if code == "unauthorized" and error.code == "invalid_request":
        code = "unknown_company"
    if code == "rate_limited" and error.retry_after is not None:
        return build_failure("rate_limited_seconds", detail=str(error), seconds=round(error.retry_after))
    return build_failure(code, detail=str(error))


def failure_from_operation_error(error: LearningError) -> Failure:
    """
    Return the failure for an error of the call of an operation.

    :param error: The error; its text becomes the detail.
    """
    if isinstance(error, NotFoundError):
        return build_failure("object_not_found", detail=str(error))
    failure = failure_from_error(error)
    return build_failure("arguments", detail=str(error)) if failure["code"] == "argument" else failure
