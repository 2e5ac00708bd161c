"""Networks on real OVN: two hosts, real DHCP, routers, floating IPs and security groups."""

import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from pileus.network import rows
from pileus.network.drivers.base import DriverUnavailable
from pileus.network.drivers.desired import Key, Row
from pileus.network.drivers.ovn import OvnDriver
from pileus.network.drivers.translate import names, networks, ports, routers, security_groups
from tests.live.ovn_lab import OUTSIDE, Guest, Lab, run, wait_for

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("ovn-northd"), reason="needs root and OVN"),
]


def new_id() -> str:
    return str(uuid.uuid4())


class World:
    """Our rows, in memory, translated and applied as the reconcile task would."""

    def __init__(self, driver: OvnDriver, gateway_hosts: Sequence[str]) -> None:
        self.driver, self.gateway_hosts = driver, gateway_hosts
        self.desired: dict[Key, list[Row]] = {names.DROP_KEY: security_groups.drop_rows()}
        self.networks: dict[str, rows.Network] = {}
        self.subnets: dict[str, rows.Subnet] = {}
        self.ports: dict[str, rows.Port] = {}
        self.macs = 0
        driver.apply(self.desired)

    def apply(self, **by_kind: tuple[str, list[Row]]) -> None:
        batch = {(kind, id_): made for kind, (id_, made) in by_kind.items()}
        self.desired.update(batch)
        self.driver.apply(batch)

    def network(self, **attributes: object) -> rows.Network:
        network = rows.Network(id=new_id(), project_id="p", **attributes)  # type: ignore[arg-type]
        self.networks[network.id] = network
        self.apply(network=(network.id, networks.network_rows(network)))
        return network

    def subnet(self, network: rows.Network, cidr: str, gateway_ip: str, metadata_ip: str | None = None,
               **attributes: object) -> rows.Subnet:  # fmt: skip
        subnet = rows.Subnet(id=new_id(), project_id="p", network_id=network.id, cidr=cidr, gateway_ip=gateway_ip,
                             **attributes)  # type: ignore[arg-type] # fmt: skip
        self.subnets[subnet.id] = subnet
        self.apply(subnet=(subnet.id, networks.subnet_rows(subnet, network, metadata_ip)))
        return subnet

    def port(self, network: rows.Network, *addresses: tuple[rows.Subnet, str], **attributes: object) -> rows.Port:
        self.macs += 1
        fixed = [rows.FixedIP(subnet_id=subnet.id, ip_address=address) for subnet, address in addresses]
        port = rows.Port(id=new_id(), project_id="p", network_id=network.id, fixed_ips=fixed,
                         mac_address=f"fa:16:3e:00:00:{self.macs:02x}", **attributes)  # type: ignore[arg-type] # fmt: skip
        self.ports[port.id] = port
        self.write_port(port)
        return port

    def write_port(self, port: rows.Port) -> None:
        made = ports.port_rows(port, self.networks[port.network_id], self.subnets, self.gateway_hosts)
        self.apply(port=(port.id, made))

    def group(self, *rules: rows.SecurityGroupRule) -> rows.SecurityGroup:
        group = rows.SecurityGroup(id=new_id(), project_id="p")
        self.write_group(group, *rules)
        return group

    def write_group(self, group: rows.SecurityGroup, *rules: rows.SecurityGroupRule) -> None:
        self.apply(security_group=(group.id, security_groups.group_rows(group, rules)))


def rule(group: rows.SecurityGroup, direction: str = "ingress", **attributes: object) -> rows.SecurityGroupRule:
    return rows.SecurityGroupRule(id=new_id(), project_id="p", security_group_id=group.id, direction=direction,
                                  **attributes)  # type: ignore[arg-type] # fmt: skip


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(tmp_path_factory.mktemp("ovn"))
    try:
        yield lab.start_central().start_hosts()
    finally:
        lab.close()


