"""The catalogue of metadata definitions: loaded from files, again and again, and written back into files."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pileus import settings
from pileus.cli.image import command
from pileus.deploy import state as states
from pileus.image.metadefs import catalogue
from tests.harness import Client, World

M = "/image/v2/metadefs/namespaces"


@pytest.fixture
def admin(fresh: World) -> Client:
    return fresh.client("admin", "member", "reader")


class Runner:
    def __init__(self, world: World):
        self.folder = Path(world.cloud.settings.state)
        described = {"id": "test", "database_url": world.cloud.settings.database_url}
        (self.folder / settings.CONFIG).write_text(json.dumps(described))

    def __call__(self, *arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(command, [*arguments, "--state", str(self.folder)])
        assert result.exit_code == code, result.output
        return result.output


@pytest.fixture
def run(fresh: World) -> Runner:
    return Runner(fresh)


def file(folder: Path, **definition: Any) -> str:
    path = folder / "definition.json"
    path.write_text(json.dumps({"namespace": "Mine", "visibility": "public", **definition}))
    return str(path)


def test_the_standard_one_is_loaded_and_seen_by_all(run: Runner, fresh: World) -> None:
    done = json.loads(run("load-metadefs", "--json"))
    assert set(done.values()) == {"added"}
    member = fresh.client("member", "reader")
    listed = member.get(f"{M}?limit=100").ok(200)["namespaces"]
    assert {row["namespace"] for row in listed} == set(done)
    hardware = member.get(f"{M}/OS::Compute::GuestHardware").ok(200)
    assert "virtio" in hardware["properties"]["hw_disk_bus"]["enum"] and hardware["protected"]
    for row in listed:
        assert member.get(f"{M}/{row['namespace']}").ok(200)["resource_type_associations"]


def test_loading_again_changes_nothing(run: Runner, admin: Client) -> None:
    run("load-metadefs")
    before = admin.get(f"{M}/OS::OperatingSystem").ok(200)
    assert set(json.loads(run("load-metadefs", "--json")).values()) == {"kept"}
    run("load-metadefs", "--merge")
    assert admin.get(f"{M}/OS::OperatingSystem").ok(200) == before


OLD: dict[str, Any] = {
    "description": "old",
    "resource_type_associations": [{"name": "A", "prefix": "old:"}],
    "properties": {"a": {"title": "old", "type": "string"}, "gone": {"title": "G", "type": "string"}},
    "objects": [{"name": "o", "description": "old"}],
    "tags": [{"name": "t"}],
}
NEW: dict[str, Any] = {
    "description": "new",
    "resource_type_associations": [{"name": "A", "prefix": "new:"}, {"name": "B"}],
    "properties": {"a": {"title": "new", "type": "string"}, "b": {"title": "B", "type": "integer"}},
    "objects": [{"name": "o", "description": "new"}, {"name": "p"}],
    "tags": [{"name": "t"}, {"name": "u"}],
}
ALL = ({"a", "b", "gone"}, {"o", "p"}, {"t", "u"}, {"A", "B"})


@pytest.mark.parametrize(
    ("options", "word", "parts"),
    [
        ([], "old", ({"a", "gone"}, {"o"}, {"t"}, {"A"})),
        (["--merge"], "old", ALL),
        (["--merge", "--prefer-new"], "new", ALL),
        (["--prefer-new"], "new", ALL),
        (["--replace"], "new", ({"a", "b"}, {"o", "p"}, {"t", "u"}, {"A", "B"})),
    ],
)
def test_what_is_there_is_kept_merged_or_replaced(
    run: Runner, admin: Client, tmp_path: Path, options: list[str], word: str, parts: tuple[set[str], ...]
) -> None:
    run("load-metadefs", file(tmp_path, **OLD))
    run("load-metadefs", file(tmp_path, **NEW), *options)
    found = admin.get(f"{M}/Mine").ok(200)
    assert parts == (
        set(found["properties"]),
        *({part["name"] for part in found[kind]} for kind in ("objects", "tags", "resource_type_associations")),
    )
    words = {found["description"], found["properties"]["a"]["title"], found["objects"][0]["description"]}
    assert words == {word} and found["resource_type_associations"][0]["prefix"] == f"{word}:"


def test_what_a_file_says_beside_the_definitions_is_passed_over(run: Runner, admin: Client, tmp_path: Path) -> None:
    given = {"properties": {"a": {"title": "A", "type": "string", "odd": 1}}, "display_name": None, "extra": [1]}
    run("load-metadefs", file(tmp_path, **given))
    assert admin.get(f"{M}/Mine").ok(200)["properties"] == {"a": {"title": "A", "type": "string"}}


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{", '{"namespace": 7}', '{"display_name": "no name"}', '{"namespace": "x", "properties": {"a": 1}}',
     '{"namespace": "x", "tags": [{"name": "a"}, {"name": "a"}]}', "[" * 100000],
)  # fmt: skip
def test_a_wrong_file_is_refused_and_nothing_of_its_folder_loaded(
    run: Runner, admin: Client, tmp_path: Path, content: str
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    file(folder)
    (folder / "wrong.json").write_text(content)
    assert "Error" in run("load-metadefs", str(folder), code=1)
    assert admin.get(M).ok(200)["namespaces"] == []


def test_a_folder_without_files_is_refused(run: Runner, tmp_path: Path) -> None:
    assert ".json" in run("load-metadefs", str(tmp_path), code=1)
    assert "nothing to merge" in run("load-metadefs", "--replace", "--merge", code=2)


def test_what_is_written_into_files_is_what_is_loaded_from_them(run: Runner, admin: Client, tmp_path: Path) -> None:
    run("load-metadefs", file(tmp_path, **NEW))
    admin.post(M, {"namespace": "../../Up", "visibility": "public"}).ok(201)
    out = tmp_path / "out"
    run("export-metadefs", str(out))
    written = list(out.iterdir())
    assert len(written) == 2 and all(path.suffix == ".json" for path in written)
    mine = next(found for _, found in catalogue.read(out) if found["namespace"] == "Mine")
    before = admin.get(f"{M}/Mine").ok(200)
    assert mine["properties"] == NEW["properties"]
    run("load-metadefs", str(out), "--replace")
    after = admin.get(f"{M}/Mine").ok(200)
    volatile = {"updated_at", "created_at"}
    assert {k: v for k, v in after.items() if k in ("properties", "tags", "description")} == {
        k: v for k, v in before.items() if k in ("properties", "tags", "description")
    } and volatile <= set(after)


def test_there_has_to_be_a_cloud(tmp_path: Path) -> None:
    assert states.read(tmp_path) is None
    result = CliRunner().invoke(command, ["load-metadefs", "--state", str(tmp_path)])
    assert result.exit_code == 1 and "no cloud" in result.output
