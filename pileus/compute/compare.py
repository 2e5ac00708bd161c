"""Rows against hosts: what should be on a host and what its node says is there. Pure, so that both the reconcile task
and `pileus fsck` see the same, and tests need no host."""

from collections.abc import Collection, Iterable, Mapping

import msgspec

from pileus.compute import states
from pileus.compute.store import Claim, Server
from pileus.core.reconcile import Difference
from pileus.node import protocol as p

LEFT_OVER, MISSING, DISKLESS, STRAY_TAP, LISTENER, DEAF = "left-over", "missing", "diskless", "tap", "listener", "deaf"
STUCK, CLAIM = "stuck", "claim"
VOLUME = "volume"
SNAPSHOT, ASIDE, STRANDED, RESCUE = "snapshot", "aside", "stranded", "rescue"
# where a server has a guest on its host
SETTLED = (states.ACTIVE, states.STOPPED, states.HELD, states.SUSPENDED, states.RESCUED, states.RESIZED)


class Rows(msgspec.Struct):
    """What the database says, read after the hosts were asked: what has ended since is then not missed."""

    servers: dict[str, Server]
    claims: dict[str, Claim]
    busy: set[str]  # servers with an unfinished saga: in flight, so no difference
    networks: dict[str, set[str]]  # by host: networks of its servers, also of those in flight
    listening: dict[str, set[str]]  # by host: where metadata has to be answered by now
    kept: set[tuple[str, str]] = set()  # (host, server): what may have to go back there is not left over
    imaging: set[str] = set()  # images that are being made of servers
    volumes: dict[str, set[str]] = {}  # by server: volumes that its guest should have


def on_host(host: str, report: p.Report, rows: Rows) -> list[Difference]:
    """How a host differs from the rows."""
    found = [difference for state in report.instances if (difference := _left_over(host, state, rows))]
    there = {state.server_id: state for state in report.instances}
    for server in rows.servers.values():
        if server.host == host and server.id not in rows.busy and server.vm_state in SETTLED:
            found += _missing(host, server, there.get(server.id))
        if server.host == host and server.id not in rows.busy and server.id in there:
            found += _forgotten(host, server, there[server.id], (host, server.id) in rows.kept)
            found += _plugged(host, server, there[server.id], rows.volumes.get(server.id, set()))
    found += [
        Difference(host, SNAPSHOT, image_id, "a copy of a disk is here that nobody makes an image of")
        for image_id in report.snapshots
        if image_id not in rows.imaging
    ]
    found += [Difference(host, STRAY_TAP, tap, "a tap of no guest") for tap in report.stray_taps]
    for network_id in sorted(set(report.networks) - rows.networks.get(host, set())):
        found.append(Difference(host, LISTENER, network_id, "metadata is answered in a network without servers here"))
    for network_id in sorted(rows.listening.get(host, set()) - set(report.networks)):
        found.append(Difference(host, DEAF, network_id, "metadata is not answered in a network with servers here"))
    return found


def _left_over(host: str, state: p.InstanceState, rows: Rows) -> Difference | None:
    if (
        state.server_id in rows.busy
        or (host, state.server_id) in rows.kept
        or not (state.domain or state.disks or state.spec)
    ):
        return None
    server = rows.servers.get(state.server_id)
    if server is not None and server.host == host:
        return None
    parts = [*(["a guest"] if state.domain else []), *state.disks]
    where = "no such server" if server is None else f"the server is on {server.host or 'no host'}"
    return Difference(host, LEFT_OVER, state.server_id, f"{', '.join(parts) or 'a description'} is here: {where}")


def _missing(host: str, server: Server, state: p.InstanceState | None) -> Iterable[Difference]:
    if state is not None and state.aside and not state.disks:
        yield Difference(host, STRANDED, server.id, "the server's disks are put aside, and it is not being moved")
    elif state is None or (server.root_image_id and not state.disks):
        yield Difference(host, DISKLESS, server.id, "the server's disks are not here")
    elif not state.domain:
        yield Difference(host, MISSING, server.id, "the server's guest is not here")


def _plugged(host: str, server: Server, state: p.InstanceState, wanted: set[str]) -> Iterable[Difference]:
    """Volumes, as its node was told of them."""
    if state.spec and server.vm_state in SETTLED and wanted != set(state.volumes):
        more, less = set(state.volumes) - wanted, wanted - set(state.volumes)
        parts = [f"{what} {', '.join(sorted(which))}" for what, which in (("has", more), ("lacks", less)) if which]
        yield Difference(host, VOLUME, server.id, f"the guest {' and '.join(parts)}")


def _forgotten(host: str, server: Server, state: p.InstanceState, moving: bool) -> Iterable[Difference]:
    """Disks beside a server's own, of what was done to it before."""
    if state.aside and state.disks and not moving:
        yield Difference(host, ASIDE, server.id, "disks are put aside for a move that is over")
    if not server.rescue_image_id and any(name.startswith("rescue") for name in state.disks):
        yield Difference(host, RESCUE, server.id, "a rescue disk is here, and the server is not rescued")


def in_database(rows: Rows) -> list[Difference]:
    """How the rows differ among themselves."""
    found = []
    for server in rows.servers.values():
        if server.id in rows.busy:
            continue
        if server.task_state is not None or server.vm_state == states.BUILDING:
            doing = server.task_state or server.vm_state
            found.append(Difference("database", STUCK, server.id, f"is {doing}, but nobody is at work on it"))
        claim = rows.claims.get(server.id)
        if (claim.host if claim else None) != server.host:
            where = claim.host if claim else "nowhere"
            found.append(Difference("database", CLAIM, server.id, f"is on {server.host}, its claim on {where}"))
    return found


def twice(earlier: Collection[Difference], later: Iterable[Difference]) -> list[Difference]:
    """Those seen in both of two looks: what was in flight at one of them is none."""
    before = {(d.where, d.kind, d.id) for d in earlier}
    return [d for d in later if (d.where, d.kind, d.id) in before]


def by_kind(found: Iterable[Difference]) -> Mapping[str, list[Difference]]:
    kinds: dict[str, list[Difference]] = {}
    for difference in found:
        kinds.setdefault(difference.kind, []).append(difference)
    return kinds
