"""Callers, each at an account of their own."""

import pytest

from tests.harness import Client, World
from tests.spec.object_storage.store import Store


@pytest.fixture
def own(member: Client) -> Store:
    return Store(member)


@pytest.fixture
def others(stranger: Client, own: Store) -> Store:
    """A stranger, at our account."""
    return Store(stranger, own.account)


@pytest.fixture
def anybody(anonymous: Client, own: Store) -> Store:
    """Nobody in particular, at our account."""
    return Store(anonymous, own.account)


@pytest.fixture
def seller(world: World, own: Store) -> Store:
    """Who sells storage, at our account."""
    from pileus.core import clock
    from pileus.identity.store import Role

    with world.cloud.db.write() as tx:
        if tx.find(Role, name="ResellerAdmin") is None:
            tx.insert(Role(clock.new_hex_id(), "ResellerAdmin", None, None))
        role = tx.get(Role, name="ResellerAdmin")
    world.roles["ResellerAdmin"] = role.id
    return Store(world.client("ResellerAdmin"), own.account)
