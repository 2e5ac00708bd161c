"""A directory in memory: it keeps state, and can be told to be down, or to keep everybody waiting."""

import threading

from pileus.core.errors import Unavailable
from pileus.identity.ldap.entries import Circle, Person, plain


class FakeDirectory:
    def __init__(self) -> None:
        self.persons: dict[str, Person] = {}  # by DN
        self.passwords: dict[str, str] = {}
        self.groups: dict[str, Circle] = {}
        self.down = False
        self.let_go = threading.Event()  # while it is not set, nothing is answered
        self.let_go.set()
        self.waiting = 0

    def add(self, person: Person, password: str) -> None:
        self.persons[person.dn] = person
        self.passwords[person.dn] = password

    def _answer(self) -> None:
        self.waiting += 1
        self.let_go.wait()
        self.waiting -= 1
        if self.down:
            raise Unavailable("The domain's directory does not answer as it should; try again.")

    def people(self) -> list[Person]:
        self._answer()
        return list(self.persons.values())

    def circles(self) -> list[Circle]:
        self._answer()
        return list(self.groups.values())

    def find(self, *, name: str | None = None, local_id: str | None = None) -> Person | None:
        self._answer()
        found = [
            one
            for one in self.persons.values()
            if (one.name.lower() == name.lower() if name is not None else one.local_id == local_id)
        ]
        return found[0] if len(found) == 1 else None

    def circles_of(self, members: list[str]) -> list[Circle]:
        self._answer()
        wanted = {plain(member) for member in members}
        return [group for group in self.groups.values() if wanted & set(group.members)]

    def proves(self, dn: str, password: str) -> bool:
        self._answer()
        return bool(password) and self.passwords.get(dn) == password
