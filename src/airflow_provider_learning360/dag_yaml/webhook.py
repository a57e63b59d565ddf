"""The step that calls a webhook, through Airflow's HTTP provider."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict

from airflow.providers.common.compat.sdk import AirflowException

from airflow_provider_learning360.api.errors import ContractError, FixArgumentError, TryAgainError
from airflow_provider_learning360.dag_yaml.action import ActionOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

SERVER_ERROR = 500
MAX_SECONDS = 60.0  # to connect, and to wait for the response, unless the connection has a `timeout`
_SILENT = logging.Logger(__name__, logging.CRITICAL + 1)  # noqa: LOG001 - no configuration may let it speak


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
        self.find_connection(self.http_conn_id, "http")
        hook = _build_hook(self.method, self.http_conn_id)
        # A redirect would send the body to another address. The response is not read: it may be endless.
        options = {"check_response": False, "allow_redirects": False, "stream": True}
        headers = {"Content-Type": "application/json", **(texts["headers"] or {})}
        content = json.dumps({} if texts["body"] is None else texts["body"])
        try:
            with hook.run(texts["endpoint"], data=content, headers=headers, extra_options=options) as response:
                status = response.status_code
        except ValueError as error:  # also of `requests`: an address or header that cannot be sent
            kind, is_sent = type(error).__name__, False
        except (AirflowException, OSError) as error:
            kind, is_sent = type(error).__name__, True
        else:
            return self._read(status)
        # Outside the handler: the text of the error holds the address, which may hold a secret.
        if is_sent:
            raise TryAgainError(
                f"The webhook of connection {self.http_conn_id!r} did not respond ({kind}). It may have received the "
                "call; a retry calls it again. Check host and network."
            )
        raise FixArgumentError(
            f"The webhook of connection {self.http_conn_id!r} was not called ({kind}): an address or a header cannot "
            "be sent. Check host, endpoint, and that headers are texts on one line."
        )

    def _read(self, status: int) -> WebhookAnswer:
        if status >= SERVER_ERROR:
            raise TryAgainError(
                f"The webhook of connection {self.http_conn_id!r} returned {status}: its server has a problem. A retry "
                "calls it again."
            )
        if status >= 300:
            raise ContractError(
                f"The webhook of connection {self.http_conn_id!r} returned {status}. Check host, endpoint, body and "
                "headers. Redirects are not followed."
            )
        self.log.info("The webhook of connection %r returned %d.", self.http_conn_id, status)
        return {"status": status}


def _build_hook(method: str, http_conn_id: str) -> Any:
    from airflow.providers.http.hooks.http import HttpHook

    class SilentHook(HttpHook):
        """Airflow's hook without its warnings: they show the address, which may hold a secret."""

        log = _SILENT  # type: ignore[assignment]

        def run_and_check(self, session: Any, prepped_request: Any, extra_options: dict[str, Any]) -> Any:
            """Send the request, with a time-out where the connection has none."""
            return super().run_and_check(session, prepped_request, {"timeout": MAX_SECONDS, **extra_options})

    return SilentHook(method=method, http_conn_id=http_conn_id)
