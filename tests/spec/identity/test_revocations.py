"""Revocation: what voids tokens is written down, and another controller knows it soon."""

import re
from typing import Any

import pytest

from pileus.cloud import Cloud
from pileus.core import clock
from pileus.identity import store
from pileus.identity.reconcile import forget_expired
from pileus.identity.store import RevocationEvent
from pileus.identity.tokens import keys, revocations, rotation
from pileus.identity.tokens.provider import EXPIRED_WINDOW
from pileus.settings import Settings
from tests.harness import Client, World, eventually
from tests.postgres import Postgres
from tests.spec.identity.identities import auth, log_in, make

SECRET = "a secret worth keeping"


def events(client: Client, since: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"/v3/OS-REVOKE/events?since={since}").ok()["events"]
    return found


def test_what_voids_tokens_is_listed(admin: Client, anonymous: Client) -> None:
    before = clock.now()
    user, project = make(admin, "user", password=SECRET), make(admin, "project")
    secret = log_in(anonymous, user["id"], SECRET).headers["x-subject-token"]
    audit_id = admin.get("/v3/auth/tokens", x_subject_token=secret).ok()["token"]["audit_ids"][0]
    admin.delete("/v3/auth/tokens", x_subject_token=secret).ok(204)
    admin.patch(f"/v3/users/{user['id']}", {"user": {"password": "another secret"}}).ok()
    admin.patch(f"/v3/projects/{project['id']}", {"project": {"enabled": False}}).ok()
    consumer = make(admin, "consumer", "/v3/OS-OAUTH1/consumers")
    admin.delete(f"/v3/OS-OAUTH1/consumers/{consumer['id']}").ok()
    found = events(admin, before)
    said = [{key: row[key] for key in row if key not in ("issued_before", "revoked_at")} for row in found]
    assert said == [
        {"audit_id": audit_id}, {"user_id": user["id"]}, {"project_id": project["id"]},
        {"OS-OAUTH1:consumer_id": consumer["id"]},
    ]  # fmt: skip
    assert all(row["issued_before"] == row["revoked_at"] >= before for row in found)
    assert events(admin, clock.now()) == []


def test_a_trust_taken_back_is_listed(admin: Client) -> None:
    trustee = make(admin, "user")
    body = {
        "trustor_user_id": admin.user_id, "trustee_user_id": trustee["id"], "impersonation": False,
        "project_id": admin.project_id, "roles": [{"name": "reader"}],
    }  # fmt: skip
    trust = admin.post("/v3/OS-TRUST/trusts", {"trust": body}).ok(201)["trust"]
    before = clock.now()
    admin.delete(f"/v3/OS-TRUST/trusts/{trust['id']}").ok()
    assert [row["OS-TRUST:trust_id"] for row in events(admin, before)] == [trust["id"]]


def test_only_services_and_administrators_see_the_events(world: World, member: Client) -> None:
    world.client("service").get("/v3/OS-REVOKE/events").ok()
    member.get("/v3/OS-REVOKE/events").refused(403)


def test_what_was_for_tokens_that_were_documents_is_refused_to_everybody(admin: Client, anonymous: Client) -> None:
    for method in ("GET", "HEAD"):
        for client in (admin, anonymous):
            assert client.request(method, "/v3/auth/tokens/OS-PKI/revoked").status == 403
            for name in ("ca", "certificates"):
                assert client.request(method, f"/v3/OS-SIMPLE-CERT/{name}").status == 410


@pytest.mark.parametrize("since", ["yesterday", "2001-13-01", "%00", "0001-01-01T00:00:00%2B23:59", "9" * 40])
def test_a_moment_that_is_none_is_refused(admin: Client, since: str) -> None:
    admin.get(f"/v3/OS-REVOKE/events?since={since}").refused(400, "since")


def test_events_are_kept_as_long_as_a_token_may_be_asked_about(fresh: World) -> None:
    seconds = fresh.cloud.settings.token_seconds + EXPIRED_WINDOW
    with fresh.cloud.db.write() as tx:
        for id, age in (("old", seconds + 3600), ("young", seconds - 60)):
            tx.insert(RevocationEvent(id, clock.after(-age), clock.after(-age), user_id="u"))
    forget_expired(fresh.cloud)
    with fresh.cloud.db.read() as tx:
        assert [row.id for row in tx.select(RevocationEvent)] == ["young"]


def test_a_token_that_was_revoked_stays_void_when_it_has_ended(fresh: World) -> None:
    service, tokens = fresh.client("service"), fresh.cloud.tokens
    payload = tokens.payload(service.user_id, ["password"], expires_at=clock.after(-60))
    secret = tokens.seal(payload)
    service.get("/v3/auth/tokens?allow_expired=1", x_subject_token=secret).ok(200)
    with fresh.cloud.db.write() as tx:
        revocations.note(tx, audit_id=payload.audit_ids[0])
    forget_expired(fresh.cloud)
    service.get("/v3/auth/tokens?allow_expired=1", x_subject_token=secret).refused(404)


def test_another_controller_hears_of_a_revoked_token_and_takes_up_new_keys(
    postgres: Postgres, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both remember the token. They are told apart from one process by what they cannot know of each other's commits."""
    monkeypatch.setattr(store, "_notice", lambda: None)
    here = World(tmp_path / "cloud", database_url=postgres.database())
    there = Cloud(
        Settings(**{name: getattr(here.cloud.settings, name) for name in ("state", "database_url", "fake_nodes")})
    )
    client = here.client("admin")
    secret = client.token or ""
    assert there.authenticate(secret) is not None and there.authenticate(secret) is not None
    client.delete("/v3/auth/tokens", x_subject_token=secret).ok(204)
    # a second's worth of looking, and no more
    eventually(lambda: there.authenticate(secret) is None, tries=50)
    before = there.tokens._fernet.version
    rotation.rotate(here.cloud.db, here.cloud.settings.folder, "tokens", keys.KEEP, 0, lambda done, total: None)
    fresh = here.client("member").token or ""
    assert there.authenticate(fresh) is not None
    eventually(lambda: there.tokens._fernet.current() > before, tries=50)
    newest = here.client("member").token or ""
    assert there.authenticate(newest) is not None and re.fullmatch(r"gAAAA[\w-]+", newest)
    here.stop()
    there.stop()


def test_a_disabled_user_of_a_trust_voids_it(world: World, admin: Client, anonymous: Client) -> None:
    trustee = make(admin, "user", password=SECRET)
    trustor = world.client("member")
    body = {
        "trustor_user_id": trustor.user_id, "trustee_user_id": trustee["id"], "impersonation": True,
        "project_id": trustor.project_id, "roles": [{"name": "member"}],
    }  # fmt: skip
    trust = trustor.post("/v3/OS-TRUST/trusts", {"trust": body}).ok(201)["trust"]
    scope = {"OS-TRUST:trust": {"id": trust["id"]}}
    secret = anonymous.post("/v3/auth/tokens", auth(trustee["id"], SECRET, scope)).headers["x-subject-token"]
    anonymous.get("/v3/auth/projects", x_auth_token=secret).ok()
    admin.patch(f"/v3/users/{trustee['id']}", {"user": {"enabled": False}}).ok()
    anonymous.get("/v3/auth/projects", x_auth_token=secret).refused(401)
