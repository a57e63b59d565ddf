"""
### Call any other route of 360Learning

Counts the program sessions of your platform. No operator does that, so the task calls the API itself, through
`LearningHook.run`: with the credentials, retries and rate limit of the connection.

**Try it:** trigger it; there is nothing to fill in. The number is in the XCom of `count_sessions`.
"""

from __future__ import annotations

from airflow.providers.common.compat.sdk import dag, task


@dag(schedule=None, catchup=False, tags=["360learning", "example"], doc_md=__doc__)
def any_route() -> None:
    """Call a route that has no operator of its own."""

    @task
    def count_sessions() -> int:
        """Call the API and count what it returns."""
        from airflow_provider_learning360.hooks.learning import LearningHook

        response = LearningHook(method="GET").run("/api/v1/programs/sessions")
        return len(response.json())

    count_sessions()


any_route()
