"""Who sees which images: visibility, members and what they answered; and what each role may do."""

from typing import Any

import pytest

from pileus.identity.store import Assignment, changed
from tests.harness import Client, World
from tests.spec.image.images import BYTES, IMAGES, active, change, create, names, show


def members(image: dict[str, Any]) -> str:
    return f"{IMAGES}/{image['id']}/members"


def offer(owner: Client, other: Client) -> dict[str, Any]:
    image = active(owner, name="offered")
    owner.post(members(image), {"member": other.project_id}).ok(200)
    return image


def see(client: Client, image: dict[str, Any]) -> bool:
    return client.get(f"{IMAGES}/{image['id']}").status == 200


class TestVisibility:
    def test_a_private_or_unshared_image_does_not_exist_for_others(self, member: Client, stranger: Client) -> None:
        for visibility in ("private", "shared"):
            image = active(member, visibility=visibility)
            path = f"{IMAGES}/{image['id']}"
            stranger.get(path).refused(404)
            stranger.get(f"{path}/file").refused(404)
            stranger.delete(path).refused(404)
            change(stranger, image, {"op": "replace", "path": "/name", "value": "x"}).refused(404)
            stranger.request("PUT", f"{path}/file", headers=BYTES, upload=iter([b"x"])).refused(404)
            stranger.put(f"{path}/tags/x").refused(404)
            stranger.post(f"{path}/actions/deactivate").refused(404)
            stranger.get(f"{path}/members").refused(404)
            assert image["name"] not in names(stranger, f"owner={member.project_id}")

    def test_a_public_image_is_everybodys_to_use_and_its_owners_to_change(self, admin: Client, member: Client) -> None:
        image = active(admin, visibility="public", name="for all")
        assert see(member, image) and "for all" in names(member, f"owner={admin.project_id}")
        assert member.get(f"{IMAGES}/{image['id']}/file").ok(200) == b"bytes"
        change(member, image, {"op": "replace", "path": "/name", "value": "x"}).refused(403)
        member.delete(f"{IMAGES}/{image['id']}").refused(403)
        member.post(f"{IMAGES}/{image['id']}/actions/deactivate").refused(403)

    def test_only_administrators_publish(self, member: Client, admin: Client) -> None:
        member.post(IMAGES, {"visibility": "public"}).refused(403, "publicize_image")
        image = create(member)
        change(member, image, {"op": "replace", "path": "/visibility", "value": "public"}).refused(403, "publicize")
        change(admin, image, {"op": "replace", "path": "/visibility", "value": "public"}).ok(200)

    def test_a_community_image_is_found_when_looked_for(self, member: Client, stranger: Client) -> None:
        image = create(member, visibility="community", name="ours")
        assert see(stranger, image)
        assert "ours" in names(member) and "ours" not in names(stranger, f"owner={member.project_id}")
        assert "ours" in names(stranger, f"visibility=community&owner={member.project_id}")
        assert "ours" in names(stranger, f"visibility=all&owner={member.project_id}")

    def test_an_administrator_sees_all(self, member: Client, admin: Client) -> None:
        image = create(member, visibility="private", name="hers")
        assert see(admin, image) and "hers" in names(admin, f"owner={member.project_id}")

    def test_only_administrators_give_images_away(self, member: Client, stranger: Client, admin: Client) -> None:
        member.post(IMAGES, {"owner": stranger.project_id}).refused(403, "owned by")
        image = create(member, owner=member.project_id)
        move = {"op": "replace", "path": "/owner", "value": stranger.project_id}
        change(member, image, move).refused(403, "owner")
        change(admin, image, move).ok(200)
        assert show(stranger, image)["owner"] == stranger.project_id and not see(member, image)
        assert create(admin, owner=stranger.project_id)["owner"] == stranger.project_id


