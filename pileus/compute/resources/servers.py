"""Servers, as clients send and see them. A microversion's change is a `since` here, never an `if` further in."""

import base64
import binascii
import hashlib
from functools import lru_cache
from typing import Any

import msgspec

from pileus.compute import states
from pileus.compute.resources.block_devices import DEVICES, EARLIER_DEVICES, OLDER_DEVICES
from pileus.compute.resources.flavors import NAME
from pileus.compute.store import Server, ServerVolume
from pileus.core import clock
from pileus.core.fields import (
    OPTIONAL,
    REQUIRED,
    Boolean,
    Field,
    Integer,
    Items,
    Object,
    Strings,
    Text,
    Uuid,
)
from pileus.core.resources import Resource

MAX_USER_DATA = 65535
TAG = r"[^,/]+"
HOSTNAME = r"[a-zA-Z0-9]([a-zA-Z0-9\-]*[a-zA-Z0-9])?"
FQDN = rf"{HOSTNAME}(\.{HOSTNAME})*"
METADATA = Strings("metadata")


class Seen(msgspec.Struct):
    """A server with what is shown beside its own row."""

    server: Server
    addresses: dict[str, list[dict[str, Any]]]
    groups: list[str]
    host_status: str
    root: str  # of this cloud's URLs
    volumes: list[ServerVolume] = []


class Base64(Text):
    """Text that must decode; kept as it was sent."""

    def convert(self, value: Any) -> Any:
        text = super().convert(value)
        try:
            base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            self.refuse(value, "It must be base64 encoded.")
        return text


FILES = Items(
    "personality",
    Object(
        "personality",
        [Text("path", create=REQUIRED, min=1, max=4096), Base64("contents", create=REQUIRED, max=MAX_USER_DATA)],
    ),
    create=OPTIONAL,
    until="2.56",
)


class Reference(Text):
    """An image: its id, also at the end of a URL; empty for none."""

    def convert(self, value: Any) -> Any:
        text = super().convert(value)
        last = text.rstrip("/").rpartition("/")[2]
        return Uuid(self.name).check(last) if last else ""


class FlavorReference(Text):
    """A flavor: its id, also as a number or at the end of a URL."""

    def convert(self, value: Any) -> Any:
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        return super().convert(value).rstrip("/").rpartition("/")[2]


class Networks(Items):
    """Since 2.37 also `auto` (whatever the project has) or `none`."""

    def convert(self, value: Any) -> Any:
        return value if value in ("auto", "none") else super().convert(value)


def nic(tagged: bool) -> Object:
    fields: list[Field] = [Uuid("uuid", null=True), Uuid("port", null=True), Text("fixed_ip")]
    return Object("networks", [*fields, Text("tag", min=1, max=60, pattern=TAG)] if tagged else fields)


class AccessAddress(Text):
    """An address of one IP version, or nothing."""

    def __init__(self, name: str, ip_version: int, **options: Any):
        super().__init__(name, **options)
        self.ip_version = ip_version

    def convert(self, value: Any) -> Any:
        import ipaddress

        text = super().convert(value)
        try:
            return str((ipaddress.IPv4Address if self.ip_version == 4 else ipaddress.IPv6Address)(text)) if text else ""
        except ValueError:
            self.refuse(value, f"It is not an IPv{self.ip_version} address.")


# -- how a row is shown ------------------------------------------------------------------------------------------------


@lru_cache(4096)
def host_id(project_id: str, host: str | None) -> str:
    """Tells a project which of its servers share a host, and nothing else."""
    return hashlib.sha224(f"{project_id}{host}".encode()).hexdigest() if host else ""


def _image(seen: Seen) -> Any:
    image_id = seen.server.image_id
    if not image_id:
        return ""
    return {"id": image_id, "links": [{"rel": "bookmark", "href": f"{seen.root}/compute/images/{image_id}"}]}