@pytest.fixture(scope="module")
def driver(lab: Lab) -> Iterator[OvnDriver]:
    driver = OvnDriver(lab.remote("nb"), lab.remote("sb"))
    wait_for(lambda: len(driver.chassis()) == 2, message="the hosts did not register")
    yield driver
    driver.stop()


@pytest.fixture
def world(driver: OvnDriver) -> Iterator[World]:
    """An empty northbound database; what a test leaves is removed."""
    world = World(driver, [host.name for host in driver.chassis() if "public" in host.physnets])
    yield world
    driver.apply({key: [] for key in world.desired})
    assert driver.compare({}) == []


def test_hosts_are_listed_with_what_they_reach_and_answer_pings(driver: OvnDriver) -> None:
    driver.ping()
    found = {host.name: host for host in driver.chassis()}
    assert (found["h1"].physnets, found["h2"].physnets) == (("public",), ())
    assert found["h1"].encap_ip == "192.0.2.1"
    assert wait_for(lambda: all(host.alive and host.last_seen for host in driver.chassis()))


def test_guests_on_two_hosts_get_addresses_and_reach_each_other(lab: Lab, world: World) -> None:
    network = world.network()
    subnet = world.subnet(network, "10.1.0.0/24", "10.1.0.1", "10.1.0.2", dns_nameservers=["192.0.2.53"])
    group = world.group()
    world.write_group(group, rule(group, "egress"), rule(group, remote_group_id=group.id))
    ends = []
    for host, address in (("h1", "10.1.0.11"), ("h2", "10.1.0.12")):
        port = world.port(network, (subnet, address), host_id=host, security_groups=[group.id])
        ends.append((port, lab.guest(host, port.id, port.mac_address)))
    wait_for(lambda: all(world.driver.port_states([port.id for port, _ in ends]).values()), message="ports not up")
    leases = [guest.dhcp() for _, guest in ends]
    assert leases[0] == "10.1.0.11 24 1442 10.1.0.1 192.0.2.53 openstacklocal"
    assert "169.254.169.254 via 10.1.0.2" in ends[0][1].run("ip", "route")
    assert ends[0][1].pings("10.1.0.12", tries=10)
    ends[1][1].listen(80, "hello from the second host")
    assert ends[0][1].reads("10.1.0.12", 80) == "hello from the second host"
    assert world.driver.compare(world.desired) == []
    world.write_group(group, rule(group, "egress"))
    wait_for(lambda: not ends[0][1].reads("10.1.0.12", 80), message="the rule is gone, the way is not")


def test_a_floating_ip_leads_from_outside_to_a_guest_on_the_other_host(lab: Lab, world: World) -> None:
    public = world.network(external=True, network_type="flat", physical_network="public", mtu=1500)
    outer = world.subnet(public, "172.24.4.0/24", OUTSIDE, enable_dhcp=False)
    network = world.network()
    subnet = world.subnet(network, "10.2.0.0/24", "10.2.0.1")
    router = rows.Router(id=new_id(), project_id="p")
    world.apply(router=(router.id, routers.router_rows(router, [], [])))
    gateway = world.port(public, (outer, "172.24.4.10"), device_id=router.id, device_owner=rows.GATEWAY_OWNER)
    world.port(network, (subnet, "10.2.0.1"), device_id=router.id, device_owner=rows.INTERFACE_OWNER)
    world.apply(router=(router.id, routers.router_rows(router, [(gateway, [outer])], [subnet])))
    group = world.group()
    world.write_group(group, rule(group, "egress"), rule(group, protocol="tcp", port_range_min=22, port_range_max=22))
    port = world.port(network, (subnet, "10.2.0.11"), host_id="h2", security_groups=[group.id])
    guest = lab.guest("h2", port.id, port.mac_address)
    guest.dhcp()
    assert wait_for(lambda: guest.pings(OUTSIDE), message="no way out through source NAT")
    floating_ip = rows.FloatingIP(id=new_id(), project_id="p", floating_network_id=public.id, floating_port_id="",
                                  floating_ip_address="172.24.4.20", port_id=port.id, router_id=router.id,
                                  fixed_ip_address="10.2.0.11")  # fmt: skip
    world.apply(floatingip=(floating_ip.id, routers.floating_ip_rows(floating_ip)))
    guest.listen(22, "SSH-2.0")
    assert wait_for(lambda: lab.outside().reads("172.24.4.20", 22), message="floating IP not reachable") == "SSH-2.0"
    assert not lab.outside().pings("172.24.4.20"), "no rule allows ICMP"
    world.write_group(group, rule(group, "egress"), rule(group, protocol="icmp", port_range_min=8))
    assert wait_for(lambda: lab.outside().pings("172.24.4.20"), message="the ICMP rule does not work")
    assert world.driver.compare(world.desired) == []
    world.apply(floatingip=(floating_ip.id, []))
    wait_for(lambda: not lab.outside().pings("172.24.4.20"), message="still reachable after it was taken away")