class TestMembers:
    def test_an_offered_image_is_seen_and_listed_once_accepted(self, member: Client, stranger: Client) -> None:
        image = offer(member, stranger)
        own = f"owner={member.project_id}"
        assert see(stranger, image) and names(stranger, own) == []
        assert names(stranger, f"{own}&member_status=pending") == ["offered"]
        assert names(stranger, f"{own}&visibility=shared&member_status=all") == ["offered"]
        answer = stranger.put(f"{members(image)}/{stranger.project_id}", {"status": "accepted"}).ok(200)
        assert answer["status"] == "accepted" and answer["member_id"] == stranger.project_id
        assert answer["image_id"] == image["id"] and answer["schema"] == "/v2/schemas/member"
        assert names(stranger, own) == ["offered"]
        assert stranger.get(f"{IMAGES}/{image['id']}/file").ok(200) == b"bytes"
        stranger.put(f"{members(image)}/{stranger.project_id}", {"status": "rejected"}).ok(200)
        assert names(stranger, own) == [] and names(stranger, f"{own}&member_status=rejected") == ["offered"]

    def test_an_offer_is_withdrawn(self, member: Client, stranger: Client) -> None:
        image = offer(member, stranger)
        member.delete(f"{members(image)}/{stranger.project_id}").ok(204)
        assert not see(stranger, image)
        member.delete(f"{members(image)}/{stranger.project_id}").refused(404)
        assert member.get(members(image)).ok(200)["members"] == []

    def test_owner_and_member_each_have_their_say(self, member: Client, stranger: Client) -> None:
        image = offer(member, stranger)
        one = f"{members(image)}/{stranger.project_id}"
        member.put(one, {"status": "accepted"}).refused(403)
        stranger.delete(one).refused(403)
        stranger.post(members(image), {"member": "third"}).refused(403)
        change(stranger, image, {"op": "replace", "path": "/name", "value": "x"}).refused(403)
        stranger.delete(f"{IMAGES}/{image['id']}").refused(403)

    def test_a_member_knows_only_of_itself(self, world: World, member: Client, stranger: Client) -> None:
        image = offer(member, stranger)
        other = world.client("member", "reader")
        member.post(members(image), {"member": other.project_id}).ok(200)
        assert len(member.get(members(image)).ok(200)["members"]) == 2
        seen = stranger.get(members(image)).ok(200)["members"]
        assert [entry["member_id"] for entry in seen] == [stranger.project_id]
        stranger.get(f"{members(image)}/{other.project_id}").refused(404)
        assert member.get(f"{members(image)}/{other.project_id}").ok(200)["status"] == "pending"

    def test_only_shared_images_have_members(self, member: Client, stranger: Client) -> None:
        image = create(member, visibility="private")
        member.post(members(image), {"member": stranger.project_id}).refused(403, "shared")
        member.get(members(image)).refused(403, "shared")

    def test_an_offer_withdrawn_by_privacy_comes_back_with_sharing(self, member: Client, stranger: Client) -> None:
        image = offer(member, stranger)
        change(member, image, {"op": "replace", "path": "/visibility", "value": "private"}).ok(200)
        assert not see(stranger, image)
        change(member, image, {"op": "replace", "path": "/visibility", "value": "shared"}).ok(200)
        assert see(stranger, image)

    def test_wrong_offers_are_refused(self, member: Client, stranger: Client) -> None:
        image = offer(member, stranger)
        member.post(members(image), {"member": stranger.project_id}).refused(409, "already")
        for body in ({}, {"member": ""}, {"member": 7}, {"member": "x" * 256}, {"member": "\x00"}):
            member.post(members(image), body).refused(400, "member")
        one = f"{members(image)}/{stranger.project_id}"
        for body in ({}, {"status": "maybe"}, {"status": 7}):
            stranger.put(one, body).refused(400, "status")
        member.get(f"{members(image)}/nobody").refused(404)

    def test_there_is_an_end_to_members(self, member: Client) -> None:
        image = create(member)
        for number in range(128):
            member.post(members(image), {"member": f"project-{number}"}).ok(200)
        member.post(members(image), {"member": "one-more"}).refused(413, "members")


class TestAReader:
    @pytest.fixture
    def colleague(self, world: World, member: Client) -> Client:
        return world.client("reader", project_id=member.project_id)

    def test_sees(self, member: Client, colleague: Client) -> None:
        image = create(member)
        assert see(colleague, image) and names(colleague, f"owner={member.project_id}") == ["mine"]

    def test_changes_nothing_and_takes_no_bytes(self, member: Client, colleague: Client) -> None:
        image = active(member)
        path = f"{IMAGES}/{image['id']}"
        colleague.post(IMAGES, {}).refused(403, "add_image")
        change(colleague, image, {"op": "replace", "path": "/name", "value": "x"}).refused(403)
        colleague.delete(path).refused(403)
        colleague.put(f"{path}/tags/x").refused(403)
        colleague.get(f"{path}/file").refused(403)
        colleague.request("PUT", f"{path}/file", headers=BYTES, upload=iter([b"x"])).refused(403)
        colleague.post(f"{path}/actions/deactivate").refused(403)
        colleague.post(members(image), {"member": "other"}).refused(403)

    def test_is_not_told_of_what_it_does_not_see(self, stranger: Client, colleague: Client) -> None:
        path = f"{IMAGES}/{active(stranger)['id']}"
        for missing in (path, f"{IMAGES}/nothing"):
            colleague.delete(missing).refused(404)
            colleague.get(f"{missing}/file").refused(404)
            colleague.put(f"{missing}/tags/x").refused(404)


class TestAnAdministratorOfTheSystem:
    """Images are seen from projects: a token of the system is of no use here."""

    @pytest.fixture
    def system(self, world: World, admin: Client) -> Client:
        with world.cloud.db.write() as tx:
            tx.insert(Assignment(admin.user_id, "system", world.roles["admin"], 0, "user", "system"))
            changed(tx)
        token, _ = world.cloud.tokens.issue(admin.user_id, ["password"], "system", None)
        return Client(world.application, token)

    def test_neither_lists_nor_creates_nor_sees(self, system: Client, admin: Client) -> None:
        image = create(admin, visibility="public")
        system.get(IMAGES).refused(403, "project")
        system.post(IMAGES, {}).refused(403, "project")
        system.get(f"{IMAGES}/{image['id']}").refused(404)
        system.delete(f"{IMAGES}/{image['id']}").refused(404)


class TestNobody:
    def test_a_caller_without_token_is_refused(self, anonymous: Client) -> None:
        anonymous.get(IMAGES).refused(401)
        anonymous.request("PUT", f"{IMAGES}/x/file", headers=BYTES, upload=iter([b"x"])).refused(401)