def _image_with_properties(seen: Seen) -> Any:
    shown = _image(seen)
    if not shown:
        return shown
    properties = seen.server.image.properties if seen.server.image else {}
    return {**shown, "properties": {name: None if value is None else str(value) for name, value in properties.items()}}


def _flavor_link(seen: Seen) -> dict[str, Any]:
    flavor_id = seen.server.flavor_id
    return {"id": flavor_id, "links": [{"rel": "bookmark", "href": f"{seen.root}/compute/flavors/{flavor_id}"}]}


def _flavor(seen: Seen) -> dict[str, Any]:
    found = seen.server.flavor
    return {
        "vcpus": found.vcpus, "ram": found.ram, "disk": found.disk, "ephemeral": found.ephemeral, "swap": found.swap,
        "original_name": found.name, "extra_specs": found.extra_specs,
    }  # fmt: skip


def server_links(root: str, server_id: str) -> list[dict[str, str]]:
    return [
        {"rel": "self", "href": f"{root}/compute/v2.1/servers/{server_id}"},
        {"rel": "bookmark", "href": f"{root}/compute/servers/{server_id}"},
    ]


ATTRIBUTE = "OS-EXT-SRV-ATTR:"
# shown to administrators only, as one permission
EXTENDED = {
    ATTRIBUTE + name
    for name in (
        "host", "instance_name", "hypervisor_hostname", "reservation_id", "launch_index", "hostname", "kernel_id",
        "ramdisk_id", "root_device_name", "user_data",
    )
}  # fmt: skip
# what an update answered before 2.75
UPDATED = {
    "id", "name", "status", "tenant_id", "user_id", "metadata", "hostId", "image", "flavor", "created", "updated",
    "addresses", "accessIPv4", "accessIPv6", "links", "OS-DCF:diskConfig", "locked", "description", "tags",
    "trusted_image_certificates", "server_groups", "locked_reason", "progress", "fault",
}  # fmt: skip

