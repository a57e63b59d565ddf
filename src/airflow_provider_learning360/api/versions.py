"""The one place that decides which version of the API a connection speaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_learning360.api.platform import Platform
    from airflow_provider_learning360.api.settings import LearningSettings


def build_platform(settings: LearningSettings, monotonic: Callable[[], float]) -> Platform:
    """
    Return the platform of a connection.

    :param settings: The settings of the connection.
    :param monotonic: Monotonic clock, in seconds.
    :returns: A new platform, which has read nothing yet.
    """
    if settings.api_version == "v2":
        from airflow_provider_learning360.api.v2.platform import PlatformV2

        return PlatformV2(settings.host, monotonic, settings.missing_poll_interval)
    from airflow_provider_learning360.api.v1.platform import PlatformV1

    return PlatformV1(are_keys_suspicious=bool(settings.key_hint))
