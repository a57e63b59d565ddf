"""Write the fields of a session that differ, and confirm them by reading again: the same steps for both versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_learning360.api.errors import TryAgainError
from airflow_provider_learning360.api.session_update import build_result, find_changes, require_order

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_learning360.api.platform import Plan
    from airflow_provider_learning360.api.session_update import SessionUpdate, UpdateResult, Values


def carry_out(
    session_id: str,
    update: SessionUpdate,
    current: Values,
    wanted: Values,
    write: Callable[[list[str]], Plan[None]],
    read_again: Callable[[], Plan[Values]],
) -> Plan[UpdateResult]:
    """
    Plan to write what differs, and to read it again.

    :param session_id: ID of the session.
    :param update: What is wanted.
    :param current: The values of the session.
    :param wanted: The new values.
    :param write: Plans to write the fields with these names.
    :param read_again: Plans to read the values of the session.
    :returns: The plan of what was changed.
    :raises FixArgumentError: The session would not start before it ends; nothing was written.
    :raises TryAgainError: The session does not have the new values after they were written.
    """
    changed = find_changes(current, wanted)
    if {"startDate", "endDate"} & set(changed):
        require_order({**current, **wanted})
    if changed and not update.dry_run:
        yield from write(changed)
        left = find_changes((yield from read_again()), {name: wanted[name] for name in changed})
        if left:
            raise TryAgainError(
                f"360Learning accepted the change of program session {session_id}, but {', '.join(left)} did not take "
                "the new value. Somebody else may have changed the session at the same time. Run the task again."
            )
    return build_result(session_id, update, current, wanted, changed)
