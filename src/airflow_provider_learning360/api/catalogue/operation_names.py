"""The name of an operation that the vendor added, built from its method and path."""

from __future__ import annotations

import re
from itertools import count
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Container

ROOT: Final = "/api/v2/"
_VERBS = {"GET": "get", "POST": "create", "PUT": "replace", "PATCH": "edit", "DELETE": "delete"}
_PARAMETER = re.compile(r"\{\w+\}")


def build_name(method: str, path: str, is_list: bool, taken: Container[str]) -> str:
    """
    Return a name such as `list-path-sessions`; a person may write a better one into the catalogue.

    :param method: HTTP method, in capitals.
    :param path: Path from the root of the host, with parameters in braces.
    :param is_list: Whether the operation returns a list.
    :param taken: Names that other operations have.
    :returns: A name that is not taken.
    """
    words = [_VERBS[method], *_find_nouns(path, plural=method != "POST")]
    if is_list and method == "GET":
        words[0] = "list"
    if words[1:2] == ["bulk"]:
        words[:2] = ["bulk", words[0]]
    name = "-".join(words)
    numbered = (name if number == 1 else f"{name}-{number}" for number in count(1))
    return next(one for one in numbered if one not in taken)


def _find_nouns(path: str, plural: bool) -> list[str]:
    """Return the words of a path. A word is singular before a parameter, and at the end if it is not `plural`."""
    segments = path.removeprefix(ROOT).strip("/").split("/")
    nouns = []
    for segment, following in zip(segments, [*segments[1:], ""], strict=True):
        if _PARAMETER.fullmatch(segment):
            continue
        word = _to_words(_PARAMETER.sub("", segment))
        is_one = bool(_PARAMETER.fullmatch(following)) or (not following and not plural)
        nouns.append(_make_singular(word) if is_one else word)
    # What contains something is one thing: `/paths/sessions` are the sessions of a path.
    return [*map(_make_singular, nouns[:-1]), *nouns[-1:]]


def _to_words(segment: str) -> str:
    """Return `userStats` as `user-stats`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", segment).lower().strip("-")


def _make_singular(word: str) -> str:
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word
