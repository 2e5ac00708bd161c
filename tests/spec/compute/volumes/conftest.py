"""Volumes and servers that have them, ready for each test."""

from collections.abc import Iterator
from typing import Any

import pytest

from pileus.block_storage import reconcile
from tests.harness import Client, World
from tests.spec.block_storage.conftest import Volumes
from tests.spec.compute.conftest import SERVERS, Servers

NOWHERE = "5dc8b4a3-0000-4000-8000-000000000000"


@pytest.fixture(scope="module", autouse=True)
def backends(world: World) -> None:
    reconcile.look(world.cloud)


@pytest.fixture
def volumes(member: Client) -> Volumes:
    return Volumes(member)


@pytest.fixture
def server_id(servers: Servers, network_id: str) -> Iterator[str]:
    yield servers.active()


def path_of(server_id: str, volume_id: str = "") -> str:
    return f"{SERVERS}/{server_id}/os-volume_attachments{'/' if volume_id else ''}{volume_id}"


def attach(client: Client, server_id: str, volume_id: str, **more: Any) -> Any:
    return client.post(path_of(server_id), {"volumeAttachment": {"volumeId": volume_id, **more}})


def of_guest(world: World, server_id: str) -> dict[str, Any]:
    """As its node was told, by volume."""
    for node in world.cloud.drivers["compute"].fakes.values():
        guest = node.instances.get(server_id)
        if guest is not None and guest.spec is not None:
            return {volume.volume_id: volume for volume in guest.spec.volumes}
    return {}


@pytest.fixture
def attached(servers: Servers, server_id: str, volumes: Volumes, member: Client) -> tuple[str, str]:
    volume_id = volumes.available()
    attach(member, server_id, volume_id).ok(200)
    volumes.reaches("in-use", volume_id)
    return server_id, volume_id


def device(kind: str, **more: Any) -> dict[str, Any]:
    return {"source_type": kind, "destination_type": "volume", "boot_index": 0, **more}


def booted(servers: Servers, *devices: dict[str, Any], **members: Any) -> str:
    return servers.active(imageRef=..., block_device_mapping_v2=list(devices), **members)


@pytest.fixture
def from_volume(servers: Servers, network_id: str) -> str:
    root = device("image", uuid=servers.image_id, volume_size=1, delete_on_termination=True)
    return booted(servers, root, tags=...)
