"""The protocol on a real unix socket: the contract holds through it, refusals arrive as what they are."""

import io
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pileus.node import protocol as p
from pileus.node.client import VERSION_HEADER, NodeClient, UnixConnection, fault
from pileus.node.errors import NodeError, NodeUnavailable, VersionMismatch
from pileus.node.fake import FakeNode
from pileus.node.server import NodeServer
from tests.node_contract import BYTES, NodeContract, image_of


class FilingNode(FakeNode):
    """With files to send, as a real node has: the server gives them to the kernel."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def open_file(self, args: p.FileRef) -> io.BufferedReader:
        path = self.folder / "sent"
        path.write_bytes(b"".join(self.read_file(args)))
        return path.open("rb")


class Served:
    def __init__(self, path: Path) -> None:
        self.fake = FilingNode(path)
        self.path = str(path / "node.sock")
        self.server = NodeServer(self.path, self.fake)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()
        self.client = NodeClient(self.path)

    def stop(self) -> None:
        self.server.stop()
        self.thread.join(5)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path)
    yield served
    served.stop()


class TestTheContractHoldsThroughTheSocket(NodeContract):
    @pytest.fixture
    def node(self, served: Served) -> NodeClient:
        return served.client


def test_the_socket_is_for_owner_and_group(served: Served) -> None:
    assert stat.S_IMODE(os.stat(served.path).st_mode) == 0o660


def test_a_fault_of_the_node_keeps_its_kind_and_words(served: Served) -> None:
    for told in (
        NodeError("no_space", "full"),
        NodeError("engine", "QEMU said no"),
        NodeUnavailable("libvirt is away"),
    ):
        served.fake.fail("inventory", error=told)
        with pytest.raises(type(told)) as refused:
            served.client.inventory()
        assert str(refused.value) == str(told)
        assert getattr(refused.value, "kind", None) == getattr(told, "kind", None)


def test_a_bug_in_the_node_is_an_engine_error_and_the_node_goes_on(served: Served) -> None:
    served.fake.fail("inventory", error=ZeroDivisionError("oops"))  # type: ignore[arg-type]
    with pytest.raises(NodeError, match="oops"):
        served.client.inventory()
    assert served.client.hello().name == "fake-1"


def test_another_version_is_refused(served: Served) -> None:
    connection = UnixConnection(served.path, 5)
    connection.request("POST", "/v1/hello", body=b"\x80", headers={VERSION_HEADER: "999"})
    response = connection.getresponse()
    assert isinstance(fault(response.status, response.read()), VersionMismatch)
    connection.close()


def test_nobody_listening_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(NodeUnavailable):
        NodeClient(str(tmp_path / "none.sock")).hello()


@pytest.mark.parametrize(
    ("path", "headers", "body"),
    [
        ("/v1/hello", {}, b"not msgpack \xc1"),
        ("/v1/power", {}, b"\x80"),
        ("/v1/no_such_call", {}, b"\x80"),
        ("/v1/put_image", {}, b"\x80"),
        ("/v1/hello", {"Content-Length": "99999999999"}, b""),
        ("/v1/hello", {"Content-Length": "-1"}, b""),
    ],
)
def test_nonsense_is_refused_as_invalid(served: Served, path: str, headers: dict[str, str], body: bytes) -> None:
    connection = UnixConnection(served.path, 5)
    connection.request("POST", path, body=body, headers={VERSION_HEADER: str(p.VERSION)} | headers)
    assert connection.getresponse().status == 400
    connection.close()
    assert served.client.hello()


def test_a_large_image_refused_at_its_first_byte_says_why(served: Served) -> None:
    served.fake.fail("put_image", error=NodeError("no_space", "no room"))
    chunk = b"x" * (1 << 20)
    args = image_of(BYTES, size=64 << 20)
    with pytest.raises(NodeError, match="no room"):
        served.client.put_image(args, (chunk for _ in range(64)))


def test_an_image_cut_off_on_its_way_leaves_nothing(served: Served) -> None:
    def short() -> Iterator[bytes]:
        yield b"x" * 1000
        raise OSError("the store's disk broke")

    args = image_of(BYTES)
    with pytest.raises(NodeUnavailable):
        served.client.put_image(args, short())
    assert served.client.has_image(p.ImageRef(args.image_id)).image is None


def test_a_crashed_nodes_socket_is_taken_over_and_a_living_ones_is_not(served: Served, tmp_path: Path) -> None:
    with pytest.raises(NodeUnavailable, match="another node"):
        NodeServer(served.path, FakeNode())
    served.server.stop()
    Path(served.path).touch()
    NodeServer(served.path, FakeNode()).server_close()
