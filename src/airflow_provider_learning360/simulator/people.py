"""The users of the company: learners, instructors, authors, and everybody else, by ID and by mail."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_learning360.simulator.sample_data import Document


def derive_id(*parts: object) -> str:
    """Return an ID of 24 hexadecimal digits: the same parts give the same ID."""
    return hashlib.blake2b(repr(parts).encode(), digest_size=12).hexdigest()


class People:
    """Users in the order in which they became known. None is ever forgotten, as on a real platform.

    :param people: users to start with: ``_id``, and as far as they have them ``mail``, ``username``, names, ``status``.
    """

    def __init__(self, people: Iterable[Document]) -> None:
        self._by_id: dict[str, Document] = {}
        self._ids_by_mail: dict[str, str] = {}
        for person in people:
            self.add(person)

    def add(self, person: Document) -> None:
        """Add a user, or what is new about one."""
        user_id = person["_id"]
        self._by_id[user_id] = self._by_id.get(user_id, {}) | person
        if isinstance(person.get("mail"), str):
            self._ids_by_mail.setdefault(person["mail"], user_id)

    def get(self, user_id: object) -> Document | None:
        """Return the user with an ID."""
        return self._by_id.get(user_id) if isinstance(user_id, str) else None

    def all(self) -> list[Document]:
        """Return all users, the oldest first."""
        return list(self._by_id.values())

    def id_of(self, mail: str) -> str:
        """Return the ID of the user with a mail; an unknown user is added. An ID is its own."""
        if mail in self._by_id:
            return mail
        if mail not in self._ids_by_mail:
            self.add({"_id": derive_id("user", mail), "mail": mail})
        return self._ids_by_mail[mail]

    def learn(self, document: Document) -> None:
        """Add people whom a session names and the simulator does not know yet. A test may write anything there."""
        tutors, users = document.get("tutors"), document.get("users")
        for mail in [document.get("author"), *(tutors if isinstance(tutors, list) else [])]:
            if isinstance(mail, str) and mail:
                self.id_of(mail)
        for user in users if isinstance(users, list) else []:
            self.learn_user(user)

    def learn_user(self, user: Any) -> str | None:
        """Add a user as a session lists one, and return the ID; None for what is no user."""
        if not isinstance(user, dict):
            return None
        user_id, mail = user.get("_id"), user.get("mail")
        if isinstance(user_id, str):
            if user_id not in self._by_id or not user.items() <= self._by_id[user_id].items():
                self.add(user)
            return user_id
        return self.id_of(mail) if isinstance(mail, str) else None