class Way(NamedTuple):
    """A network inside, a router, and the network outside."""

    public: rows.Network
    outer: rows.Subnet
    network: rows.Network
    subnet: rows.Subnet
    router: rows.Router
    group: rows.SecurityGroup


def way_out(world: World, *gateways: str) -> Way:
    """A router whose gateways have these addresses outside."""
    public = world.network(external=True, network_type="flat", physical_network="public", mtu=1500)
    outer = world.subnet(public, "172.24.4.0/24", OUTSIDE, enable_dhcp=False)
    network = world.network()
    subnet = world.subnet(network, "10.4.0.0/24", "10.4.0.1")
    router = rows.Router(id=new_id(), project_id="p")
    world.apply(router=(router.id, routers.router_rows(router, [], [])))
    owned = {"device_id": router.id, "device_owner": rows.GATEWAY_OWNER}
    ways = [world.port(public, (outer, address), **owned) for address in gateways]
    world.port(network, (subnet, "10.4.0.1"), device_id=router.id, device_owner=rows.INTERFACE_OWNER)
    router.gateway_port_id = ways[0].id
    world.apply(router=(router.id, routers.router_rows(router, [(port, [outer]) for port in ways], [subnet])))
    group = world.group()
    world.write_group(group, rule(group, "egress"), rule(group, protocol="tcp"))
    return Way(public, outer, network, subnet, router, group)


def guest_behind(lab: Lab, world: World, way: Way, host: str, address: str) -> tuple[rows.Port, Guest]:
    port = world.port(way.network, (way.subnet, address), host_id=host, security_groups=[way.group.id])
    guest = lab.guest(host, port.id, port.mac_address)
    guest.dhcp()
    return port, guest


def test_single_ports_of_a_floating_ip_lead_to_several_guests(lab: Lab, world: World) -> None:
    way = way_out(world, "172.24.4.30")
    floating_ip = rows.FloatingIP(id=new_id(), project_id="p", floating_network_id=way.public.id,
                                  floating_ip_address="172.24.4.31", router_id=way.router.id)  # fmt: skip
    forwardings = []
    for number, (host, address) in enumerate((("h1", "10.4.0.11"), ("h2", "10.4.0.12"))):
        port, guest = guest_behind(lab, world, way, host, address)
        guest.listen(80, f"guest {number}")
        outer_port = 8080 + number
        forwardings.append(rows.PortForwarding(
            id=new_id(), floating_ip_id=floating_ip.id, internal_port_id=port.id, internal_ip_address=address,
            external_first=outer_port, external_last=outer_port, internal_first=80, internal_last=80))  # fmt: skip
    world.apply(floatingip=(floating_ip.id, routers.floating_ip_rows(floating_ip, forwardings)))
    outside = lab.outside()
    for number in range(2):
        assert wait_for(lambda n=number: outside.reads("172.24.4.31", 8080 + n)) == f"guest {number}"  # type: ignore[misc]
    assert not outside.reads("172.24.4.31", 80), "a port that is not forwarded"
    assert world.driver.compare(world.desired) == []
    world.apply(floatingip=(floating_ip.id, routers.floating_ip_rows(floating_ip, forwardings[1:])))
    wait_for(lambda: not outside.reads("172.24.4.31", 8080), message="still led to after its forwarding was deleted")
    assert outside.reads("172.24.4.31", 8081) == "guest 1"


