"""What a guest reads about itself: the tree, and the service that hands it out to nobody else."""

import contextlib
import json
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pileus.node import protocol as p
from pileus.node.disk.drive import config_drive
from pileus.node.metadata import service as s
from pileus.node.metadata.tree import answer, config_drive_tree, link_local, network_data
from tests.node_contract import spec_of

SEED = b"s" * 512
KEY = "ssh-ed25519 AAAA someone"


def nic(address: str = "10.0.0.5", **fixed: object) -> p.Nic:
    ip = p.FixedIP(**({"address": address, "prefix": 24, "gateway": "10.0.0.1", "dns": ["9.9.9.9"]} | fixed))  # type: ignore[arg-type]
    return p.Nic(
        port_id="0a1b2c3d-4e5f-6789-abcd-ef0123456789", mac="fa:16:3e:00:00:05", network_id="net-1", fixed_ips=[ip]
    )


SPEC = spec_of(
    "ffffffff-0000",
    nics=[nic()],
    documents=p.Documents(
        hostname="web.novalocal",
        keys=[p.PublicKey(name="mine", data=KEY)],
        meta={"role": "front"},
        user_data=b"#!/bin/sh\n\x00\xff",
        security_groups=["default", "web"],
        instance_type="m1.tiny",
        image_id="abcdef0123",
    ),
)


def got(path: str, spec: p.InstanceSpec = SPEC) -> str:
    found = answer(spec, path, SEED)
    assert found is not None, path
    return found.decode()


def test_openstack_documents() -> None:
    assert got("/openstack").splitlines()[-1] == "latest"
    assert "meta_data.json" in got("/openstack/latest/").splitlines()
    meta = json.loads(got("/openstack/latest/meta_data.json"))
    assert meta["uuid"] == SPEC.server_id
    assert meta["public_keys"] == {"mine": KEY}
    assert meta["meta"] == {"role": "front"}
    assert meta["hostname"] == "web.novalocal"
    assert meta == json.loads(got("/openstack/2012-08-10/meta_data.json"))
    assert answer(SPEC, "/openstack/latest/user_data", SEED) == b"#!/bin/sh\n\x00\xff"


def test_ec2_documents() -> None:
    assert got("/").splitlines()[-1] == "latest"
    assert got("/latest/").splitlines() == ["meta-data/", "user-data"]
    assert {"instance-id", "local-ipv4", "placement/", "public-keys/"} <= set(got("/latest/meta-data/").splitlines())
    assert got("/2009-04-04/meta-data/local-ipv4") == "10.0.0.5"
    assert got("/latest/meta-data/public-keys/") == "0=mine"
    assert got("/latest/meta-data/public-keys/0/") == "openssh-key"
    assert got("/latest/meta-data/public-keys/0/openssh-key") == KEY
    assert got("/latest/meta-data/placement/availability-zone") == "nova"
    assert got("/latest/meta-data/security-groups").splitlines() == ["default", "web"]
    assert got("/latest/meta-data/ami-id") == "ami-abcdef01"
    assert got("/latest/meta-data/block-device-mapping/ami") == "vda"


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/1999-01-01/meta-data", "/latest/meta-data/local-ipv4/more", "/openstack/latest/none",
     "/openstack/1999-01-01", "/latest/user-data/x", "/latest/x"],
)  # fmt: skip
def test_what_is_not_there_is_none(path: str) -> None:
    assert answer(SPEC, path, SEED) is None


def test_without_user_data_there_is_no_such_document() -> None:
    plain = spec_of("x")
    assert answer(plain, "/latest/user-data", SEED) is None
    assert answer(plain, "/openstack/latest/user_data", SEED) is None
    assert got("/latest", plain) == "meta-data/"


def test_network_data_of_dhcp_static_and_ipv6() -> None:
    assert network_data([nic()])["networks"] == [
        {"id": "network0", "link": "tap0a1b2c3d-4e", "type": "ipv4_dhcp", "network_id": "net-1"}
    ]
    static = network_data([nic(dhcp=False, routes=[p.Route("192.0.2.0/24", "10.0.0.9")])])
    assert static["networks"][0]["netmask"] == "255.255.255.0"
    assert [r["network"] for r in static["networks"][0]["routes"]] == ["0.0.0.0", "192.0.2.0"]
    assert static["services"] == [{"type": "dns", "address": "9.9.9.9"}]
    v6 = network_data([nic("2001:db8::5", prefix=64, gateway="2001:db8::1", ipv6_address_mode="slaac")])
    assert v6["networks"][0]["type"] == "ipv6_slaac"


