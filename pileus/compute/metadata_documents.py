"""What a guest may learn of itself: pure functions from a server's row to the documents its node serves.

The node turns these into meta_data.json, network_data.json, user_data, vendor_data and the EC2 keys, for the config
drive and for 169.254.169.254 alike: one source, so that both always say the same.
"""

import base64

import msgspec

from pileus.compute.store import Server
from pileus.compute.volumes import local_disks
from pileus.node import protocol as p


def documents(server: Server, domain: str = "", public_ipv4: str = "", groups: list[str] | None = None) -> p.Documents:
    """`domain` is appended to the host name, as DHCP tells it, too."""
    hostname = server.hostname
    if domain.strip("."):
        hostname = f"{hostname}.{domain.strip('.')}"
    keys = []
    if server.key_name and server.public_key:
        keys.append(p.PublicKey(name=server.key_name, data=server.public_key.strip(), type=server.key_type or "ssh"))
    return p.Documents(
        hostname=hostname,
        availability_zone=server.availability_zone or "nova",
        launch_index=server.launch_index,
        reservation_id=server.reservation_id,
        keys=keys,
        meta=server.metadata,
        user_data=base64.b64decode(server.user_data) if server.user_data else None,
        files={path: base64.b64decode(contents) for path, contents in server.files.items()},
        security_groups=server.security_groups if groups is None else groups,
        instance_type=server.flavor.name,
        image_id=server.image_id,
        public_ipv4=public_ipv4,
        admin_pass=server.admin_pass,
    )


def instance_spec(
    server: Server,
    nics: list[p.Nic],
    documents: p.Documents,
    power: p.DesiredPower = "running",
    volumes: list[p.AttachedVolume] | None = None,
) -> p.InstanceSpec:
    """Everything the node needs to know of a server."""
    flavor = server.flavor
    properties = server.image.properties if server.image else {}
    ephemerals, swap_mb = local_disks(server)
    model = str(properties.get("hw_vif_model") or "virtio")
    return p.InstanceSpec(
        server_id=server.id,
        name=server.name,
        project_id=server.project_id,
        user_id=server.user_id,
        vcpus=flavor.vcpus,
        memory_mb=flavor.ram,
        flavor=flavor.name,
        disks=p.DiskSpec(
            root=p.RootDisk(image_id=server.root_image_id, size_gb=flavor.disk) if server.root_image_id else None,
            rescue=p.RootDisk(image_id=server.rescue_image_id, size_gb=0) if server.rescue_image_id else None,
            ephemerals=ephemerals,
            swap_mb=swap_mb,
            config_drive=server.config_drive,
        ),
        nics=[nic if model == "virtio" else _with_model(nic, model) for nic in nics],
        documents=documents,
        disk_bus=str(properties.get("hw_disk_bus") or "virtio"),
        volumes=volumes or [],
        power=power,
    )


def _with_model(nic: p.Nic, model: str) -> p.Nic:
    return msgspec.structs.replace(nic, model=model)
