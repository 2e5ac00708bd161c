"""The contract of a directory: somewhere else that knows users, groups and passwords. Nothing is ever written there."""

from typing import Protocol

from pileus.identity.ldap.entries import Circle, Person


class DirectoryContract(Protocol):
    """Each call raises Unavailable when the directory does not answer, within seconds."""

    def people(self) -> list[Person]:
        """Everybody. Called every now and then, to bring the rows here up to date."""

    def circles(self) -> list[Circle]:
        """All groups, with their members."""

    def find(self, *, name: str | None = None, local_id: str | None = None) -> Person | None:
        """The one of this name or id; None also where several have it. Called when somebody logs in."""

    def circles_of(self, members: list[str]) -> list[Circle]:
        """The groups that have one of these members, by DN or local id. Their members are not among what is told."""

    def proves(self, dn: str, password: str) -> bool:
        """Is this the password of that entry?"""