def test_files_are_told_of_and_lie_beside_the_documents() -> None:
    documents = p.Documents(hostname="h", files={"/etc/motd": b"hello", "/root/raw": b"\x00\xff"})
    spec = spec_of("ffffffff-0000", nics=[nic()], documents=documents)
    told = json.loads(got("/openstack/latest/meta_data.json", spec))["files"]
    assert [file["path"] for file in told] == ["/etc/motd", "/root/raw"]
    found = [answer(spec, f"/openstack{file['content_path']}", SEED) for file in told]
    assert found == [b"hello", b"\x00\xff"]
    assert answer(spec, "/openstack/content/0002", SEED) is None
    tree = config_drive_tree(spec, SEED)
    assert [tree[f"openstack{file['content_path']}"] for file in told] == found
    assert "files" not in json.loads(got("/openstack/latest/meta_data.json"))


def test_the_config_drive_holds_both_trees_under_its_label() -> None:
    tree = config_drive_tree(SPEC, SEED)
    assert tree["ec2/latest/user-data"] == tree["openstack/latest/user_data"] == SPEC.documents.user_data
    iso = config_drive(tree)
    assert iso[0x8028:0x8048].decode().strip() == "config-2"
    assert b"web.novalocal" in iso


def test_the_address_a_guest_gives_itself() -> None:
    assert link_local("fa:16:3e:00:00:05") == "fe80::f816:3eff:fe00:5"


@given(st.text(max_size=60))
def test_no_path_breaks_the_tree(path: str) -> None:
    answer(SPEC, "/" + path, SEED)


@given(st.binary(max_size=200))
def test_no_head_breaks_the_parser(head: bytes) -> None:
    s.parse(head)
    s.parse(b"GET /" + head + b" HTTP/1.1\r\n" + head)


class Network:
    """A service with one network, whose guests are told apart by loopback addresses."""

    def __init__(self) -> None:
        self.passwords: dict[str, bytes] = {}
        self.service = s.MetadataService(self.find, self.set_password)
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        self.port = listener.getsockname()[1]
        self.service.open("net-1", [listener])

    def find(self, network_id: str, address: str) -> s.Asker | None:
        known = network_id == "net-1" and address == "127.0.0.5"
        return s.Asker(SPEC, self.passwords.get(SPEC.server_id, b"")) if known else None

    def set_password(self, server_id: str, password: bytes) -> None:
        self.passwords[server_id] = password

    def ask(self, request: bytes, source: str = "127.0.0.5") -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=5, source_address=(source, 0)) as connection:
            answer = b""
            with contextlib.suppress(ConnectionError):  # hung up on: nothing came
                connection.sendall(request)
                while chunk := connection.recv(65536):
                    answer += chunk
            return answer

    def status(self, request: bytes, source: str = "127.0.0.5") -> int:
        return int(self.ask(request, source).split(b" ")[1])


@pytest.fixture
def network() -> Iterator[Network]:
    network = Network()
    yield network
    network.service.stop()


GET = b"GET /latest/meta-data/local-ipv4 HTTP/1.0\r\n\r\n"


def test_a_guest_gets_its_own_documents_and_a_stranger_none(network: Network) -> None:
    assert network.ask(GET).endswith(b"\r\n\r\n10.0.0.5")
    assert network.status(GET, source="127.0.0.6") == 404
    spoofed = GET.replace(b"\r\n\r\n", b"\r\nX-Forwarded-For: 127.0.0.5\r\n\r\n")
    assert network.status(spoofed, source="127.0.0.6") == 404


def test_head_has_no_body_and_other_methods_are_refused(network: Network) -> None:
    assert network.ask(GET.replace(b"GET", b"HEAD")).endswith(b"\r\n\r\n")
    assert network.status(GET.replace(b"GET", b"PUT")) == 405
    assert network.status(b"POST /latest HTTP/1.1\r\nContent-Length: 0\r\n\r\n") == 405


def test_a_password_is_taken_once(network: Network) -> None:
    post = b"POST /openstack/latest/password HTTP/1.1\r\nContent-Length: 6\r\n\r\nsecret"
    assert network.status(post) == 200
    assert network.status(post) == 409
    assert network.ask(b"GET /openstack/latest/password HTTP/1.1\r\n\r\n").endswith(b"secret")


@pytest.mark.parametrize("request_", [b"nonsense\r\n\r\n", b"GET x HTTP/1.1\r\n\r\n", b"GET / HTTP/2\r\n\r\n",
                                      b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
                                      b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"])  # fmt: skip
def test_what_is_no_request_is_refused(network: Network, request_: bytes) -> None:
    assert network.status(request_) == 400


def test_a_head_without_end_is_cut_off_and_the_service_goes_on(network: Network) -> None:
    assert network.ask(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n") == b""
    assert network.status(b"POST / HTTP/1.1\r\nContent-Length: 5000\r\n\r\n") == 413
    assert network.status(GET) == 200


def test_one_guest_cannot_take_all_connections(network: Network) -> None:
    held = []
    for _ in range(s.PER_GUEST):
        connection = socket.create_connection(("127.0.0.1", network.port), source_address=("127.0.0.6", 0))
        connection.sendall(b"GET /")
        held.append(connection)
    assert network.ask(GET, source="127.0.0.6") == b""
    assert network.status(GET) == 200
    for connection in held:
        connection.close()
