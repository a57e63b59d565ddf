"""Bodies with files (`multipart/form-data`): some operations take pictures or documents."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from hashlib import sha256
from mimetypes import guess_type
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.catalogue.differences import resolve
from airflow_provider_learning360.api.catalogue.operation import MULTIPART_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_learning360.api.catalogue.operation import JsonSchema, Operation

# What may not stand in the name of a field or file. Source: RFC 7578, section 4.2, and the HTML standard.
_ESCAPES = str.maketrans({"\r": "%0D", "\n": "%0A", '"': "%22"})


@dataclass(frozen=True)
class UploadedFile:
    """
    A file that is sent in the body of a request.

    :param name: Its name, without a folder.
    :param content: Its bytes.
    """

    name: str
    content: bytes = field(repr=False)

    @property
    def content_type(self) -> str:
        """Its content type, by its name."""
        return guess_type(self.name)[0] or "application/octet-stream"


def takes_files(operation: Operation) -> bool:
    """
    Whether the body of an operation has files.

    :param operation: The operation.
    """
    return operation.body is not None and operation.body.get("type") == MULTIPART_TYPE


def find_file_fields(operation: Operation) -> list[str]:
    """
    Return the names of the fields of a body that are files.

    :param operation: The operation.
    """
    if operation.body is None or not takes_files(operation):
        return []
    properties = resolve(operation.body["schema"], operation.schemas).get("properties", {})
    return [name for name, one in properties.items() if is_file(one)]


def is_file(schema: JsonSchema) -> bool:
    """
    Whether a schema is that of a file, or of a file or something else.

    :param schema: The schema.
    """
    return schema.get("format") == "binary" or any(map(is_file, schema.get("anyOf", ())))


def encode_multipart(fields: Mapping[str, Any]) -> tuple[str, bytes]:
    """
    Encode a body.

    :param fields: Its fields: texts, numbers, files, or lists and mappings of them.
    :returns: The content type, with the boundary, and the body.

    Source: RFC 7578.
    """
    parts = [_encode_part(name, value) for name, value in _flatten(fields)]
    # A hash of all parts cannot be in one of them, except by chance; the same body gives the same bytes.
    boundary = sha256(b"\0".join(parts)).hexdigest()
    lines = [b"--" + boundary.encode() + b"\r\n" + part + b"\r\n" for part in parts]
    return f"{MULTIPART_TYPE}; boundary={boundary}", b"".join(lines) + f"--{boundary}--\r\n".encode()


def _flatten(fields: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield names and values; the items of a list are numbered, as in queries."""
    for name, value in fields.items():
        full = f"{prefix}[{name}]" if prefix else str(name)
        if isinstance(value, list):
            yield from _flatten({str(number): one for number, one in enumerate(value)}, full)
        elif isinstance(value, dict):
            yield from _flatten(value, full)
        else:
            yield full, value


def _encode_part(name: str, value: Any) -> bytes:
    disposition = f'Content-Disposition: form-data; name="{name.translate(_ESCAPES)}"'
    if isinstance(value, UploadedFile):
        head = f'{disposition}; filename="{value.name.translate(_ESCAPES)}"\r\nContent-Type: {value.content_type}'
        return f"{head}\r\n\r\n".encode() + value.content
    text = value if isinstance(value, str) else json.dumps(value)
    return f"{disposition}\r\n\r\n{text}".encode()