SERVER = Resource(
    "server",
    [
        Text("id", show=lambda seen: seen.server.id),
        Text("name", create=REQUIRED, update=True, min=1, pattern=NAME, show=lambda seen: seen.server.name),
        Text("status", show=lambda seen: states.status(seen.server.vm_state, seen.server.task_state)),
        Text("tenant_id", show=lambda seen: seen.server.project_id),
        Text("user_id", show=lambda seen: seen.server.user_id),
        Strings("metadata", create=OPTIONAL, default=dict, show=lambda seen: seen.server.metadata),
        Text("hostId", show=lambda seen: host_id(seen.server.project_id, seen.server.host)),
        Field("image", show=_image_with_properties),
        Field("flavor", show=_flavor),
        Text("created", show=lambda seen: clock.seconds(seen.server.created_at)),
        Text("updated", show=lambda seen: clock.seconds(seen.server.updated_at)),
        Field("addresses", show=lambda seen: seen.addresses),
        AccessAddress("accessIPv4", 4, create=OPTIONAL, update=True, default="", source="access_ip_v4",
                      show=lambda seen: seen.server.access_ip_v4),
        AccessAddress("accessIPv6", 6, create=OPTIONAL, update=True, default="", source="access_ip_v6",
                      show=lambda seen: seen.server.access_ip_v6),
        Field("links", show=lambda seen: server_links(seen.root, seen.server.id)),
        Text("OS-DCF:diskConfig", create=OPTIONAL, update=True, choices=["AUTO", "MANUAL"], default="MANUAL",
             source="disk_config", show=lambda seen: seen.server.disk_config),
        Text("OS-EXT-AZ:availability_zone", show=lambda seen: seen.server.availability_zone),
        Boolean("config_drive", create=OPTIONAL, null=True, default=False,
                show=lambda seen: "True" if seen.server.config_drive else ""),
        Text("key_name", create=OPTIONAL, min=1, default=None, show=lambda seen: seen.server.key_name),
        Text("OS-SRV-USG:launched_at", show=lambda seen: clock.naive(seen.server.launched_at)),
        Text("OS-SRV-USG:terminated_at", show=lambda seen: clock.naive(seen.server.terminated_at)),
        Text("OS-EXT-STS:task_state", show=lambda seen: seen.server.task_state),
        Text("OS-EXT-STS:vm_state", show=lambda seen: seen.server.vm_state),
        Integer("OS-EXT-STS:power_state", show=lambda seen: seen.server.power_state),
        Field("os-extended-volumes:volumes_attached", since="2.3",
              show=lambda seen: [{"id": row.volume_id, "delete_on_termination": row.delete_on_termination}
                                 for row in seen.volumes]),
        Items("security_groups", Object("security_groups", [Text("name", create=REQUIRED, min=1)]), create=OPTIONAL,
              default=list, show=lambda seen: [{"name": name} for name in seen.groups]),
        Text(ATTRIBUTE + "host", show=lambda seen: seen.server.host),
        Text(ATTRIBUTE + "instance_name", show=lambda seen: f"instance-{seen.server.id}"),
        Text(ATTRIBUTE + "hypervisor_hostname", show=lambda seen: seen.server.host),
        Text(ATTRIBUTE + "reservation_id", since="2.3", show=lambda seen: seen.server.reservation_id),
        Integer(ATTRIBUTE + "launch_index", since="2.3", show=lambda seen: seen.server.launch_index),
        Text(ATTRIBUTE + "hostname", since="2.3", show=lambda seen: seen.server.hostname),
        Text(ATTRIBUTE + "kernel_id", since="2.3", show=lambda seen: ""),
        Text(ATTRIBUTE + "ramdisk_id", since="2.3", show=lambda seen: ""),
        Text(ATTRIBUTE + "root_device_name", since="2.3", show=lambda seen: seen.server.root_device_name),
        Text(ATTRIBUTE + "user_data", since="2.3", show=lambda seen: seen.server.user_data),
        Boolean("locked", since="2.9", show=lambda seen: seen.server.locked),
        Text("host_status", since="2.16", show=lambda seen: seen.host_status),
        Text("description", create=OPTIONAL, update=True, null=True, default=None, since="2.19",
             show=lambda seen: seen.server.description),
        Items("tags", Text("tags", min=1, max=60, pattern=TAG), max=50, unique=True, create=OPTIONAL, default=list,
              since="2.52", show=lambda seen: seen.server.tags),
        Items("trusted_image_certificates", Text("trusted_image_certificates", min=1), max=50, unique=True, null=True,
              create=OPTIONAL, since="2.63", show=lambda seen: None),
        Field("server_groups", since="2.71", show=lambda seen: []),
        Text("locked_reason", since="2.73", show=lambda seen: seen.server.locked_reason),
        Text("pinned_availability_zone", since="2.104", update=True, null=True, min=1,
             show=lambda seen: seen.server.pinned_availability_zone),
        Field("scheduler_hints", since="2.100", show=lambda seen: seen.server.scheduler_hints),
        Integer("progress", show=lambda seen: 0),
        Field("fault", show=lambda seen: seen.server.fault),
        # only sent
        Reference("imageRef", create=OPTIONAL, default="", source="image_id"),
        FlavorReference("flavorRef", create=REQUIRED, min=1, source="flavor_id"),
        Networks("networks", nic(tagged=True), create=REQUIRED, since="2.42"),
        Text("adminPass", create=OPTIONAL, source="admin_pass"),
        Text("availability_zone", create=OPTIONAL, min=1),
        Integer("min_count", create=OPTIONAL, min=1, default=1),
        Integer("max_count", create=OPTIONAL, min=1),
        Boolean("return_reservation_id", create=OPTIONAL, default=False),
        Base64("user_data", create=OPTIONAL, null=True, max=MAX_USER_DATA, default=None),
        DEVICES,
        OLDER_DEVICES,
        Text("host", create=OPTIONAL, min=1, since="2.74", source="wished_host"),
        Text("hypervisor_hostname", create=OPTIONAL, min=1, since="2.74", source="wished_node"),
        Text("hostname", create=OPTIONAL, update=True, min=1, max=255, since="2.94", pattern=FQDN),
    ],
    earlier=[
        *EARLIER_DEVICES,
        Field("image", until="2.97", show=_image),
        Text("pinned_availability_zone", since="2.96", until="2.103",
             show=lambda seen: seen.server.pinned_availability_zone),
        Text("hostname", create=OPTIONAL, update=True, min=1, max=63, since="2.90", until="2.93", pattern=HOSTNAME),
        Field("flavor", until="2.46", show=_flavor_link),
        Networks("networks", nic(tagged=False), create=REQUIRED, since="2.37", until="2.41"),
        Items("networks", nic(tagged=True), null=True, create=OPTIONAL, since="2.32", until="2.36"),
        Items("networks", nic(tagged=False), null=True, create=OPTIONAL, until="2.31"),
        Field("os-extended-volumes:volumes_attached", until="2.2",
              show=lambda seen: [{"id": row.volume_id} for row in seen.volumes]),
        # shown since 2.26, to be given at creation since 2.52
        Field("tags", since="2.26", until="2.51", show=lambda seen: seen.server.tags),
        FILES,
    ],
)  # fmt: skip
SENT_ONLY = {
    "imageRef", "flavorRef", "networks", "adminPass", "availability_zone", "min_count", "max_count", "personality",
    "return_reservation_id", "user_data", "block_device_mapping_v2", "block_device_mapping", "host", "hostname",
    "hypervisor_hostname",
}  # fmt: skip
SHOWN = set(SERVER.fields) - SENT_ONLY
CHANGED = SHOWN - {ATTRIBUTE + "user_data"}  # what an update or rebuild answers since 2.75

