"""The filters of the list of sessions that API v2 has itself."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_provider_learning360.api.errors import FixArgumentError, redact
from airflow_provider_learning360.api.session_ids import is_session_id
from airflow_provider_learning360.api.v2.calls import build_filter
from airflow_provider_learning360.api.v2.floor import format_filter_date

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_provider_learning360.api.platform import SessionFilter


def build_query(where: SessionFilter) -> tuple[tuple[str, str], ...]:
    """
    Build the query of a filter. It may find more than is wanted, never less: API v2 takes whole seconds only.

    :param where: Which sessions are wanted.
    :returns: Names and values.
    :raises FixArgumentError: The ID of the template is not an ID.
    """
    return build_filter(
        pathId={"eq": _require_path_id(where.template_id)},
        startDate={"gte": _date(where.starts_after), "lt": _date_after(where.starts_before)},
        endDate={"gte": _date(where.ends_after), "lt": _date_after(where.ends_before)},
        modifiedAt={"gte": _date(where.modified_since)},
    )


def _require_path_id(template_id: str | None) -> str | None:
    if template_id is None or is_session_id(template_id):
        return template_id
    raise FixArgumentError(
        f"template_id: {redact(repr(template_id))} is not the ID of a path. An ID has 24 characters of 0-9 and a-f."
    )


def _date(moment: datetime | None) -> str | None:
    return None if moment is None else format_filter_date(moment)


def _date_after(moment: datetime | None) -> str | None:
    """Return the whole second at or after a time: the filter may find more than is wanted, never less."""
    if moment is None or not moment.microsecond:
        return _date(moment)
    try:
        return _date(moment + timedelta(seconds=1))
    except OverflowError:  # the last second that there is
        return None
