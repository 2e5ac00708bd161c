"""Where a server goes: filters which each say why a host will not do, then the one with most free. Pure functions."""

from collections.abc import Callable, Iterable

import msgspec

from pileus.core.errors import EngineError

CPU_RATIO = 16.0  # guests seldom use all their processors at once; memory and disks they do
RAM_RATIO = 1.0
DISK_RATIO = 1.0
RESERVED_MB = 512  # of a host's memory, for itself


class Candidate(msgspec.Struct):
    """A host with what it has and what is claimed of it."""

    name: str
    zone: str
    up: bool
    disabled: bool
    vcpus: int
    memory_mb: int
    disk_gb: int
    vcpus_used: int = 0
    memory_mb_used: int = 0
    disk_gb_used: int = 0

    @property
    def free_vcpus(self) -> int:
        return int(self.vcpus * CPU_RATIO) - self.vcpus_used

    @property
    def free_mb(self) -> int:
        return int(self.memory_mb * RAM_RATIO) - RESERVED_MB - self.memory_mb_used

    @property
    def free_gb(self) -> int:
        return int(self.disk_gb * DISK_RATIO) - self.disk_gb_used


class Need(msgspec.Struct):
    """What a server takes, and what was said about where it may be."""

    vcpus: int
    memory_mb: int
    disk_gb: int
    zone: str | None = None
    host: str | None = None  # wished for: filtered like others
    forced: bool = False  # the wish overrides a disabled service
    only: list[str] | None = None  # hosts, as server groups and hints say
    avoid: list[str] = []
    near: list[str] = []  # better than others
    far: list[str] = []  # worse than others
    grouped: str = ""  # why, for the reasons


class NoValidHost(EngineError):
    """Every host was refused; `reasons` says by what."""

    def __init__(self, reasons: dict[str, str]):
        shown = "; ".join(f"{host}: {why}" for host, why in list(reasons.items())[:20])
        more = f"; and {len(reasons) - 20} more hosts" if len(reasons) > 20 else ""
        super().__init__(f"No valid host was found. {shown or 'There are no hosts.'}{more}")
        self.reasons = reasons


def _wished(host: Candidate, need: Need) -> str | None:
    return f"not the host asked for, {need.host}" if need.host and host.name != need.host else None


def _enabled(host: Candidate, need: Need) -> str | None:
    return "its compute service is disabled" if host.disabled and not need.forced else None


def _up(host: Candidate, need: Need) -> str | None:
    return None if host.up else "its compute service is down"


def _zone(host: Candidate, need: Need) -> str | None:
    return f"not in availability zone {need.zone}" if need.zone and host.zone != need.zone else None


def _grouped(host: Candidate, need: Need) -> str | None:
    refused = host.name in need.avoid or (need.only is not None and host.name not in need.only)
    return need.grouped or "not where other servers want it" if refused else None


def _processors(host: Candidate, need: Need) -> str | None:
    if need.vcpus > host.vcpus:
        return f"has {host.vcpus} processors, {need.vcpus} are wanted"
    return _short("vCPUs", need.vcpus, host.free_vcpus)


def _memory(host: Candidate, need: Need) -> str | None:
    return _short("MiB of memory", need.memory_mb, host.free_mb)


def _disk(host: Candidate, need: Need) -> str | None:
    return _short("GiB of disk", need.disk_gb, host.free_gb)


def _short(what: str, wanted: int, free: int) -> str | None:
    return f"{max(0, free)} {what} free, {wanted} wanted" if wanted > free else None


# Cheap ones and those which say most first: the first refusal is the reason shown.
FILTERS: list[Callable[[Candidate, Need], str | None]] = [
    _wished, _enabled, _up, _zone, _grouped, _processors, _memory, _disk,
]  # fmt: skip


def reason(host: Candidate, need: Need) -> str | None:
    """Why this host will not do, or None."""
    return next((why for refuse in FILTERS if (why := refuse(host, need))), None)


def choose(hosts: Iterable[Candidate], need: Need) -> Candidate:
    """The fitting host with most free memory, then processors. Raises NoValidHost."""
    reasons: dict[str, str] = {}
    fitting: list[Candidate] = []
    for host in hosts:
        if why := reason(host, need):
            reasons[host.name] = why
        else:
            fitting.append(host)
    if not fitting:
        raise NoValidHost(reasons)
    return max(
        fitting,
        key=lambda host: (
            host.name in need.near, host.name not in need.far, host.free_mb, host.free_vcpus, host.free_gb,
        ),
    )  # fmt: skip
