"""A server's documents as a tree of paths: pure, and the one source of the config drive and of 169.254.169.254."""

import base64
import ipaddress
import json
from typing import Any

from pileus.node.protocol import AttachedVolume, FixedIP, InstanceSpec, Nic

Tree = dict[str, bytes]

OPENSTACK_VERSIONS = (
    "2012-08-10", "2013-04-04", "2013-10-17", "2015-10-15", "2016-06-30", "2016-10-06", "2017-02-22", "2018-08-27",
    "2020-10-14", "latest",
)  # fmt: skip
EC2_VERSIONS = (
    "1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15", "2008-02-01", "2008-09-01",
    "2009-04-04", "latest",
)  # fmt: skip


def openstack_tree(spec: InstanceSpec, seed: bytes) -> Tree:
    """What lies under /openstack/<version>/; every version gets the newest content, as guests ignore what they lack."""
    docs = spec.documents
    meta: dict[str, Any] = {
        "uuid": spec.server_id,
        "name": spec.name,
        "hostname": docs.hostname,
        "launch_index": docs.launch_index,
        "availability_zone": docs.availability_zone,
        "project_id": spec.project_id,
        "random_seed": base64.b64encode(docs.random_seed or seed).decode(),
        "devices": [
            *(_device(nic) for nic in spec.nics if nic.tag),
            *(_disk(volume, spec.disk_bus) for volume in spec.volumes if volume.tag),
        ],
        "dedicated_cpus": [],
    }
    if docs.meta:
        meta["meta"] = docs.meta
    if docs.keys:
        meta["public_keys"] = {key.name: key.data for key in docs.keys}
        meta["keys"] = [{"name": key.name, "type": key.type, "data": key.data} for key in docs.keys]
    if docs.files:
        meta["files"] = [{"path": path, "content_path": f"/{_content(n)}"} for n, path in enumerate(docs.files)]
    if docs.admin_pass is not None:
        meta["admin_pass"] = docs.admin_pass
    tree = {
        "meta_data.json": _json(meta),
        "vendor_data.json": _json(docs.vendor_data),
        "vendor_data2.json": _json({"static": docs.vendor_data}),
        "network_data.json": _json(network_data(spec.nics)),
    }
    if docs.user_data is not None:
        tree["user_data"] = docs.user_data
    return tree


def contents(spec: InstanceSpec) -> Tree:
    """What lies beside the versions under /openstack/: the files that meta_data.json tells of."""
    return {_content(n): content for n, content in enumerate(spec.documents.files.values())}


def _content(number: int) -> str:
    return f"content/{number:04}"


def ec2_values(spec: InstanceSpec) -> dict[str, Any]:
    """EC2's meta-data as a dictionary: leaves are text, inner nodes dictionaries."""
    docs = spec.documents
    local = next((a.address for nic in spec.nics for a in nic.fixed_ips if _version(a) == 4), "")
    mapping = {"ami": "vda", "root": "/dev/vda"}
    for n, _ in enumerate(spec.disks.ephemerals):
        mapping[f"ephemeral{n}"] = f"/dev/vd{chr(98 + n)}"
    if spec.disks.swap_mb:
        mapping["swap"] = f"/dev/vd{chr(98 + len(spec.disks.ephemerals))}"
    values: dict[str, Any] = {
        "ami-id": f"ami-{docs.image_id[:8] or '00000000'}",
        "ami-launch-index": str(docs.launch_index),
        "ami-manifest-path": "",
        "block-device-mapping": mapping,
        "hostname": docs.hostname,
        "instance-action": "none",
        "instance-id": f"i-{spec.server_id[:8]}",
        "instance-type": docs.instance_type,
        "local-hostname": docs.hostname,
        "local-ipv4": local,
        "placement": {"availability-zone": docs.availability_zone},
        "public-hostname": docs.hostname,
        "public-ipv4": docs.public_ipv4,
        "reservation-id": docs.reservation_id,
        "security-groups": "\n".join(docs.security_groups),
    }
    if docs.keys:
        values["public-keys"] = {str(n): {"openssh-key": key.data} for n, key in enumerate(docs.keys)}
    return values


def network_data(nics: list[Nic]) -> dict[str, Any]:
    """Links, networks and services, as a guest without DHCP configures itself from them."""
    networks: list[dict[str, Any]] = []
    services: dict[str, None] = {}
    for nic in nics:
        for fixed in nic.fixed_ips:
            networks.append({"id": f"network{len(networks)}", "link": nic.tap, **_network(nic, fixed)})
            services |= dict.fromkeys(fixed.dns)
    links = [
        {
            "id": nic.tap,
            "vif_id": nic.port_id,
            "type": "ovs",
            "mtu": nic.mtu,
            "ethernet_mac_address": nic.mac,
        }
        for nic in nics
    ]
    return {"links": links, "networks": networks, "services": [{"type": "dns", "address": dns} for dns in services]}


