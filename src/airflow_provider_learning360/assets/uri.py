"""The URIs of our assets: how they are checked and normalized, and their names in OpenLineage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from airflow_provider_learning360.api.errors import InvalidIdError
from airflow_provider_learning360.api.session_ids import require_session_id

if TYPE_CHECKING:
    from airflow.sdk import Asset

SCHEME = "learning360"
_ROOT = ["programs", "sessions"]


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """
    Return an asset URI in its normal form: host and ID in lower case, no user, no trailing slash.

    :param uri: A URI such as `learning360://app.360learning.com/programs/sessions/60b8d2956e20ae1a0f8e44f1`.
    :returns: The URI in its normal form.
    :raises ValueError: It is not the URI of a program session.

    Source: `asset-uris` of Airflow's `provider_info.schema.json`.
    """
    parts = [part for part in uri.path.split("/") if part]
    if not uri.hostname or parts[:2] != _ROOT or len(parts) > 3:
        raise ValueError(
            f"{uri.geturl()!r} is not an asset of 360Learning. Write {SCHEME}://HOST/programs/sessions/SESSION_ID, "
            f"such as {SCHEME}://app.360learning.com/programs/sessions/60b8d2956e20ae1a0f8e44f1."
        )
    try:
        parts[2:] = [require_session_id(part) for part in parts[2:]]
    except InvalidIdError as error:
        raise ValueError(f"{uri.geturl()!r} is not an asset of 360Learning: {error}") from None
    return uri._replace(netloc=uri.netloc.rpartition("@")[2].lower(), path="/" + "/".join(parts))


def convert_asset_to_openlineage(asset: Asset, lineage_context: Any) -> Any:
    """
    Return the OpenLineage dataset of an asset: the host is its namespace, the path its name.

    :param asset: The asset.
    :param lineage_context: The operator or hook that reports it; not used.
    :returns: OpenLineage's `Dataset`.

    Source: OpenLineage's naming of datasets; `to_openlineage_converter` of Airflow's `provider_info.schema.json`.
    """
    from airflow.providers.common.compat.openlineage.facet import Dataset

    namespace, name = openlineage_name(asset.uri)
    return Dataset(namespace=namespace, name=name)


def openlineage_name(uri: str) -> tuple[str, str]:
    """
    Return namespace and name of the OpenLineage dataset of an asset URI.

    :param uri: The URI of the asset; its query, which describes the watch, is not part of the name.
    :returns: Namespace and name.
    """
    parts = urlsplit(uri)
    return f"{SCHEME}://{parts.netloc}", parts.path.strip("/")
