"""The real node's calls about guests that go to another host while they run."""

import socket

from msgspec.structs import replace

from pileus.node import protocol as p
from pileus.node.errors import NodeError
from pileus.node.instances import Instances
from pileus.node.vm.hypervisor import Hypervisor
from pileus.node.vm.migration import Migrations


class Moves:
    """Obeys `protocol.MigratingNode`; the rest of the node is in `host.py`."""

    name: str
    _instances: Instances
    _hypervisor: Hypervisor
    _migrations: Migrations

    def expect_guest(self, args: p.ServerRef) -> p.Nothing:
        self._migrations.expect(args.server_id)
        return p.NOTHING

    def migrate(self, args: p.MigrateArgs) -> p.Nothing:
        with self._instances.locked(args.server_id):
            kept, found = self._instances.find(args.server_id), self._hypervisor.find(args.server_id)
            if kept is None or found is None or found.power_state not in ("running", "paused"):
                raise NodeError("not_found", f"server {args.server_id} does not run on {self.name}")
            self._instances.keep(replace(kept, leaving=True))
            self._migrations.start(args.server_id, args.volumes)
        return p.NOTHING

    def _on_migrated(self, server_id: str, gone: bool) -> None:
        """What has left is not brought back here, whatever happens: whoever moved it takes away what is left of it."""
        with self._instances.locked(server_id):
            kept = self._instances.find(server_id)
            if kept and not gone:
                self._instances.keep(replace(kept, leaving=False))

    def migration(self, args: p.ServerRef) -> p.Migration:
        return self._migrations.state(args.server_id)

    def pause_migration(self, args: p.ServerRef) -> p.Nothing:
        if self._migrations.state(args.server_id).state == "running":
            self._hypervisor.pause(args.server_id)
        return p.NOTHING

    def end_migration(self, args: p.ServerRef) -> p.Nothing:
        self._migrations.end(args.server_id)
        return p.NOTHING

    def take_stream(self, args: p.StreamArgs) -> socket.socket:
        return self._migrations.take(args.server_id, args.way)

    def give_stream(self, args: p.StreamArgs) -> socket.socket:
        return self._migrations.give(args.server_id, args.way)