def answer(spec: InstanceSpec, path: str, seed: bytes) -> bytes | None:
    """What a GET of a path yields: a document, a listing for a folder, None for what is not there."""
    parts = [part for part in path.split("/") if part]
    if not parts:
        return "\n".join(EC2_VERSIONS).encode()
    if parts[0] == "openstack":
        return _openstack_answer(spec, parts[1:], seed)
    if parts[0] not in EC2_VERSIONS:
        return None
    if len(parts) == 1:
        return b"meta-data/\nuser-data" if spec.documents.user_data is not None else b"meta-data/"
    if parts[1] == "user-data" and len(parts) == 2:
        return spec.documents.user_data
    return _ec2_answer(spec, parts[2:]) if parts[1] == "meta-data" else None


def config_drive_tree(spec: InstanceSpec, seed: bytes) -> Tree:
    """The same documents as files."""
    tree: Tree = {}
    for version in OPENSTACK_VERSIONS:
        tree |= {f"openstack/{version}/{name}": content for name, content in openstack_tree(spec, seed).items()}
    tree |= {f"openstack/{name}": content for name, content in contents(spec).items()}
    for version in ("2009-04-04", "latest"):
        tree[f"ec2/{version}/meta-data.json"] = _json(ec2_values(spec))
        if spec.documents.user_data is not None:
            tree[f"ec2/{version}/user-data"] = spec.documents.user_data
    return tree


def link_local(mac: str) -> str:
    """The IPv6 address a guest gives itself (EUI-64): how it asks fe80::a9fe:a9fe."""
    octets = [int(part, 16) for part in mac.split(":")]
    octets[0] ^= 2
    words = bytes([*octets[:3], 0xFF, 0xFE, *octets[3:]])
    return str(ipaddress.IPv6Address(bytes.fromhex("fe80000000000000") + words))


def _openstack_answer(spec: InstanceSpec, parts: list[str], seed: bytes) -> bytes | None:
    if not parts:
        return "\n".join(OPENSTACK_VERSIONS).encode()
    if parts[0] not in OPENSTACK_VERSIONS:
        return contents(spec).get("/".join(parts))
    tree = openstack_tree(spec, seed)
    return "\n".join([*tree, "password"]).encode() if len(parts) == 1 else tree.get("/".join(parts[1:]))


def _ec2_answer(spec: InstanceSpec, parts: list[str]) -> bytes | None:
    value: Any = ec2_values(spec)
    for depth, part in enumerate(parts):
        if depth == 1 and parts[0] == "public-keys":
            part = part.partition("=")[0]  # some clients follow the listing's "0=name" literally
        if not isinstance(value, dict) or part not in value:
            return None
        value = value[part]
    if isinstance(value, str):
        return value.encode()
    if parts == ["public-keys"]:
        return "\n".join(f"{n}={key.name}" for n, key in enumerate(spec.documents.keys)).encode()
    return "\n".join(f"{name}/" if isinstance(inner, dict) else name for name, inner in value.items()).encode()


def _network(nic: Nic, fixed: FixedIP) -> dict[str, Any]:
    common = {"network_id": nic.network_id}
    version = _version(fixed)
    if fixed.dhcp and version == 4:
        return {"type": "ipv4_dhcp", **common}
    if fixed.ipv6_address_mode:
        return {"type": f"ipv6_{fixed.ipv6_address_mode}", **common}
    routes = [_route(route.destination, route.nexthop) for route in fixed.routes]
    if fixed.gateway:
        routes.insert(0, _route("0.0.0.0/0" if version == 4 else "::/0", fixed.gateway))
    return {
        "type": f"ipv{version}",
        "ip_address": fixed.address,
        "netmask": str(ipaddress.ip_network(f"{fixed.address}/{fixed.prefix}", strict=False).netmask),
        "routes": routes,
        "services": [{"type": "dns", "address": dns} for dns in fixed.dns],
        **common,
    }


def _disk(volume: AttachedVolume, bus: str) -> dict[str, Any]:
    return {
        "type": "disk", "bus": volume.bus or bus, "address": "none", "serial": volume.volume_id,
        "path": f"/dev/{volume.device}", "tags": [volume.tag],
    }  # fmt: skip


def _route(destination: str, gateway: str) -> dict[str, str]:
    network = ipaddress.ip_network(destination, strict=False)
    return {"network": str(network.network_address), "netmask": str(network.netmask), "gateway": gateway}


def _device(nic: Nic) -> dict[str, Any]:
    return {"type": "nic", "bus": "none", "address": "none", "mac": nic.mac, "tags": [nic.tag]}


def _version(fixed: FixedIP) -> int:
    return ipaddress.ip_address(fixed.address).version


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
