"""The fake node obeys the contract, and the strings a test pulls on it work."""

import pytest

from pileus.node import protocol as p
from pileus.node.errors import NodeError, NodeUnavailable
from pileus.node.fake import FakeNode
from tests.node_contract import BYTES, NodeContract, image_of, spec_of


class TestTheFakeObeysTheContract(NodeContract):
    @pytest.fixture
    def node(self) -> FakeNode:
        return FakeNode()


def test_every_call_is_declared_and_has_a_method() -> None:
    for name in p.CALLS:
        assert callable(getattr(p.Node, name)) and callable(getattr(FakeNode, name))


def test_it_fails_as_often_as_told_and_before_doing_anything() -> None:
    node = FakeNode()
    node.fail("hello", times=2)
    for _ in range(2):
        with pytest.raises(NodeUnavailable):
            node.hello()
    assert node.hello().name == "fake-1"
    node.fail("inventory", error=NodeError("engine", "no"))
    with pytest.raises(NodeError):
        node.inventory()


def booted() -> tuple[FakeNode, p.InstanceSpec]:
    node = FakeNode()
    image = node.put_image(image_of(BYTES), [BYTES])
    spec = spec_of(image.image_id)
    node.ensure_disks(spec)
    node.ensure_instance(spec)
    return node, spec


def test_a_guest_that_shuts_itself_down_stays_down() -> None:
    node, spec = booted()
    node.guest_shutdown(spec.server_id)
    state = node.list_instances().instances[0]
    assert (state.power_state, state.desired) == ("shutdown", "shutdown")
    assert [e.cause for e in node.events(p.EventsArgs(wait=0)).events if e.kind == "power"] == ["api", "guest"]


def test_a_crash_starts_a_new_epoch_and_guests_go_on() -> None:
    node, _ = booted()
    before = node.events(p.EventsArgs(wait=0))
    node.crash()
    after = node.events(p.EventsArgs(epoch=before.epoch, after=before.last, wait=5))
    assert after.lost and after.epoch != before.epoch
    assert node.list_instances().instances[0].power_state == "running"
