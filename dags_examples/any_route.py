"""
### Any other route of 360Learning

`LearningHook.run` reaches every route with the credentials, retries and care of the connection: what an `HttpOperator` does
for a plain HTTP connection, for 360Learning.
"""

from __future__ import annotations

from airflow.providers.common.compat.sdk import dag, task


@dag(schedule=None, catchup=False, tags=["360learning", "example"], doc_md=__doc__)
def any_route() -> None:
    """Call a route that has no operator of its own."""

    @task
    def count_sessions() -> int:
        """Ask the API directly."""
        from airflow_provider_learning360.hooks.learning import LearningHook

        response = LearningHook(method="GET").run("/api/v1/programs/sessions")
        return len(response.json())

    count_sessions()


any_route()