# -- servers made anew, and images made of them ------------------------------------------------------------------------

FLAVOR_REF = FlavorReference("flavorRef", min=1)
REBUILD = Resource(
    "rebuild",
    [
        Reference("imageRef", create=REQUIRED, min=1, source="image_id"),
        Text("name", create=OPTIONAL, min=1, pattern=NAME),
        Text("adminPass", create=OPTIONAL, source="admin_pass"),
        Strings("metadata", create=OPTIONAL),
        Text("OS-DCF:diskConfig", create=OPTIONAL, choices=["AUTO", "MANUAL"], source="disk_config"),
        AccessAddress("accessIPv4", 4, create=OPTIONAL, source="access_ip_v4"),
        AccessAddress("accessIPv6", 6, create=OPTIONAL, source="access_ip_v6"),
        Boolean("preserve_ephemeral", create=OPTIONAL),
        Text("description", create=OPTIONAL, null=True, since="2.19"),
        Text("key_name", create=OPTIONAL, null=True, min=1, since="2.54"),
        Base64("user_data", create=OPTIONAL, null=True, max=MAX_USER_DATA, since="2.57"),
        Items("trusted_image_certificates", Text("trusted_image_certificates", min=1), max=50, unique=True, null=True,
              create=OPTIONAL, since="2.63"),
        Text("hostname", create=OPTIONAL, min=1, max=255, since="2.94", pattern=FQDN),
    ],
    earlier=[
        Text("hostname", create=OPTIONAL, min=1, max=63, since="2.90", until="2.93", pattern=HOSTNAME),
        FILES,
    ],
)  # fmt: skip
IMAGE = Resource(
    "createImage",
    [Text("name", create=REQUIRED, min=1, pattern=NAME), Strings("metadata", create=OPTIONAL, default=dict)],
)
BACKUP = Resource(
    "createBackup",
    [
        Text("name", create=REQUIRED, min=1, pattern=NAME),
        Text("backup_type", create=REQUIRED),
        Integer("rotation", create=REQUIRED, min=0),
        Strings("metadata", create=OPTIONAL, default=dict),
    ],
)
