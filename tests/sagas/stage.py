"""A cloud for sagas to be tried on, which goes on when it is told to."""

from collections.abc import Iterator
from typing import Any

from pileus.block_storage import backup_data
from pileus.block_storage import reconcile as block_storage
from pileus.block_storage.store import Attachment, Group, Volume
from pileus.compute import hosts
from pileus.compute.store import Claim, Server, ServerPort, ServerVolume
from pileus.core import saga
from pileus.image.store import Image
from pileus.network import reconcile as network
from pileus.network.rows import Port
from tests.harness import Client, World
from tests.spec.compute.conftest import Servers, make_flavor, make_image, make_network
from tests.spec.image.web import Web

VOLUME = "/volume/v3"
FREE = ("available", "error", "error_restoring")
# what the stage's cloud says of images: two stores to write to, and addresses on the web
IMAGE_OPTIONS = {
    "stores": [{"type": "file", "id": "file"}, {"type": "file", "id": "cheap"}, {"type": "http", "id": "web"}],
    "web": {"allowed_hosts": ["127.0.0.1"], "allowed_ports": []},
}


class Stage:
    """A cloud without threads: sagas go on, and the network follows, when they are told to."""

    def __init__(self, world: World):
        self.world = world
        self.cloud = world.cloud
        self.client: Client = world.client("admin", "member", "reader")
        self.report_hosts()
        self.web = Web()
        self.servers = Servers(self.client, make_image(self.client), _flavor(self.client))
        self.network_id = make_network(self.client)
        self.settle_network()

    def report_hosts(self) -> None:
        """Who is silent for a minute is down, and a stage is used for many tests."""
        with self.cloud.db.write() as tx:
            for name, node in self.nodes.items():
                hosts.report(tx, name, node.inventory())
        block_storage.look(self.cloud)

    @property
    def nodes(self) -> dict[str, Any]:
        return dict(self.cloud.drivers["compute"].fakes)

    def settle_network(self) -> None:
        network.look(self.cloud)

    def run(self, sagas: list[saga.Saga] | None = None, one_step_an_engine: bool = False, rounds: int = 400) -> None:
        """Until nothing is left to do."""
        from pileus import services

        sagas = sagas or services.sagas()
        engine = saga.Engine(self.cloud.db, self.cloud, sagas)
        for _ in range(rounds):
            if one_step_an_engine:
                engine = saga.Engine(self.cloud.db, self.cloud, sagas)
                _die_after_one_step(engine)
            self._hurry()
            worked = engine.run_one()
            self.settle_network()
            if not worked and not self.unfinished():
                return
        raise AssertionError(f"these never end: {self.unfinished()}")

    def unfinished(self) -> list[saga.SagaRow]:
        with self.cloud.db.read() as tx:
            return [row for row in tx.select(saga.SagaRow) if row.state in ("running", "undoing")]

    def _hurry(self) -> None:
        """Nobody waits here for what was parked, nor for the lease of an engine that has died. One may wait for another:
        whoever was asked longest ago comes first."""
        with self.cloud.db.write() as tx:
            for row in self.unfinished():
                tx.update(saga.SagaRow, row.id, run_after=row.updated_at, lease=None, lease_until=None)

    def effects(self) -> dict[str, Any]:
        """Everything that a saga may leave behind."""
        driver = self.cloud.drivers["network"]
        volumes = self.cloud.drivers["block_storage"]
        with self.cloud.db.read() as tx:
            ports = sorted(port.id for port in tx.select(Port) if not port.device_owner.startswith("network:"))
            interfaces = tx.count(ServerPort)
            volumes_of = sorted((row.server_id, row.volume_id, row.attached) for row in tx.select(ServerVolume))
            attachments = sorted(one.server_id for one in tx.select(Attachment))
            claims = sorted((claim.server_id, claim.host) for claim in tx.select(Claim))
        return {
            "guests": {
                name: sorted((i.server_id, i.domain, sorted(i.disks), sorted(i.aside)) for i in node.instances.values())
                for name, node in self.nodes.items()
            },
            "snapshots": sorted(name for node in self.nodes.values() for name in node.snapshots),
            "listeners": sorted((name, network) for name, node in self.nodes.items() for network in node.networks),
            "claims": claims,
            "ports": ports,
            "interfaces": interfaces,
            "server volumes": volumes_of,
            "volumes": sorted((host, *one) for host in volumes.hosts() for one in _held(volumes.stored(host))),
            "backups": sorted(backup_data.keys(self.cloud)),
            "attachments": attachments,
            "image data": self._stray_data(),
            "switch ports": sorted(key for key in driver.rows if key[0] == "port" and key[1] in ports),
        }

    def _stray_data(self) -> list[str]:
        """What lies in stores, in the staging area or in the cache, and is no image's."""
        with self.cloud.db.read() as tx:
            rows = tx.select(Image)
        known = {key for row in rows for key in (row.id, row.data, *(location.key for location in row.locations))}
        return sorted(self.cloud.drivers["image"].keys() - known)

    def drop_free_volumes(self) -> None:
        """What servers gave back is their user's, and not left over: it must be possible to delete it."""
        with self.cloud.db.read() as tx:
            groups = tx.select(Group)
            free = [one for one in tx.select(Volume) if one.status in FREE and one.group_id is None]
        for group in groups:
            body = {"delete": {"delete-volumes": True}}
            self.client.at("3.71", "volume").post(f"{VOLUME}/groups/{group.id}/action", body).ok(202)
        for volume in free:
            self.client.delete(f"{VOLUME}/volumes/{volume.id}?cascade=true").ok(202)
        self.run()

    def close(self) -> None:
        self.web.stop()
        self.world.stop()

    def server(self, server_id: str) -> Server | None:
        with self.cloud.db.read() as tx:
            return tx.find(Server, id=server_id)

    def made(self) -> str:
        server_id = self.servers.create()
        self.run()
        found = self.server(server_id)
        assert found is not None and found.vm_state == "active", found
        return server_id


def _flavor(client: Client) -> str:
    """One that brings every kind of disk."""
    return make_flavor(client, **{"swap": 64, "OS-FLV-EXT-DATA:ephemeral": 1})


def _die_after_one_step(engine: saga.Engine) -> None:
    """Let the engine stop as if its process had been killed between two steps."""
    save = engine._save

    def save_and_die(tx: Any, row: saga.SagaRow, release: bool = False) -> None:
        save(tx, row, release)
        engine._stop.set()

    engine._save = save_and_die  # type: ignore[method-assign]


def _held(stored: list[Any]) -> Iterator[tuple[Any, ...]]:
    """Not what somebody let go of, under a name that says so."""
    return (
        (one.volume_id, one.name, one.size_gb, one.exported, *one.snapshots)
        for one in stored
        if not one.volume_id.startswith("volume-")
    )
