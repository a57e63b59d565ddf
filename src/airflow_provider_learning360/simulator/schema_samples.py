"""Sample values of a JSON Schema: the same schema and the same seed give the same value."""

from __future__ import annotations

import hashlib
import math
import re
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.simulator.people import derive_id
from airflow_provider_learning360.simulator.sample_data import format_date, make_people

if TYPE_CHECKING:
    from airflow_provider_learning360.simulator.documented import Documented, Schema
    from airflow_provider_learning360.simulator.sample_data import Document

ID_PATTERN = "^[a-fA-F0-9]{24}$"
# Of what is over, failed or deleted: most objects do not have them.
_UNUSUAL = ("deletedAt", "archivedAt", "unenrolledAt", "reactivatedAt", "toBeDeactivatedAt", "errorMessage")
_NESTED_ITEMS = 2
_LANGUAGE = "en"
# Days from today, by the beginning of a field's name, in the order of a life.
_DAYS = {
    "created": -90,
    "enrolled": -60,
    "deliver": -40,
    "firstactivity": -30,
    "started": -30,
    "completed": -8,
    "lastactivity": -6,
    "modified": -4,
    "updated": -4,
    "start": 7,
    "end": 8,
    "due": 14,
    "expir": 300,
}
_TEXTS = {
    "timezone": "Europe/Paris",
    "phone": "+33 1 00 00 00 00",
    "color": "#1f6feb",
    "lang": "en",
    "secret": "sample",
}


class Sampler:
    """Makes sample values of the schemas of one operation.

    :param operation: the operation.
    :param today: the day around which dates are.
    """

    def __init__(self, operation: Documented, today: date) -> None:
        self._operation = operation
        self._midnight = datetime.combine(today, time(), UTC)

    def make(self, schema: Schema, seed: str, name: str = "") -> Any:
        """Return a sample value.

        :param schema: the schema.
        :param seed: what the value depends on.
        :param name: name of the field that it is for.
        """
        resolved = self._operation.resolve(schema)
        if "enum" in resolved:
            words = resolved["enum"]
            return _LANGUAGE if _LANGUAGE in words else words[_number(seed) % len(words)]
        kinds = resolved.get("type", "object")
        match kinds if isinstance(kinds, str) else next(one for one in kinds if one != "null"):
            case "object":
                return self.make_object(resolved, seed)
            case "array":
                count = max(min(_NESTED_ITEMS, resolved.get("maxItems", _NESTED_ITEMS)), resolved.get("minItems", 0))
                return [self.make(resolved["items"], f"{seed} {place}", name) for place in range(count)]
            case "string":
                return self._make_text(resolved, seed, name)
            case "boolean":
                return bool(_number(seed) % 2)
            case "null":
                return None
            case _:
                low = math.ceil(resolved.get("minimum", 0))
                return low + _number(seed) % (min(resolved.get("maximum", low + 100), low + 100) - low + 1)

    def make_object(self, schema: Schema, seed: str) -> dict[str, Any]:
        """Return a sample object, with the optional fields that are usual.

        :param schema: the schema, without references.
        :param seed: what the object depends on.
        """
        required = schema.get("required", ())
        fields = schema.get("properties", {}).items()
        return {
            name: self.make(one, f"{seed}.{name}", name)
            for name, one in fields
            if name in required or name not in _UNUSUAL
        }

    def _make_text(self, schema: Schema, seed: str, name: str) -> str:
        kind, pattern = schema.get("format"), schema.get("pattern")
        if kind in ("date-time", "date"):
            moment = format_date(self._make_date(seed, name))
            return moment if kind == "date-time" else moment[:10]
        if pattern == ID_PATTERN or (pattern is None and name.endswith(("_id", "Id", "Ids")) and name != "externalId"):
            return derive_id(seed)
        text = _make_words(seed, name)
        text = text.lower().replace(" ", "-") if pattern is not None else text
        return text.ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength")]

    def _make_date(self, seed: str, name: str) -> datetime:
        days = next((days for start, days in _DAYS.items() if name.lower().startswith(start)), -10)
        return self._midnight + timedelta(days=days, hours=8 + _number(seed) % 9)


def _number(seed: str) -> int:
    return int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=4).digest())


def _make_words(seed: str, name: str) -> str:
    """Return a text that fits the name of its field."""
    plain = name.lower()
    people = _make_people()
    person = people[_number(seed.rpartition(".")[0]) % len(people)]
    if name in person:
        return str(person[name])
    if plain.endswith(("mail", "mails", "username")):
        return str(person["mail"])
    if "url" in plain:
        return f"https://example.com/{plain.replace('url', '') or 'page'}"
    words = re.sub("([A-Z])", r" \1", name).lower() or "text"
    return _TEXTS.get(plain, f"Sample {words} {_number(seed) % 100}")


@cache
def _make_people() -> list[Document]:
    return make_people(40, "samples")
