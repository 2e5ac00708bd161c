"""What the network runs on: OVN, or a fake of it."""

from typing import Any

from pileus.network.drivers.base import Chassis, NetworkDriver
from pileus.network.drivers.fake import FakeDriver


def make(cloud: Any) -> NetworkDriver:
    """The driver a cloud's settings ask for."""
    settings = cloud.settings
    if settings.ovn_nb:
        from pileus.network.drivers.ovn import OvnDriver  # a tenth of a second of imports, of no use to a fake cloud

        return OvnDriver(settings.ovn_nb, settings.ovn_sb)
    names = [node.name for node in settings.nodes] or [f"fake-{n}" for n in range(1, max(1, settings.fake_nodes) + 1)]
    physnet = settings.external.physnet
    return FakeDriver(
        [
            Chassis(name=n, hostname=n, physnets=(physnet,), encap_ip=f"192.0.2.{i % 250 + 1}")
            for i, n in enumerate(names)
        ]
    )
