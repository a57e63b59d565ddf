"""How Airflow finds the page: a plugin. Every process of Airflow loads it, so that it imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowPlugin, conf

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Message = MutableMapping[str, Any]

PREFIX = "/learning360"


class PageApp:
    """
    The page as an ASGI application that is built when it is first asked for something.

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
    _wanted = conf.getboolean("learning360", "page", fallback=True)
    fastapi_apps = [{"app": PageApp(), "url_prefix": PREFIX, "name": "360Learning"}] if _wanted else []
    external_views = (
        # Relative to where Airflow itself is, which is not always the root of the host.
        [
            {
                "name": "360Learning",
                "href": f"{PREFIX.strip('/')}/",
                "url_route": PREFIX.strip("/"),
                "destination": "nav",
                "category": "browse",
            }
        ]
        if _wanted
        else []
    )
