"""Property protections: the operator's file says who may create, read, update and delete which properties."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pileus.image import protections
from tests.harness import Client, World
from tests.spec.image.images import IMAGES, change, create, names, show

FILE = """
[^owner_specified_]
create = admin, member
read = admin, member, reader
update = admin, member
delete = admin
[^secret]
create = admin
read = admin
update = admin
delete = admin
[^fixed$]
create = @
read = @
update = !
delete = !
[^open]
create = @
read = @
update = @
delete = @
[^silent$]
create =
read = @
update = @
delete = @
"""
SECRETS = {"open_one": "a", "secret_one": "b", "owner_specified_x": "c", "fixed": "d"}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory, database: None) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("protected")
    path = folder / "protections.conf"
    path.write_text(FILE)
    world = World(folder / "cloud", image_property_protections=str(path))
    yield world
    world.stop()


@pytest.fixture
def boss(cloud: World) -> Client:
    return cloud.client("admin", "member", "reader")


@pytest.fixture
def worker(cloud: World, boss: Client) -> Client:
    return cloud.client("member", "reader", project_id=boss.project_id)


def op(verb: str, name: str, value: str | None = None) -> dict[str, Any]:
    return {"op": verb, "path": f"/{name}", **({} if value is None else {"value": value})}


def test_what_may_not_be_read_is_not_shown(boss: Client, worker: Client) -> None:
    image = create(boss, **SECRETS)
    assert SECRETS.items() <= show(boss, image).items()
    seen = show(worker, image)
    assert "secret_one" not in seen and seen["open_one"] == "a" and seen["owner_specified_x"] == "c"
    listed = worker.get(IMAGES).ok(200)["images"][0]
    assert listed == seen


def test_lists_do_not_tell_it_either(boss: Client, worker: Client) -> None:
    create(boss, name="found", **SECRETS)
    assert names(boss, f"secret_one=b&owner={boss.project_id}") == ["found"]
    assert names(worker, "secret_one=b") == [] and names(worker, "open_one=a") == ["found"]


@pytest.mark.parametrize(
    ("name", "allowed"),
    [("owner_specified_y", True), ("open_y", True), ("fixed", True), ("secret_y", False), ("silent", False),
     ("not_spoken_of", False)],
)  # fmt: skip
def test_creating_needs_the_permission(worker: Client, name: str, allowed: bool) -> None:
    answer = worker.post(IMAGES, {name: "x"})
    image = create(worker)
    added = change(worker, image, op("add", name, "x"))
    if allowed:
        answer.ok(201)
        added.ok(200)
    else:
        answer.refused(403, "protected")
        added.refused(403, "protected")


def test_updating_and_deleting_need_theirs(boss: Client, worker: Client) -> None:
    image = create(boss, **SECRETS)
    change(worker, image, op("replace", "owner_specified_x", "new")).ok(200)
    change(worker, image, op("remove", "owner_specified_x")).refused(403, "may not delete")
    change(boss, image, op("remove", "owner_specified_x")).ok(200)
    for verb, value in (("replace", "x"), ("remove", None), ("add", "x")):
        change(boss, image, op(verb, "fixed", value)).refused(403, "protected")
    change(worker, image, op("replace", "open_one", "z"), op("remove", "open_one")).ok(200)


def test_what_may_not_be_read_is_as_good_as_not_there(boss: Client, worker: Client) -> None:
    image = create(boss, **SECRETS)
    change(worker, image, op("replace", "secret_one", "x")).refused(409, "does not exist")
    change(worker, image, op("remove", "secret_one")).refused(409, "does not exist")
    change(worker, image, op("add", "secret_one", "x")).refused(403, "protected")
    assert show(boss, image)["secret_one"] == "b"


def test_values_may_be_rules_of_the_policy(tmp_path: Path) -> None:
    path, policy = tmp_path / "protections.conf", tmp_path / "policy.yaml"
    path.write_text(
        "[^spl_]\ncreate = keepers\nread = keepers\nupdate = keepers\ndelete = unknown_rule\n"
        "[.*]\ncreate = @\nread = @\nupdate = @\ndelete = @\n"
    )
    policy.write_text('keepers: "role:manager"')
    world = World(
        tmp_path / "cloud",
        image_property_protections=str(path),
        image_property_rules="policies",
        policy_file=str(policy),
    )
    keeper = world.client("manager", "member", "reader")
    member = world.client("member", "reader", project_id=keeper.project_id)
    image = create(keeper, spl_price="9", colour="red")
    assert show(keeper, image)["spl_price"] == "9" and "spl_price" not in show(member, image)
    assert show(member, image)["colour"] == "red"
    member.post(IMAGES, {"spl_price": "1"}).refused(403, "protected")
    change(keeper, image, op("remove", "spl_price")).refused(403, "may not delete")
    world.stop()


@pytest.mark.parametrize(
    ("text", "kind", "reason"),
    [
        ("[a]\ncreate = @\nread = @\nupdate = @\n", "roles", "who may delete"),
        ("[(]\ncreate = @\nread = @\nupdate = @\ndelete = @\n", "roles", "unterminated"),
        ("[a]\ncreate = @, !\nread = @\nupdate = @\ndelete = @\n", "roles", "either everybody"),
        ("[a]\ncreate = a, b\nread = @\nupdate = @\ndelete = @\n", "policies", "one rule"),
        ("create = @", "roles", "no section headers"),
        ("[a]\n[a]\n", "roles", "already exists"),
        ("", "colours", "roles or policies"),
    ],
)
def test_a_wrong_file_is_named_with_the_reason(tmp_path: Path, text: str, kind: str, reason: str) -> None:
    path = tmp_path / "protections.conf"
    path.write_text(text)
    with pytest.raises(ValueError, match=reason):
        protections.load(path, kind)


def test_while_the_file_cannot_be_read_nothing_is_open(tmp_path: Path) -> None:
    world = World(tmp_path / "cloud", image_property_protections=str(tmp_path / "missing.conf"))
    member = world.client("member", "reader")
    member.get(IMAGES).refused(503, "property protections")
    member.post(IMAGES, {"colour": "red"}).refused(503, "property protections")
    world.stop()
