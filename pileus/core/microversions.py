"""Microversions: which one a request asks for, in either header form (API-SIG guideline "Microversion Specification")."""

import re
from typing import NamedTuple

from pileus.core.errors import BadRequest, NotAcceptable

_FORM = re.compile(r"([1-9][0-9]{0,8})\.([1-9][0-9]{0,8}|0)")


class Version(NamedTuple):
    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


def version(text: str) -> Version:
    match = _FORM.fullmatch(text)
    if not match:
        raise BadRequest(
            f"API Version String {text[:100]} is of invalid format. Must be of format MajorNum.MinorNum.",
            kind="InvalidAPIVersionString",
        )
    return Version(int(match.group(1)), int(match.group(2)))


class Microversions(NamedTuple):
    """A service's range. `service` is its word in OpenStack-API-Version, `legacy` its own older header, if it has one."""

    service: str
    lowest: Version
    newest: Version
    legacy: str | None = None

    def asked(self, headers: dict[str, str]) -> Version:
        """The version of this request; the lowest when none is named. Raises 400 or 406."""
        wanted = self._wanted(headers)
        if wanted is None:
            return self.lowest
        if wanted == "latest":
            return self.newest
        found = version(wanted)
        if not self.lowest <= found <= self.newest:
            raise NotAcceptable(
                f"Version {found} is not supported by the API. Minimum is {self.lowest} and maximum is {self.newest}.",
                kind="InvalidGlobalAPIVersion",
                extra={"max_version": str(self.newest), "min_version": str(self.lowest)},
            )
        return found

    def _wanted(self, headers: dict[str, str]) -> str | None:
        for part in headers.get("openstack-api-version", "").split(","):
            word, _, value = part.strip().partition(" ")
            if word.lower() == self.service:
                return value.strip().lower()
        return headers[self.legacy].strip().lower() if self.legacy and self.legacy in headers else None

    def answer(self, asked: Version) -> dict[str, str]:
        """The headers that say which version was used."""
        headers = {"openstack-api-version": f"{self.service} {asked}", "vary": "OpenStack-API-Version"}
        if self.legacy:
            headers[self.legacy] = str(asked)
            headers["vary"] = f"OpenStack-API-Version, {self.legacy}"
        return headers
