"""Where a new volume goes: backends that are up and as its type wants them, with room; of these the emptiest."""

import re
from typing import Any

import msgspec
import sqlalchemy as sa

from pileus.block_storage.drivers.base import BACKEND, node_of
from pileus.block_storage.store import Volume, VolumeService, VolumeType
from pileus.core import clock
from pileus.core.db import Tx, sql
from pileus.core.errors import BadRequest
from pileus.core.tables import columns

UP_SECONDS = 60.0
VOLUME_BINARY = "cinder-volume"
PROTOCOL, VENDOR = "files", "pileus"
_TAKEN = sql(
    sa.select(columns(Volume).host, sa.func.coalesce(sa.func.sum(columns(Volume).size), 0))
    .where(columns(Volume).host.is_not(None))
    .group_by(columns(Volume).host)
)


class NoBackend(BadRequest):
    """No backend can take it."""


class Backend(msgspec.Struct):
    """A place for volumes, and what is promised of it."""

    host: str
    service: VolumeService
    allocated_gb: int

    @property
    def capabilities(self) -> dict[str, Any]:
        """As volume types' extra specs and administrators see it."""
        return {
            "volume_backend_name": backend_name(self.host),
            "vendor_name": VENDOR,
            "driver_version": "1.0",
            "storage_protocol": PROTOCOL,
            "total_capacity_gb": self.service.total_gb,
            "free_capacity_gb": self.service.free_gb,
            "allocated_capacity_gb": self.allocated_gb,
            "provisioned_capacity_gb": self.allocated_gb,
            "reserved_percentage": 0,
            "max_over_subscription_ratio": "20.0",
            "location_info": self.host,
            "QoS_support": False,
            "thin_provisioning_support": True,
            "thick_provisioning_support": False,
            "multiattach": True,
            "online_extend_support": True,
            "consistent_group_snapshot_enabled": False,
            "replication_enabled": False,
            "backend_state": "up" if is_up(self.service) else "down",
            "timestamp": clock.naive(self.service.seen_at or self.service.created_at),
            "filter_function": None,
            "goodness_function": None,
        }


def backend_name(host: str) -> str:
    """What volume types call it: each node's has a name of its own."""
    return f"{node_of(host)}-{BACKEND}"


def is_up(service: VolumeService) -> bool:
    return service.seen_at is not None and clock.epoch(clock.now()) - clock.epoch(service.seen_at) < UP_SECONDS


def backends(tx: Tx) -> list[Backend]:
    """All of them, in order of their names."""
    taken = {host: int(size) for host, size in tx.all(_TAKEN)}
    return [
        Backend(f"{service.host}#{BACKEND}", service, taken.get(f"{service.host}#{BACKEND}", 0))
        for service in tx.select(VolumeService, order="host", binary=VOLUME_BINARY)
    ]


def choose(
    tx: Tx, size: int, kind: VolumeType | None, zone: str | None = None, hints: dict[str, Any] | None = None,
    only: str | None = None, also_not: str | None = None,
) -> str:  # fmt: skip
    """A backend's host. `only` is where its source lies. Raises NoBackend, saying what was wrong with each."""
    fits, reasons = [], []
    for backend in backends(tx):
        if only is not None and backend.host != only:
            continue
        why = _unfit(tx, backend, size, kind, zone, hints or {})
        if why is None and backend.host == also_not:
            why = "it is there already"
        if why is None:
            fits.append(backend)
        else:
            reasons.append(f"{backend.host}: {why}")
    if not fits:
        raise NoBackend(
            "No valid backend was found. "
            + ("; ".join(reasons) or (f"There is no {only}." if only else "There is none."))
        )
    return min(fits, key=lambda backend: (backend.allocated_gb, backend.host)).host


def suits(tx: Tx, host: str, kind: VolumeType | None) -> bool:
    """May a volume of this type be where it is?"""
    return any(b.host == host and _against_type(b, kind) is None for b in backends(tx))


def _unfit(
    tx: Tx, backend: Backend, size: int, kind: VolumeType | None, zone: str | None, hints: dict[str, Any]
) -> str | None:
    service = backend.service
    if service.disabled or service.frozen:
        return "it is disabled"
    if not is_up(service):
        return "it is down"
    if zone and service.availability_zone != zone:
        return f"it is not in zone {zone}"
    if service.free_gb < size:
        return f"it has {service.free_gb} GiB left of the {size} GiB wanted"
    return _against_type(backend, kind) or _against_hints(tx, backend.host, hints)


def _against_type(backend: Backend, kind: VolumeType | None) -> str | None:
    """An extra spec of another scope (`provider:x`) is none of the scheduler's."""
    for name, wanted in (kind.extra_specs if kind else {}).items():
        scope, _, bare = name.rpartition(":")
        if scope not in ("", "capabilities"):
            continue
        if bare not in backend.capabilities:
            return f"it knows nothing of {bare}"
        if not matches(backend.capabilities[bare], wanted):
            return f"its {bare} is not {wanted}"
    zones = (kind.extra_specs if kind else {}).get("RESKEY:availability_zones")
    if zones and backend.service.availability_zone not in [zone.strip() for zone in zones.split(",")]:
        return f"it is in none of the zones {zones}"
    return None


def _against_hints(tx: Tx, host: str, hints: dict[str, Any]) -> str | None:
    for name, same in (("same_host", True), ("different_host", False)):
        wanted = hints.get(name) or []
        for volume_id in wanted if isinstance(wanted, list) else [wanted]:
            other = tx.find(Volume, id=volume_id) if isinstance(volume_id, str) else None
            if other is not None and (other.host == host) is not same:
                return f"hint {name} {volume_id}"
    return None


_WORDS = {"true": True, "false": False}


def matches(have: Any, wanted: str) -> bool:
    """An extra spec's condition on a capability: `<is> True`, `<in> text`, `>= 3`, `<or> a <or> b`, or the value itself."""
    text = wanted.strip()
    if text.startswith("<is>"):
        return bool(have) is _WORDS.get(text[4:].strip().lower())
    if text.startswith("<in>"):
        return text[4:].strip() in str(have)
    if text.startswith("<or>"):
        return str(have) in [part.strip() for part in text.split("<or>") if part.strip()]
    compared = re.fullmatch(r"(>=|<=|==|!=|=|s==|s!=|s>=|s<=|s>|s<)\s*(\S.*)", text)
    if compared is None:
        return str(have).lower() == text.lower()
    operator, value = compared.groups()
    if operator.startswith("s"):
        return _compare(operator[1:], str(have), value)
    try:
        return _compare(">=" if operator == "=" else operator, float(have), float(value))
    except (TypeError, ValueError):
        return False


def _compare(operator: str, have: Any, value: Any) -> bool:
    found: bool = {
        ">=": have >= value, "<=": have <= value, "==": have == value, "!=": have != value, ">": have > value,
        "<": have < value,
    }[operator]  # fmt: skip
    return found