def test_a_floating_ip_is_reached_over_a_router_with_two_ways_out(lab: Lab, world: World) -> None:
    way = way_out(world, "172.24.4.40", "172.24.4.41")
    port, guest = guest_behind(lab, world, way, "h2", "10.4.0.13")
    guest.listen(80, "here")
    floating_ip = rows.FloatingIP(id=new_id(), project_id="p", floating_network_id=way.public.id, port_id=port.id,
                                  floating_ip_address="172.24.4.42", router_id=way.router.id,
                                  fixed_ip_address="10.4.0.13")  # fmt: skip
    ways = [port for port in world.ports.values() if port.device_owner == rows.GATEWAY_OWNER]
    limit = rows.QosRule(id=new_id(), qos_policy_id="q", kind="bandwidth_limit", max_kbps=10_000)
    made = routers.floating_ip_rows(floating_ip, (), ways, [limit])
    world.apply(floatingip=(floating_ip.id, made))
    assert wait_for(lambda: lab.outside().reads("172.24.4.42", 80)) == "here"
    way.router.enable_default_route_ecmp = True
    rows_now = routers.router_rows(way.router, [(port, [way.outer]) for port in ways], [way.subnet])
    world.apply(router=(way.router.id, rows_now))
    assert world.driver.compare(world.desired) == []
    assert wait_for(lambda: lab.outside().reads("172.24.4.42", 80)) == "here"


def test_a_rule_that_names_an_address_group_follows_its_addresses(lab: Lab, world: World) -> None:
    network = world.network()
    subnet = world.subnet(network, "10.5.0.0/24", "10.5.0.1")
    friends = rows.AddressGroup(id=new_id(), project_id="p", addresses=["10.5.0.11/32"])
    world.apply(address_group=(friends.id, security_groups.address_group_rows(friends)))
    group = world.group()
    world.write_group(group, rule(group, "egress"), rule(group, protocol="tcp", remote_address_group_id=friends.id))
    ends = []
    for host, address in (("h1", "10.5.0.11"), ("h1", "10.5.0.12"), ("h2", "10.5.0.13")):
        port = world.port(network, (subnet, address), host_id=host, security_groups=[group.id])
        ends.append(lab.guest(host, port.id, port.mac_address))
        ends[-1].dhcp()
    friend, other, server = ends
    server.listen(80, "welcome")
    assert wait_for(lambda: friend.reads("10.5.0.13", 80)) == "welcome"
    assert not other.reads("10.5.0.13", 80)
    friends.addresses = ["10.5.0.12/32"]
    world.apply(address_group=(friends.id, security_groups.address_group_rows(friends)))
    assert wait_for(lambda: other.reads("10.5.0.13", 80), message="the group's new address is not let in") == "welcome"
    wait_for(lambda: not friend.reads("10.5.0.13", 80), message="the address left the group and is still let in")


