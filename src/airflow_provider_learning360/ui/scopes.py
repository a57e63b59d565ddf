"""What the keys of a connection may read, and what is lost without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_learning360.ui.text import readable_text

if TYPE_CHECKING:
    from airflow_provider_learning360.hooks.learning import LearningHook
    from airflow_provider_learning360.ui.responses import ScopeList

MAX_SECONDS = 60.0  # that all requests may take


def list_scopes(hook: LearningHook) -> ScopeList:
    """
    Find out what the keys of a connection may read, with small requests.

    :param hook: The hook of the connection.
    :raises LearningError: The request failed; its class says what to do next.
    """
    hook.time_limit = MAX_SECONDS
    checks = hook.run_plan(hook.platform.check_access())
    return {
        "scopes": [{"name": one.name, "granted": one.granted, "detail": readable_text(one.detail)} for one in checks]
    }
