"""The keys of a cloud: tokens of both kinds, rotation while it runs, and secrets that follow."""

import json
import uuid
from pathlib import Path

import pytest
from click.testing import CliRunner

from pileus.cli.identity import command
from pileus.identity.delegation.credentials import Vault
from pileus.identity.store import Credential
from pileus.identity.tokens import keys, rotation
from pileus.settings import CONFIG
from tests.harness import Client, World


def _client(world: World, kind: str) -> Client:
    world.cloud.tokens._signing = kind == "jws"
    return world.client("admin")


@pytest.fixture
def signing(tmp_path: Path) -> World:
    return World(tmp_path / "cloud", token_provider="jws")


def test_a_signed_token_does_what_an_encrypted_one_does(signing: World) -> None:
    encrypted, signed = _client(signing, "fernet"), _client(signing, "jws")
    assert (signed.token or "").startswith("eyJ") and not (encrypted.token or "").startswith("eyJ")
    for caller in (encrypted, signed):
        body = caller.get("/v3/auth/tokens", x_subject_token=caller.token or "").ok()["token"]
        assert body["project"]["id"] == caller.project_id and body["user"]["id"] == caller.user_id
    signed.delete("/v3/auth/tokens", x_subject_token=signed.token or "").ok(204)
    signed.get("/v3/auth/projects").refused(401)
    encrypted.get("/v3/auth/projects").ok()
    signing.stop()


def test_a_cloud_may_go_back_to_encrypted_tokens_and_turns_nobody_away(signing: World) -> None:
    client = _client(signing, "jws")
    folder = signing.cloud.settings.folder
    signing.stop()
    again = World(folder, **({"database_url": signing.cloud.settings.database} if World.new_database else {}))
    Client(again.application, client.token).get("/v3/auth/projects").ok()
    again.stop()


def test_another_kind_of_token_is_unknown(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="fernet or jws"):
        World(tmp_path / "cloud", token_provider="uuid")


@pytest.mark.parametrize("kind", ["fernet", "jws"])
def test_a_token_is_good_until_its_key_is_dropped(signing: World, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_LOOK", 0.0)
    client, state = _client(signing, kind), signing.cloud.settings.folder
    what = "signatures" if kind == "jws" else "tokens"
    for _ in range(2):
        rotation.rotate(signing.cloud.db, state, what, 3, 0, lambda done, total: None)
        client.get("/v3/auth/projects").ok()
        _client(signing, kind).get("/v3/auth/projects").ok()
    done = rotation.rotate(signing.cloud.db, state, what, 3, 0, lambda done, total: None)
    assert len(done.dropped) == 1
    client.get("/v3/auth/projects").refused(401)
    signing.stop()


def _secret(world: World, client: Client, kind: str) -> str:
    blob = json.dumps({"access": uuid.uuid4().hex, "secret": "s"}) if kind == "ec2" else "seed"
    body = {"credential": {"type": kind, "blob": blob, "project_id": client.project_id}}
    return str(client.post("/v3/credentials", body).ok(201)["credential"]["id"])


def test_rotation_encrypts_what_is_stored_anew(fresh: World) -> None:
    client, state = fresh.client("admin"), fresh.cloud.settings.folder
    ids = [_secret(fresh, client, kind) for kind in ("ec2", "totp", "cert")]
    shown = [client.get(f"/v3/credentials/{id}").ok() for id in ids]
    for turn in range(4):
        done = rotation.rotate(fresh.cloud.db, state, "credentials", 1, 0, lambda done, total: None)
        assert done.reencrypted == len(ids), turn
        assert [client.get(f"/v3/credentials/{id}").ok() for id in ids] == shown
    assert len(keys.Folder(state / "keys-credentials", bytes).numbers()) == 3  # in use, the last one, the one to come
    with fresh.cloud.db.read() as tx:
        assert not any(Vault(state).stale(row.encrypted_blob) for row in tx.select(Credential))
    assert rotation.reencrypt(fresh.cloud.db, Vault(state), lambda done, total: None) == 0


def test_a_secret_changed_during_the_rotation_is_left_as_it_is(fresh: World) -> None:
    client, state = fresh.client("admin"), fresh.cloud.settings.folder
    at = f"/v3/credentials/{_secret(fresh, client, 'totp')}"
    _, read, write = rotation._statements(Credential, "encrypted_blob")
    with fresh.cloud.db.read() as tx:
        old = tx.scalar(read, id=at.rpartition("/")[2])
    client.patch(at, {"credential": {"blob": "newer"}}).ok()
    with fresh.cloud.db.write() as tx:
        assert tx.execute(write, id=at.rpartition("/")[2], old=old, new=Vault(state).close("older")) == 0
    assert client.get(at).ok()["credential"]["blob"] == "newer"


def test_the_verb_rotates_all_keys_and_says_so(fresh: World) -> None:
    state = fresh.cloud.settings.folder
    cloud = {"id": "x", "port": 5000, "nodes": [], "fake_nodes": 1, "datapath": "", "accel": "", "external": {}}
    (state / CONFIG).write_text(json.dumps({**cloud, "database_url": fresh.cloud.settings.database_url}))
    run = CliRunner()
    client = fresh.client("admin")
    _secret(fresh, client, "totp")
    done = run.invoke(command, ["rotate-keys", "--state", str(state)])
    assert done.exit_code == 0, done.output
    assert "tokens: key 2 is in use" in done.output and "1 secrets encrypted anew" in done.output
    done = run.invoke(command, ["rotate-keys", "--state", str(state), "--older-than", "1", "--json"])
    assert {row["skipped"] != "" for row in json.loads(done.output)} == {True}
    client.get("/v3/auth/projects").ok()
    assert "may be running" in run.invoke(command, ["rotate-keys", "--help"]).output
    refused = run.invoke(command, ["rotate-keys", "--state", str(state), "--only", "signatures"])
    assert refused.exit_code == 1 and "no keys for signatures" in refused.output
    (state / "keys").chmod(0o755)
    refused = run.invoke(command, ["rotate-keys", "--state", str(state)])
    assert refused.exit_code == 1 and "others may read" in refused.output
    assert "cloud in" in run.invoke(command, ["rotate-keys", "--state", str(state / "none")]).output


def test_a_cloud_whose_keys_others_may_read_does_not_start(fresh: World) -> None:
    state = fresh.cloud.settings.folder
    (state / "keys").chmod(0o750)
    with pytest.raises(ValueError, match="others may read"):
        rotation.check(state)
    with pytest.raises(ValueError, match="others may read"):
        World(state)


def test_first_keys_of_every_kind_that_is_always_used_are_made_at_once(fresh: World) -> None:
    state = fresh.cloud.settings.folder
    rotation.check(state)
    made = {path.name: sorted(path.iterdir()) for path in state.glob("keys*")}
    assert set(made) == set(rotation.KINDS.values()) - {rotation.KINDS["signatures"]} and all(made.values())
    rotation.check(state)
    assert made == {path.name: sorted(path.iterdir()) for path in state.glob("keys*")}


def test_the_command_knows_every_kind() -> None:
    [only] = [option for option in command.commands["rotate-keys"].params if option.name == "kinds"]
    assert set(only.to_info_dict()["type"]["choices"]) == set(rotation.KINDS)
