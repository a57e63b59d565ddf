"""The URIs of our assets: how they are checked and written, and what OpenLineage calls them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from airflow_provider_learning360.api.endpoints import require_session_id
from airflow_provider_learning360.api.errors import InvalidIdError

if TYPE_CHECKING:
    from airflow.sdk import Asset

SCHEME = "learning360"
_ROOT = ["programs", "sessions"]


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """
    Return an asset URI in its one form: host and ID in small letters, nothing that the place does not need.

    :param uri: A URI such as `learning360://app.360learning.com/programs/sessions/60b8d2956e20ae1a0f8e44f1`.
    :raises ValueError: It is no such URI; says what is wrong.

    Source: `asset-uris` of Airflow's `provider_info.schema.json`.
    """
    parts = [part for part in uri.path.split("/") if part]
    if not uri.hostname or parts[:2] != _ROOT or len(parts) > 3:
        raise ValueError(
            f"{uri.geturl()!r} is no asset of 360Learning: write {SCHEME}://HOST/programs/sessions/SESSION_ID, "
            f"such as {SCHEME}://app.360learning.com/programs/sessions/60b8d2956e20ae1a0f8e44f1."
        )
    try:
        parts[2:] = [require_session_id(part) for part in parts[2:]]
    except InvalidIdError as error:
        raise ValueError(f"{uri.geturl()!r} is no asset of 360Learning: {error}") from None
    return uri._replace(netloc=uri.netloc.rpartition("@")[2].lower(), path="/" + "/".join(parts))


def convert_asset_to_openlineage(asset: Asset, lineage_context: Any) -> Any:
    """
    Return what OpenLineage calls an asset: the host as namespace, the path as name.

    :param asset: The asset.
    :param lineage_context: The operator or hook that reports it; not used.

    Source: OpenLineage's naming of datasets; `to_openlineage_converter` of Airflow's `provider_info.schema.json`.
    """
    from airflow.providers.common.compat.openlineage.facet import Dataset

    namespace, name = openlineage_name(asset.uri)
    return Dataset(namespace=namespace, name=name)


def openlineage_name(uri: str) -> tuple[str, str]:
    """
    Return namespace and name of the dataset that an asset URI stands for.

    :param uri: The URI of the asset; what its query says of the watch is no part of the name.
    """
    parts = urlsplit(uri)
    return f"{SCHEME}://{parts.netloc}", parts.path.strip("/")
