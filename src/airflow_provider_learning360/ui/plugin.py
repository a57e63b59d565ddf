"""How Airflow finds the page: a plugin. Every process of Airflow loads it, so it imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowPlugin, conf

from airflow_provider_learning360.ui.prefix import PREFIX

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Message = MutableMapping[str, Any]


class PageApp:
    """
    The page as an ASGI application that is built at the first request.

    Source: Airflow's `fastapi_apps` of a plugin; `airflow plugins` shows the name of this class.
    """

    def __init__(self) -> None:
        self._app: Any = None

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        if self._app is None:
            from airflow_provider_learning360.ui.app import create_app

            self._app = create_app()
        await self._app(scope, receive, send)


class LearningPlugin(AirflowPlugin):
    """
    The page "360Learning" and its entry in the navigation; `[learning360] page = False` leaves both out.

    Source: Airflow's `AirflowPlugin`; the entry needs Airflow 3.1.
    """

    name = "learning360"
    _is_enabled = conf.getboolean("learning360", "page", fallback=True)
    fastapi_apps = [{"app": PageApp(), "url_prefix": PREFIX, "name": "360Learning"}] if _is_enabled else []
    external_views = (
        # Relative: Airflow is not always at the root of its host.
        [
            {
                "name": "360Learning",
                "href": f"{PREFIX.strip('/')}/",
                "url_route": PREFIX.strip("/"),
                "destination": "nav",
                "category": "browse",
            }
        ]
        if _is_enabled
        else []
    )
