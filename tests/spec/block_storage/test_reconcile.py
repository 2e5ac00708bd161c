"""What differs between rows and hosts is seen, and put right where no bytes are lost by it."""

from pileus.block_storage import backup_data, compare, reconcile
from pileus.block_storage.store import Volume
from tests.harness import World
from tests.spec.block_storage.conftest import VOLUMES

OLD = "2001-01-01T00:00:00.000000Z"


def seen(world: World) -> list[tuple[str, str]]:
    return [(one.kind, one.id) for one in compare.differences(world.cloud)]


def test_what_differs_is_seen_and_what_can_be_is_put_right(fresh: World) -> None:
    reconcile.look(fresh.cloud)
    boss = fresh.client("admin", "member", "reader").at("3.71", "volume")
    made = [boss.post(VOLUMES, {"volume": {"size": 1}}).ok(202)["volume"]["id"] for _ in range(3)]
    while fresh.cloud.sagas.run_one():
        pass
    assert seen(fresh) == []
    driver = fresh.cloud.drivers["block_storage"]
    here, there = driver.hosts()
    with fresh.cloud.db.read() as tx:
        hosts = {one.id: one.host or "" for one in tx.select(Volume)}
    moved, lost, stuck = made
    other = there if hosts[moved] == here else here
    driver.create(other, moved, 1)
    driver.create(here, "5e5a9b7e-0000-4000-8000-0000000000ff", 1)
    driver.create(here, "volume-of-nobody", 1)
    driver.connect(hosts[moved], moved, other.partition("@")[0])
    driver.remove(hosts[lost], lost)
    with fresh.cloud.db.write() as tx:
        tx.update(Volume, stuck, status="extending", updated_at=OLD)
    half = backup_data.folder(fresh.cloud) / f"{moved}.part"
    half.mkdir()
    assert set(seen(fresh)) == {
        (compare.ELSEWHERE, moved), (compare.LEFT_OVER, "5e5a9b7e-0000-4000-8000-0000000000ff"), (compare.EXPORT, moved),
        (compare.MISSING, lost), (compare.STUCK, stuck), (compare.BACKUP, half.name),
    }  # fmt: skip
    reconcile.repair(fresh.cloud)
    assert set(seen(fresh)) == {(compare.LEFT_OVER, "5e5a9b7e-0000-4000-8000-0000000000ff"), (compare.MISSING, lost)}
    assert boss.get(f"{VOLUMES}/{stuck}").ok()["volume"]["status"] == "error"
