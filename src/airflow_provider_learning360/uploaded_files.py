"""Files on this machine that are sent to 360Learning in the body of a request."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.errors import FixArgumentError

if TYPE_CHECKING:
    from airflow_provider_learning360.api.catalogue.operation import Operation

MAX_FILE_BYTES = 256 * 1024 * 1024  # a file is held in memory, once for each task that sends it


def read_files(operation: Operation, body: Any, limit: int = MAX_FILE_BYTES) -> Any:
    """
    Return a body in which the path of each file is replaced by the file.

    :param operation: The operation.
    :param body: Its body, with the paths of files.
    :param limit: Size of one file, in bytes, above which it is refused; default 256 MiB.
    :returns: The body; unchanged if the operation takes no files.
    :raises FixArgumentError: A file is missing, cannot be read, or is too large.
    """
    from airflow_provider_learning360.api.catalogue.multipart import find_file_fields
    from airflow_provider_learning360.api.session_ids import is_session_id

    if not isinstance(body, dict):
        return body
    # A file field may also take the ID of a picture that is there already.
    paths = {
        name: body[name]
        for name in find_file_fields(operation)
        if isinstance(body.get(name), str) and not is_session_id(body[name])
    }
    return {**body, **{name: _read_file(f"body.{name}", Path(path), limit) for name, path in paths.items()}}


def _read_file(place: str, path: Path, limit: int) -> Any:
    from airflow_provider_learning360.api.catalogue.multipart import UploadedFile

    if "\0" in str(path):
        raise FixArgumentError(f"{place}: {str(path)!r} is not the path of a file.")
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise FixArgumentError(f"{place}: {str(path)!r} is not a file.")
        if size > limit:
            raise FixArgumentError(f"{place}: {str(path)!r} has {size:,} bytes, more than {limit:,}. Send less.")
        return UploadedFile(path.name, path.read_bytes())
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise FixArgumentError(
            f"{place}: the file {str(path)!r} cannot be read on this machine: {reason}. Give the path of a file there."
        ) from None