def test_what_a_group_lets_pass_and_what_is_dropped_is_logged_on_the_host(lab: Lab, world: World) -> None:
    (control,) = (lab.folder / "h1").glob("ovn-controller.*.ctl")
    run("ovn-appctl", "-t", str(control), "vlog/set", "acl_log:console:info")
    network = world.network()
    subnet = world.subnet(network, "10.6.0.0/24", "10.6.0.1")
    group = rows.SecurityGroup(id=new_id(), project_id="p")
    rules = [rule(group, "egress"), rule(group, protocol="tcp", port_range_min=80, port_range_max=80)]
    world.apply(cloud=("drop", security_groups.drop_rows("dropped")))
    world.apply(security_group=(group.id, security_groups.group_rows(group, rules, "passed")))
    ends = []
    for address in ("10.6.0.11", "10.6.0.12"):
        port = world.port(network, (subnet, address), host_id="h1", security_groups=[group.id])
        ends.append(lab.guest("h1", port.id, port.mac_address))
        ends[-1].dhcp()
    ends[1].listen(80, "hello")
    assert wait_for(lambda: ends[0].reads("10.6.0.12", 80)) == "hello"
    assert not ends[0].reads("10.6.0.12", 81)
    log = lab.folder / "h1-controller.log"
    wait_for(lambda: 'name="neutron-passed", verdict=allow' in log.read_text(), message="what passed is not logged")
    wait_for(
        lambda: 'name="neutron-dropped", verdict=drop' in log.read_text(), message="what was dropped is not logged"
    )
    assert world.driver.compare(world.desired) == []


def test_a_guest_on_an_ipv6_subnet_configures_itself(lab: Lab, world: World) -> None:
    network = world.network()
    subnet = world.subnet(network, "fd00:1::/64", "fd00:1::1", ip_version=6, ipv6_ra_mode="slaac",
                          ipv6_address_mode="slaac")  # fmt: skip
    router = rows.Router(id=new_id(), project_id="p")
    world.apply(router=(router.id, routers.router_rows(router, [], [])))
    world.port(network, (subnet, "fd00:1::1"), device_id=router.id, device_owner=rows.INTERFACE_OWNER)
    group = world.group()
    world.write_group(group, rule(group, "egress", ethertype="IPv6"))
    port = world.port(network, host_id="h1", security_groups=[group.id])
    last = int(port.mac_address.rpartition(":")[2], 16)
    address = f"fd00:1::f816:3eff:fe00:{last:x}"
    port.fixed_ips = [rows.FixedIP(subnet_id=subnet.id, ip_address=address)]
    world.write_port(port)
    guest = lab.guest("h1", port.id, port.mac_address)
    assert wait_for(lambda: address in guest.run("ip", "-6", "addr"), message="no router advertisement came")
    assert wait_for(lambda: guest.pings("fd00:1::1"))


def test_a_port_cannot_use_another_address(lab: Lab, world: World) -> None:
    network = world.network()
    subnet = world.subnet(network, "10.3.0.0/24", "10.3.0.1")
    group = world.group()
    world.write_group(group, rule(group, "egress"), rule(group))
    ends = []
    for host, address in (("h1", "10.3.0.11"), ("h2", "10.3.0.12")):
        port = world.port(network, (subnet, address), host_id=host, security_groups=[group.id])
        ends.append((port, lab.guest(host, port.id, port.mac_address)))
        ends[-1][1].dhcp()
    sender = ends[0][1]
    assert wait_for(lambda: sender.pings("10.3.0.12"))
    sender.run("ip", "addr", "flush", "dev", "eth0")
    sender.run("ip", "addr", "add", "10.3.0.99/24", "dev", "eth0")
    assert not sender.pings("10.3.0.12", tries=3)
    ends[0][0].allowed_address_pairs = [{"ip_address": "10.3.0.99"}]
    world.write_port(ends[0][0])
    assert wait_for(lambda: sender.pings("10.3.0.12"), message="the allowed address pair does not work")


def test_a_lost_database_is_said_so_and_comes_back(lab: Lab, tmp_path: Path) -> None:
    driver = OvnDriver(f"unix:{tmp_path}/nobody.sock", lab.remote("sb"), timeout=2)
    with pytest.raises(DriverUnavailable):
        driver.apply({})
    driver.stop()
