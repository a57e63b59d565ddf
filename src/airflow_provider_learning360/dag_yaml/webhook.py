"""The step that calls a webhook, through Airflow's HTTP provider."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict

from airflow.providers.common.compat.sdk import AirflowException

from airflow_provider_learning360.api.errors import ContractError, TryAgainError
from airflow_provider_learning360.dag_yaml.action import ActionOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

SERVER_ERROR = 500


class WebhookAnswer(TypedDict):
    """What a webhook step pushes to XCom."""

    status: int


class WebhookOperator(ActionOperator):
    """
    Send JSON to a webhook.

    :param http_conn_id: ID of the Airflow connection of type HTTP: its host, and its password if it needs one.
    :param endpoint: Path below the host; default that of the connection.
    :param method: HTTP method; default `POST`.
    :param body: What to send as JSON; default an empty object.
    :param headers: Further headers; default none.

    Source: `HttpHook` of Airflow's HTTP provider.
    """

    texts: ClassVar[tuple[str, ...]] = ("endpoint", "body", "headers")

    def __init__(
        self,
        *,
        http_conn_id: str,
        endpoint: str | None = None,
        method: str = "POST",
        body: Any = None,
        headers: dict[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.http_conn_id = http_conn_id
        self.endpoint = endpoint
        self.method = method
        self.body = body
        self.headers = headers

    def act(self, context: Context, texts: dict[str, Any]) -> WebhookAnswer:
        """
        Call the webhook.

        :param context: Airflow's task context.
        :param texts: The rendered arguments.
        """
        from airflow.providers.http.hooks.http import HttpHook

        hook = HttpHook(method=self.method, http_conn_id=self.http_conn_id)
        headers = {"Content-Type": "application/json", **(texts["headers"] or {})}
        content = json.dumps({} if texts["body"] is None else texts["body"])
        try:
            response = hook.run(
                texts["endpoint"], data=content, headers=headers, extra_options={"check_response": False}
            )
        except (AirflowException, OSError) as error:
            kind = type(error).__name__
        else:
            return self._read(response.status_code)
        # Outside the handler: the text of the error holds the address, which may hold a secret.
        raise TryAgainError(f"The webhook of connection {self.http_conn_id!r} did not respond ({kind}).")

    def _read(self, status: int) -> WebhookAnswer:
        if status >= SERVER_ERROR:
            raise TryAgainError(f"The webhook of connection {self.http_conn_id!r} returned {status}.")
        if status >= 400:
            raise ContractError(
                f"The webhook of connection {self.http_conn_id!r} returned {status}. Check endpoint, body and headers."
            )
        self.log.info("The webhook of connection %r returned %d.", self.http_conn_id, status)
        return {"status": status}
