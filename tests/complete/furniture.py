"""Things for fuzzing to stumble over: bodies that work, in an order in which they can be made."""

import copy
import random
from typing import Any

from pileus.core import saga
from tests.harness import Client, eventually

N, K, C, G, V = "/network/v2.0", "/identity/v3", "/compute/v2.1", "/image/v2", "/volume/v3"
F = f"{K}/OS-FEDERATION"
PATCH = [{"op": "replace", "path": "/name", "value": "x"}, {"op": "add", "path": "/os_distro", "value": "tiny"}]
# `$port` is the id of a port made before; `{$server}` in a path likewise
MAKE: list[tuple[str, str, Any]] = [
    ("POST", f"{K}/domains", {"domain": {"name": "d-%d", "enabled": False}}),
    ("POST", f"{K}/projects", {"project": {"name": "p-%d", "tags": ["a"], "description": "x"}}),
    ("POST", f"{K}/users", {"user": {"name": "u-%d", "password": "secret", "default_project_id": "$project"}}),
    ("POST", f"{K}/groups", {"group": {"name": "g-%d"}}),
    ("POST", f"{K}/roles", {"role": {"name": "r-%d"}}),
    ("POST", f"{K}/regions", {"region": {"id": "region-%d", "description": ""}}),
    ("POST", f"{K}/services", {"service": {"type": "t-%d", "name": "x"}}),
    ("POST", f"{K}/endpoints", {"endpoint": {"service_id": "$service", "interface": "public", "url": "http://x/%%(project_id)s",
                                             "region_id": "$region"}}),
    ("POST", f"{K}/registered_limits", {"registered_limits": [{"service_id": "$service", "resource_name": "r-%d",
                                                               "default_limit": 5, "region_id": "$region"}]}),
    ("POST", f"{K}/limits", {"limits": [{"service_id": "$service", "resource_name": "r-%d", "resource_limit": 5,
                                         "region_id": "$region", "project_id": "$project"}]}),
    ("POST", f"{K}/credentials", {"credential": {"type": "cert", "blob": "{}", "user_id": "$me", "project_id": "$mine"}}),
    ("POST", f"{K}/policies", {"policy": {"type": "application/json", "blob": "{}"}}),
    ("PUT", f"{K}/policies/$policy/OS-ENDPOINT-POLICY/services/$service/regions/$region", None),
    ("PUT", f"{K}/domains/$domain/config", {"config": {"ldap": {"url": "ldap://x", "page_size": 5}}}),
    ("POST", f"{K}/OS-EP-FILTER/endpoint_groups", {"endpoint_group": {"name": "g-%d", "filters": {"region_id": "$region"}}}),
    ("PUT", f"{K}/OS-EP-FILTER/endpoint_groups/$endpoint_group/projects/$project", None),
    ("PUT", f"{K}/OS-EP-FILTER/projects/$project/endpoints/$endpoint", None),
    ("POST", f"{K}/users/$me/application_credentials", {"application_credential": {
        "name": "a-%d", "roles": [{"name": "member"}], "expires_at": "2035-01-01T00:00:00Z",
        "access_rules": [{"path": "/v2.1/servers", "method": "GET", "service": "compute"}]}}),
    ("POST", f"{K}/OS-TRUST/trusts", {"trust": {"trustor_user_id": "$me", "trustee_user_id": "$user", "project_id": "$mine",
                                                "impersonation": True, "roles": [{"name": "member"}],
                                                "expires_at": "2035-01-01T00:00:00Z", "remaining_uses": 3}}),
    ("POST", f"{K}/users/$user/password", {"user": {"original_password": "secret", "password": "secret"}}),
    ("PUT", f"{K}/projects/$project/users/$user/roles/$role", None),
    ("POST", f"{K}/auth/tokens", {"auth": {
        "identity": {"methods": ["password"], "password": {"user": {"id": "$user", "password": "secret",
                                                                    "domain": {"id": "default"}}}},
        "scope": {"project": {"id": "$project"}}}}),
    ("PUT", f"{K}/domains/$domain/groups/$group/roles/$role", None),
    ("PUT", f"{K}/system/users/$user/roles/$role", None),
    ("PUT", f"{K}/groups/$group/users/$user", None),
    ("PUT", f"{K}/projects/$project/tags", {"tags": ["a", "b"]}),
    ("PUT", f"{F}/mappings/m-%d", {"mapping": {"schema_version": "2.0", "rules": [{
        "local": [{"user": {"name": "{0}", "type": "ephemeral"}, "groups": "{1}", "domain": {"name": "Default"}},
                  {"projects": [{"name": "of {0}", "roles": [{"name": "member"}], "domain": {"id": "default"}}]}],
        "remote": [{"type": "sub"}, {"type": "groups", "whitelist": ["a"], "regex": True},
                   {"type": "kind", "any_one_of": ["x"]}]}]}}),
    ("PUT", f"{F}/identity_providers/i-%d", {"identity_provider": {"enabled": True, "remote_ids": ["r-%d"],
                                                                   "authorization_ttl": 5}}),
    ("PUT", f"{F}/identity_providers/$identity_provider/protocols/openid", {"protocol": {"mapping_id": "$mapping"}}),
    ("PUT", f"{F}/service_providers/s-%d", {"service_provider": {"auth_url": "http://x/v3", "sp_url": "http://x/y",
                                                                 "enabled": True}}),
    ("PATCH", f"{K}/users/$user", {"user": {"federated": [{"idp_id": "$identity_provider", "protocols": [
        {"protocol_id": "openid", "unique_id": "u-%d"}]}]}}),
    ("POST", f"{G}/images", {"name": "i", "disk_format": "raw", "container_format": "bare", "min_ram": 0, "min_disk": 0,
                             "visibility": "shared", "protected": False, "tags": ["a"], "os_distro": "tiny"}),
    ("PUT", f"{G}/images/$image/file", b"\0" * 4096),
    ("POST", f"{G}/images/$image/members", {"member": "$project"}),
    ("PUT", f"{G}/images/$image/members/$project", {"status": "accepted"}),
    ("PATCH", f"{G}/images/$image", PATCH),
    ("POST", f"{V}/volumes", {"volume": {"name": "v", "size": 1, "metadata": {"a": "b"}, "availability_zone": "nova",
                                         "volume_type": "__DEFAULT__", "imageRef": "$image"},
                              "OS-SCH-HNT:scheduler_hints": {"same_host": []}}),
    ("PUT", f"{V}/volumes/$volume", {"volume": {"name": "w", "description": "d", "metadata": {"a": "c"}}}),
    *(("POST", f"{V}/volumes/$volume/action", {name: arguments}) for name, arguments in (
        ("os-set_bootable", {"bootable": True}), ("os-set_image_metadata", {"metadata": {"a": "b"}}),
        ("os-unset_image_metadata", {"key": "a"}), ("os-show_image_metadata", None),
        ("os-reset_status", {"status": "available", "attach_status": "detached", "migration_status": "none"}),
        ("os-attach", {"host_name": "h", "mountpoint": "/dev/vdb", "mode": "rw"}), ("os-detach", {"attachment_id": None}),
        ("os-reserve", None), ("os-unreserve", None), ("os-update_readonly_flag", {"readonly": False}),
        ("os-initialize_connection", {"connector": {"host": "fake-1"}}),
        ("os-terminate_connection", {"connector": {"host": "fake-1"}}))),
    ("POST", f"{V}/snapshots", {"snapshot": {"volume_id": "$volume", "name": "s", "metadata": {"a": "b"}, "force": True}}),
    ("POST", f"{V}/snapshots/$snapshot/action", {"os-reset_status": {"status": "available"}}),
    ("POST", f"{V}/types", {"volume_type": {"name": "t-%d", "description": "d", "extra_specs": {"a": "b"},
                                            "os-volume-type-access:is_public": False}}),
    ("POST", f"{V}/types/$volume_type/action", {"addProjectAccess": {"project": "$project"}}),
    ("POST", f"{V}/types", {"volume_type": {"name": "open-%d", "description": "d", "extra_specs": {"a": "b"}}}),
    ("POST", f"{V}/types/$volume_type/extra_specs", {"extra_specs": {"c": "d"}}),
    ("POST", f"{V}/types/$volume_type/encryption", {"encryption": {"provider": "luks", "control_location": "front-end",
                                                            "key_size": 256, "cipher": "aes"}}),
    ("POST", f"{V}/qos-specs", {"qos_specs": {"name": "q-%d", "consumer": "both", "a": "b"}}),
    ("PUT", f"{V}/qos-specs/$qos_spec/delete_keys", {"keys": ["a"]}),
    ("POST", f"{V}/group_types", {"group_type": {"name": "g-%d", "is_public": True, "group_specs": {"a": "b"}}}),
    ("PUT", f"{V}/os-quota-sets/$project", {"quota_set": {"volumes": 7}}),
    ("PUT", f"{V}/default-types/$project", {"default_type": {"volume_type": "__DEFAULT__"}}),
    ("POST", f"{V}/attachments", {"attachment": {"volume_uuid": "$volume", "mode": "rw", "connector": {"host": "fake-1"}}}),
    ("POST", f"{N}/address-scopes", {"address_scope": {"name": "s", "ip_version": 4}}),
    ("POST", f"{N}/subnetpools", {"subnetpool": {"name": "s", "prefixes": ["10.%d.0.0/16"], "default_prefixlen": 26,
                                                 "address_scope_id": "$address_scope"}}),
    ("POST", f"{N}/networks", {"network": {"name": "out", "router:external": True, "provider:network_type": "flat",
                                           "provider:physical_network": "public"}}),
    ("POST", f"{N}/subnets", {"subnet": {"network_id": "$network", "cidr": "172.24.4.0/24", "ip_version": 4,
                                         "gateway_ip": "172.24.4.1", "enable_dhcp": False,
                                         "allocation_pools": [{"start": "172.24.4.9", "end": "172.24.4.99"}]}}),
    ("POST", f"{N}/floatingips", {"floatingip": {"floating_network_id": "$network", "description": ""}}),
    ("POST", f"{N}/routers", {"router": {"name": "r", "external_gateway_info": {"network_id": "$network",
                                                                                "enable_snat": True}}}),
    ("POST", f"{N}/networks", {"network": {"name": "n", "admin_state_up": True, "mtu": 1400, "dns_domain": "a.org."}}),
    ("POST", f"{N}/subnets", {"subnet": {"network_id": "$network", "ip_version": 6, "cidr": "2001:db8::/64",
                                         "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}}),
    ("POST", f"{N}/subnets", {"subnet": {"network_id": "$network", "cidr": "10.0.0.0/24", "ip_version": 4,
                                         "dns_nameservers": ["9.9.9.9"], "host_routes": [
                                             {"destination": "10.9.0.0/24", "nexthop": "10.0.0.9"}]}}),
    ("PUT", f"{N}/routers/$router/add_router_interface", {"subnet_id": "$subnet"}),
    ("PUT", f"{N}/routers/$router/add_extraroutes", {"router": {"routes": [
        {"destination": "10.8.0.0/24", "nexthop": "10.0.0.8"}]}}),
    ("POST", f"{N}/address-groups", {"address_group": {"name": "a", "addresses": ["192.0.2.0/24", "2001:db8::/64"]}}),
    ("PUT", f"{N}/address-groups/$address_group/add_addresses", {"addresses": ["198.51.100.0/24"]}),
    ("POST", f"{N}/security-groups", {"security_group": {"name": "g"}}),
    ("POST", f"{N}/security-group-rules", {"security_group_rule": {
        "security_group_id": "$security_group", "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp",
        "port_range_min": 22, "port_range_max": 23, "remote_ip_prefix": "10.0.0.0/8"}}),
    ("POST", f"{N}/ports", {"port": {
        "network_id": "$network", "name": "p", "fixed_ips": [{"subnet_id": "$subnet"}],
        "security_groups": ["$security_group"],
        "allowed_address_pairs": [{"ip_address": "10.0.0.77"}], "extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": "1"}],
        "dns_name": "web", "binding:vnic_type": "normal"}}),
    ("POST", f"{N}/floatingips/$floatingip/port_forwardings", {"port_forwarding": {
        "protocol": "tcp", "internal_port_id": "$port", "internal_port": 80, "external_port": 8080, "description": "d"}}),
    ("DELETE", f"{N}/floatingips/$floatingip/port_forwardings/$port_forwarding", None),
    ("PUT", f"{N}/floatingips/$floatingip", {"floatingip": {"port_id": "$port"}}),
    ("POST", f"{N}/security-group-rules", {"security_group_rule": {
        "security_group_id": "$security_group", "direction": "egress", "remote_address_group_id": "$address_group"}}),
    ("POST", f"{N}/default-security-group-rules", {"default_security_group_rule": {
        "direction": "ingress", "protocol": "tcp", "port_range_min": "1%d", "port_range_max": "1%d",
        "used_in_default_sg": False, "used_in_non_default_sg": True}}),
    ("POST", f"{N}/network-segment-ranges", {"network_segment_range": {
        "network_type": "vlan", "physical_network": "p-%d", "minimum": 20, "maximum": 30, "shared": False,
        "project_id": "$project", "name": "r"}}),
    ("POST", f"{N}/log/logs", {"log": {"name": "l", "resource_type": "security_group", "resource_id": "$security_group",
                                       "target_id": None, "event": "ALL", "enabled": False}}),
    ("PUT", f"{N}/routers/$router/add_external_gateways", {"router": {"external_gateways": []}}),
    ("POST", f"{N}/rbac-policies", {"rbac_policy": {"object_type": "network", "object_id": "$network",
                                                    "action": "access_as_shared", "target_tenant": "$project"}}),
    ("PUT", f"{N}/networks/$network/tags", {"tags": ["a"]}),
    ("PUT", f"{N}/quotas/$project", {"quota": {"port": 7}}),
    ("POST", f"{C}/flavors", {"flavor": {"name": "f-%d", "ram": 64, "vcpus": 1, "disk": 1, "swap": 0,
                                         "OS-FLV-EXT-DATA:ephemeral": 0, "rxtx_factor": 1.0}}),
    ("POST", f"{C}/flavors/$flavor/os-extra_specs", {"extra_specs": {"hw:cpu_policy": "shared"}}),
    ("POST", f"{C}/os-aggregates", {"aggregate": {"name": "a-%d", "availability_zone": "zone-%d"}}),
    ("POST", f"{C}/os-aggregates/$aggregate/action", {"set_metadata": {"metadata": {"a": "b"}}}),
    ("POST", f"{C}/os-keypairs", {"keypair": {"name": "k-%d"}}),
    ("POST", f"{C}/servers", {"server": {
        "name": "web", "imageRef": "$image", "flavorRef": "$flavor", "networks": [{"uuid": "$network"}],
        "metadata": {"a": "b"},
        "security_groups": [{"name": "default"}], "user_data": "aGVsbG8=", "key_name": "k-%d", "config_drive": True,
        "min_count": 1, "max_count": 1, "availability_zone": "nova",
        "block_device_mapping_v2": [
            {"boot_index": 0, "uuid": "$image", "source_type": "image", "destination_type": "local"}]}}),
    ("POST", f"{C}/servers/$server/action", {"reboot": {"type": "SOFT"}}),
    ("POST", f"{C}/servers/$server/action", {"createImage": {"name": "snap", "metadata": {"a": "b"}}}),
    ("POST", f"{C}/servers/$server/action", {"rebuild": {"imageRef": "$image"}}),
    ("POST", f"{C}/flavors", {"flavor": {"name": "large-%d", "ram": 128, "vcpus": 1, "disk": 1}}),
    ("POST", f"{C}/servers/$server/action", {"resize": {"flavorRef": "$flavor", "OS-DCF:diskConfig": "AUTO"}}),
    ("POST", f"{C}/servers/$server/action", {"confirmResize": None}),
    ("POST", f"{C}/servers/$server/action", {"rescue": {"adminPass": "secret", "rescue_image_ref": "$image"}}),
    ("POST", f"{C}/servers/$server/action", {"unrescue": None}),
    ("POST", f"{C}/servers/$server/action", {"createBackup": {"name": "b", "backup_type": "daily", "rotation": 1}}),
    ("POST", f"{C}/servers/$server/os-interface", {"interfaceAttachment": {"net_id": "$network"}}),
    ("POST", f"{C}/os-server-groups", {"server_group": {"name": "g", "policies": ["affinity"]}}),
    ("POST", f"{C}/servers/$server/action", {"os-resetState": {"state": "active"}}),
    ("POST", f"{C}/servers/$server/action", {"os-getConsoleOutput": {"length": 3}}),
    ("POST", f"{C}/servers/$server/metadata", {"metadata": {"a": "b"}}),
    ("PUT", f"{C}/servers/$server/metadata/a", {"meta": {"a": "b"}}),
    ("PUT", f"{C}/servers/$server/tags", {"tags": ["a"]}),
    ("PUT", f"{C}/servers/$server", {"server": {"name": "other"}}),
    ("PUT", f"{C}/os-quota-sets/$project", {"quota_set": {"cores": 7, "force": True}}),
    ("PUT", f"{C}/flavors/$flavor", {"flavor": {"description": "x"}}),
]  # fmt: skip


def kind(segment: str) -> str:
    """`security-groups` holds things of the kind security_group."""
    word = segment.removeprefix("os-").replace("-", "_")
    return word[:-3] + "y" if word.endswith("ies") else word.removesuffix("s")


class Pool:
    """Ids of things that were made, by kind."""

    def __init__(self, chance: random.Random):
        self.random = chance
        self.ids: dict[str, list[str]] = {}

    def add(self, what: str, id: str) -> None:
        known = self.ids.setdefault(what, [])
        if id not in known:
            known.append(id)
            del known[:-12]

    def any(self, what: str = "") -> str:
        known = self.ids.get(what) or self.ids.get(what.removesuffix("_id"))
        if not known:
            known = self.random.choice(list(self.ids.values())) if self.ids else ["nobody"]
        return self.random.choice(known)

    def newest(self, what: str) -> str:
        return self.ids.get(what, ["nobody"])[-1]

    def harvest(self, path: str, body: Any) -> None:
        """The ids in an answer: `{"port": {"id": ...}}`, `{"ports": [{"id": ...}]}`, or the thing itself."""
        if not isinstance(body, dict):
            return
        found = [(kind(key), value) for key, value in body.items()] + [(kind(path.split("/")[-1]), body)]
        for word, value in found:
            for item in value[-6:] if isinstance(value, list) else [value]:
                if isinstance(item, dict) and isinstance(item.get("id"), str | int):
                    self.add(word, str(item["id"]))

    def filled(self, part: Any, count: int = 0) -> Any:
        """A body or path with its `$kind` replaced by the newest of that kind."""
        if isinstance(part, dict):
            return {key: self.filled(value, count) for key, value in part.items()}
        if isinstance(part, list):
            return [self.filled(value, count) for value in part]
        if not isinstance(part, str):
            return part
        if part.startswith("$"):
            return self.newest(part[1:])
        if "/$" in part:
            return "/".join(self.newest(s[1:]) if s.startswith("$") else s for s in part.split("/"))
        return part % (count % 250) if "%d" in part else part.replace("%%", "%")


def furnish(client: Client, pool: Pool, count: int) -> list[str]:
    """Make one of each; returns what was refused."""
    pool.add("me", client.user_id)
    pool.add("mine", client.project_id)
    refused = []
    for method, path, body in MAKE:
        where, what = pool.filled(path, count), pool.filled(body, count)
        headers = {"openstack-api-version": "volume latest" if path.startswith(V) else "compute 2.60"}
        if isinstance(body, bytes):
            headers["content-type"] = "application/octet-stream"
        elif method == "PATCH" and "image" in path:
            headers["content-type"] = "application/openstack-images-v2.1-json-patch"
        answer = client.request(method, where, what, headers)
        if answer.status >= 300 and answer.status != 501:  # not built yet, and it says so
            refused.append(f"{answer.request}: {answer.status} {answer.raw[:200]!r}")
        elif answer.status < 300:
            if "json" in answer.headers.get("content-type", "") and "/action" not in path:
                pool.harvest(where, answer.json)
            if path.endswith(("/servers", "/action")) and path.startswith(C):
                settle(client, "server", pool.newest("server"))
            elif path.endswith(("/volumes", "/snapshots")):
                settle(client, "volume", pool.newest("volume"))
    return refused


def settle(client: Client, what: str, thing_id: str) -> None:
    """What is busy refuses further actions."""

    def idle() -> bool:
        with client.cloud.db.read() as tx:
            return not saga.unfinished(tx, f"{what}/{thing_id}")

    eventually(idle)


def templates() -> dict[str, list[Any]]:
    """Bodies that work, by method and shape of the path."""
    found: dict[str, list[Any]] = {}
    for method, path, body in MAKE:
        if body is not None and not isinstance(body, bytes):
            shape = "/".join("*" if segment.startswith("$") else segment for segment in path.split("/"))
            found.setdefault(f"{method} {shape}", []).append(body)
    return copy.deepcopy(found)
