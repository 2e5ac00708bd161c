"""Object storage's part of the settings: with whom containers may be kept the same."""

from typing import Any

import msgspec


class Realm(msgspec.Struct, forbid_unknown_fields=True):
    """Clusters that share a key; `clusters` says where each is, an empty address for this cloud's own."""

    key: str
    clusters: dict[str, str] = {}
    key2: str = ""


class Options(msgspec.Struct, forbid_unknown_fields=True):
    """`sync_hosts` may be named in X-Container-Sync-To by themselves, as `http://host/v1/account/container`."""

    sync_realms: dict[str, Realm] = {}
    sync_hosts: list[str] = []


def load(settings: Any) -> Options:
    """Raises ValueError."""
    try:
        return msgspec.convert(settings.object_storage, Options)
    except msgspec.ValidationError as error:
        raise ValueError(f"object_storage: {error}") from None
